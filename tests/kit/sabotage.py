"""Breaking the program on purpose: a copy of it with a small change, and the tests that must notice.

A guarantee that no test would miss is only a sentence. Each `Sabotage` takes one away; a test run over the changed copy
must fail. The texts to replace must stand in the program exactly once, so that the list cannot rot unseen.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIMIT_S = 400.0
"""No measure of speed: four of these may run at once, beside others."""
_LEFT_OUT = shutil.ignore_patterns("sabotage", "benchmarks", ".*")
_SLIPS = ("NameError", "ImportError", "ModuleNotFoundError", "SyntaxError", "UnboundLocalError")
"""What would turn any test red: a patch that breaks the program instead of a guarantee."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement.

    Attributes:
        file: below ``orbit_fast``.
        old: what stands there, exactly once.
        new: what stands there then.
    """

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Sabotage:
    """A guarantee, taken away.

    Attributes:
        name: what is done, in a few words.
        guarantee: the one it breaks, as ``docs/RELIABILITY.md`` numbers them.
        edits: how.
        tests: what must go red: files below ``tests``, or single tests.
    """

    name: str
    guarantee: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Workshop:
    """A copy of the program and of its tests, in which the tests use the copy: imported, and as the command.

    Attributes:
        directory: where it is.
    """

    directory: Path

    @classmethod
    def open(cls, directory: Path) -> Workshop:
        """Copy everything into the empty `directory`."""
        shutil.copytree(ROOT / "orbit_fast", directory / "orbit_fast", copy_function=_link)
        shutil.copytree(ROOT / "tests", directory / "tests", ignore=_LEFT_OUT, copy_function=_link)
        shutil.copy(ROOT / "pyproject.toml", directory)
        script = directory / "orbit"
        script.write_text(
            f"#!{sys.executable}\n"
            "import sys\n"
            f"sys.path[0] = {str(directory)!r}\n"
            "from orbit_fast.cli.main import main\n"
            "main()\n"
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return cls(directory)

    def apply(self, edits: Iterable[Edit]) -> None:
        """Make the changes.

        Raises:
            AssertionError: a text does not stand exactly once where it should, or the change changes nothing.
        """
        for edit in edits:
            path = self.directory / "orbit_fast" / edit.file
            text = path.read_text()
            count = text.count(edit.old)
            assert count == 1, f"{edit.file} has {count} times: {edit.old!r}"
            changed = text.replace(edit.old, edit.new)
            assert changed != text, f"nothing is changed in {edit.file}"
            compile(changed, str(path), "exec")
            path.unlink()  # it may be the original
            path.write_text(changed)

    def run(self, tests: Iterable[str], *, each_s: float = 60.0) -> tuple[int, str]:
        """Run tests of the copy up to the first that fails; pytest's exit status, and what it said.

        One that takes longer than `each_s` has failed: what was taken away may have been what ends it.
        """
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COVERAGE"))}
        variables["COMMAND_UNDER_TEST"] = str(self.directory / "orbit")
        variables["PYTHONPATH"] = str(self.directory)
        variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # two thirds of the time, and of no use here
        options = ["-x", "-q", "--tb=short", "-p", "no:cacheprovider", "-p", "pytest_timeout"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, f"--timeout={each_s}", *(f"tests/{test}" for test in tests)],
            cwd=self.directory,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_S,
            check=False,
        )
        return done.returncode, done.stdout.decode(errors="replace")


def _link(source: str, destination: str) -> None:
    """Another name for a file that nobody changes in place, or a copy where there can be none."""
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)


def slips(said: str) -> list[str]:
    """The signs in a test run's output that the patch is no sabotage but a blunder."""
    return [word for word in _SLIPS if word in said]
