"""The configuration file: where it is looked for, and what a bad one means."""

from __future__ import annotations

import errno

import pytest

from orbit_fast.cli.environment import Environment
from orbit_fast.cli.run import run
from orbit_fast.cli.verb import Verb
from orbit_fast.core.values import Source
from tests.kit.event_schema import validated


class Orbit:
    """Runs command lines in a home directory with a recording ``cp``."""

    def __init__(self, home, capfd):
        self.home = home
        self.capfd = capfd
        self.invocation = None
        self.out = ""
        self.err = ""

    def _cp(self, invocation):
        self.invocation = invocation
        return 0

    def __call__(self, *arguments, **variables):
        """The exit status of ``orbit cp ARGUMENTS``."""
        verb = Verb(name="cp", summary="x", examples=(), run=self._cp)
        given = {"HOME": str(self.home), **variables}
        exit_code = run(Environment(arguments=("cp", *arguments), variables=given), [verb])
        self.out, self.err = self.capfd.readouterr()
        return exit_code

    @property
    def workers(self):
        """The setting that the files of these tests change."""
        return self.invocation.settings.transfer.workers


@pytest.fixture
def orbit(tmp_path, capfd):
    """Runs command lines in a home directory."""
    return Orbit(tmp_path, capfd)


@pytest.fixture
def write(tmp_path):
    """Writes a file below the home directory."""

    def to(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return to


@pytest.mark.parametrize(
    ("arguments", "variables", "workers"),
    [
        ((), {}, 1),
        ((), {"XDG_CONFIG_HOME": "{home}/xdg"}, 2),
        ((), {"XDG_CONFIG_HOME": "relative"}, 1),
        ((), {"XDG_CONFIG_HOME": ""}, 1),
        ((), {"XDG_CONFIG_HOME": "{home}/empty"}, 256),
        ((), {"XDG_CONFIG_HOME": "{home}/named.toml"}, 256),
        ((), {"HOME": ""}, 256),
        ((), {"ORBIT_CONFIG": "{home}/named.toml"}, 3),
        (("--config", "{home}/named.toml"), {}, 3),
        (("--config", "/dev/null"), {}, 256),
        (("--config", "{home}/named.toml"), {"ORBIT_CONFIG": "{home}/nowhere"}, 3),
        (("--config", "{home}/named.toml"), {"ORBIT_WORKERS": "4"}, 4),
        (("--config", "{home}/named.toml", "--workers", "5"), {"ORBIT_WORKERS": "4"}, 5),
    ],
)
def test_which_file(arguments, variables, workers, orbit, write, tmp_path, monkeypatch):
    """The file named, else the one in the XDG directory, else none; never one in the working directory."""
    write(".config/orbit/orbit.toml", "workers = 1")
    write("xdg/orbit/orbit.toml", "workers = 2")
    write("named.toml", "workers = 3")
    write("here/orbit.toml", "workers = 99")
    write("here/orbit/orbit.toml", "workers = 99")
    write("here/relative/orbit/orbit.toml", "workers = 99")
    monkeypatch.chdir(tmp_path / "here")
    code = orbit(
        *(word.format(home=tmp_path) for word in arguments),
        **{name: value.format(home=tmp_path) for name, value in variables.items()},
    )
    assert (code, orbit.err) == (0, "")
    assert orbit.workers == workers


def test_before_the_command(orbit, write):
    """``--config`` may stand before the command."""
    path = write("named.toml", "workers = 3")
    verb = Verb(name="cp", summary="x", examples=(), run=orbit._cp)
    assert run(Environment(arguments=("--config", str(path), "cp"), variables={}), [verb]) == 0
    assert orbit.workers == 3


def test_verb_knows_where_values_come_from(orbit, write):
    """The verb is told file, table and key."""
    path = write("named.toml", "[cp]\nworkers = 3")
    orbit("--config", str(path))
    given = orbit.invocation.given
    assert (given["workers"].source, given["workers"].place) == (Source.FILE, f"{path}: [cp] workers")
    assert (given["config"].source, given["config"].value) == (Source.FLAG, str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workers = ", "{path}: not TOML: Invalid value (at end of document)"),
        (b"workers = '\xff'", "{path}: not UTF-8, from byte 11 on"),
        ("x = " + "[" * 100_000, "{path}: not TOML: nested too deeply"),
        ("workers = 0x" + "f" * 20, "{path}: workers: expected a text or a number"),
        ("worker = 1", "{path}: worker: no such option (did you mean workers?)"),
        ("workers = 'x'", "{path}: workers: 'x' is not a whole number from 1 to 65536"),
    ],
)
def test_bad_file(text, message, orbit, write):
    """A file that cannot be used is one line with its name, exit 2."""
    path = write(".config/orbit/orbit.toml", text)
    assert orbit() == 2
    assert (orbit.out, orbit.err) == ("", f'ERROR "cp": E_USAGE: {message.format(path=path)}\n')


def test_missing_file(orbit, tmp_path):
    """A file that was named must be there; a name may not be empty."""
    assert orbit("--config", str(tmp_path / "no")) == 2
    assert orbit.err.endswith(f"E_USAGE: cannot read the configuration file {tmp_path}/no: No such file or directory\n")
    assert orbit(ORBIT_CONFIG=str(tmp_path)) == 2
    assert orbit.err.endswith(f"cannot read the configuration file {tmp_path}: Is a directory\n")
    assert orbit("--config", "a\0b") == 2
    assert orbit.err.count("\n") == 1
    assert orbit("--config", "") == 2
    assert orbit.err.endswith("--config: the value is empty\n")


def test_unreadable_file(orbit, write, monkeypatch):
    """A default file that is there and cannot be read is not passed over."""
    path = write(".config/orbit/orbit.toml", "workers = 1")

    def read_file(name):
        raise PermissionError(errno.EACCES, "Permission denied", name)

    monkeypatch.setattr("orbit_fast.cli.config.read_file", read_file)
    assert orbit() == 2
    assert orbit.err == f'ERROR "cp": E_USAGE: cannot read the configuration file {path}: Permission denied\n'


def test_errors_as_the_file_wants_them(orbit, write):
    """A file that asks for JSON is obeyed when a later option is a mistake."""
    write(".config/orbit/orbit.toml", "json = true")
    assert orbit("--part-size", "x") == 2
    failure, summary = validated(orbit.out.encode())
    assert (failure["code"], summary["exit_code"], orbit.err) == ("E_USAGE", 2, "")
