"""What the lines of ``run`` come to: plans, or failures that say why not."""

from __future__ import annotations

import pytest

from orbit_fast import __version__
from orbit_fast.cli.environment import Environment
from orbit_fast.cli.script import Script
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verbs import VERBS
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.values import Given
from orbit_fast.core.values import Source
from orbit_fast.core.work import Cat
from orbit_fast.core.work import Saying
from orbit_fast.core.work import Sync


@pytest.fixture
def understand(tmp_path):
    """Understands lines of a script, by itself or under ``--json``."""

    def understand(text, *, json=False):
        variables = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "HOME": str(tmp_path)}
        invocation = Invocation(
            arguments=(),
            settings=JobSettings(operation="run", output=OutputSettings(json=json)),
            environment=Environment(arguments=("run", "script"), variables=variables),
            given={"json": Given(given=True, value=True, source=Source.FLAG, place="--json")} if json else {},
        )
        return Script({verb.name: verb for verb in VERBS}, invocation)(7, text)

    return understand


@pytest.mark.parametrize(
    ("text", "plan", "names"),
    [
        ("cat s3://b/k", Cat(sources=("s3://b/k",)), ("s3://b/k", "-")),
        ("cat s3://b/k 's3://c/a b*'", Cat(sources=("s3://b/k", "s3://c/a b*")), ("s3://b/k s3://c/a b*", "-")),
        ("cp s3://b/k s3://b/l -", Cat(sources=("s3://b/k", "s3://b/l")), ("s3://b/k s3://b/l", "-")),
        (
            "sync --delete 'a b' s3://b/p",
            Sync(source="a b", destination="s3://b/p", command="orbit sync --delete 'a b' s3://b/p"),
            ("a b", "s3://b/p"),
        ),
        ("version", Saying(text=f"orbit {__version__}\n".encode()), ("", "")),
    ],
)
def test_commands_that_are_no_tasks_and_no_copies(understand, text, plan, names):
    """A plan of its own for each; what fails later is told with its arguments."""
    line = understand(text)
    assert (line.number, line.failure, line.plan, line.names) == (7, None, plan, names)


def test_options_of_such_a_line_are_its_own(understand):
    """And the operation is the command's."""
    assert understand("cat --range bytes=0-4 s3://b/k").settings.selection.byte_range == "0-4"
    assert understand("cp s3://b/k -").settings.operation == "cp"
    assert understand("sync --delete a s3://b").settings.sync.delete


def test_an_event_where_events_are_wanted(understand):
    """The version's."""
    line = understand("version", json=True)
    assert line.plan.text == b'{"operation":"version","success":true,"version":"%s"}\n' % __version__.encode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat", "cat needs an object: orbit cat s3://bucket/key"),
        ("cat /etc/hosts", "cat is about S3: '/etc/hosts' does not begin with s3://"),
        ("cp /etc/hosts -", "what goes to stdout is about S3: '/etc/hosts' does not begin with s3://"),
        ("cp --files-from f s3://b/k -", "--files-from names what is below a directory or prefix, and - is neither"),
        ("cp - s3://b/k", "stdin is not a script's to give: - works in a command by itself"),
        ("cp - -", "stdin is not a script's to give: - works in a command by itself"),
        ("mv s3://b/k -", "mv does not take - for stdin or stdout: cp does"),
        ("sync a", "sync needs one source and one destination: orbit sync SRC DST"),
        ("version 2", "version takes no arguments"),
        ("cp --content-type a/\udcff f s3://b/k", "an option is not Unicode text: 'a/\\udcff'"),
        (
            "pipe s3://b/k",
            (
                "pipe cannot be a line of run: stdin is one for all lines, and none may read it: "
                "PROGRAM | orbit pipe s3://bucket/key by itself"
            ),
        ),
        ("run f", "run cannot be a line of run: put the other file's lines here, or orbit run FILE by itself"),
        *(
            (name, f"{name} cannot be a line of run: it is about no objects: orbit {name} by itself")
            for name in ("demo", "doctor", "completions")
        ),
    ],
)
def test_lines_that_cannot_be_done(understand, text, message):
    """One clear line."""
    line = understand(text)
    assert (line.plan, line.failure.code, line.failure.message) == (None, "E_USAGE", message)


@pytest.mark.parametrize("command", ["cat", "head", "rm"])
def test_keys_that_are_not_text(understand, command):
    """Fail their own line: nothing of them could be sent."""
    line = understand(f"{command} s3://b/\udcff")
    assert (line.plan, line.failure.code) == (None, "E_INVALID_KEY")


@pytest.mark.parametrize("text", ["cat s3://b/k", "cp s3://b/k -"])
def test_no_data_among_events(understand, text):
    """Under ``--json`` stdout is for events alone."""
    line = understand(text, json=True)
    assert (line.plan, line.failure.code) == (None, "E_USAGE")
    assert line.failure.message.startswith("with --json stdout is for events")


@pytest.mark.parametrize(
    "option", ["--resume", "--no-resume", "--max-bandwidth=1MB", "--manifest-out=f", "--files-from=-"]
)
def test_options_that_no_line_can_have(understand, option):
    """They are of a command by itself; one line says so."""
    line = understand(f"cp {option} a s3://b/k")
    assert (line.plan, line.failure.code) == (None, "E_USAGE")
