"""Command lines, from arguments to exit status, with a verb that only remembers what it was asked."""

from __future__ import annotations

import pytest

from orbit_fast.cli.environment import Environment
from orbit_fast.cli.run import run
from orbit_fast.cli.verb import Verb
from orbit_fast.cli.verbs import version
from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import NotFound
from orbit_fast.core.options import options_of
from orbit_fast.core.settings import MIB
from orbit_fast.core.values import age
from tests.kit.event_schema import validated
from tests.kit.option_examples import FILES
from tests.kit.option_examples import NEEDED
from tests.kit.option_examples import NOW_NS
from tests.kit.option_examples import example_of

MOVES = ("cp", "sync")


class Orbit:
    """Runs command lines with a recording ``cp`` and ``sync``."""

    def __init__(self, capfdbinary):
        self.capfd = capfdbinary
        self.invocation = None
        self.answer = 0
        self.out = b""
        self.err = b""

    def _cp(self, invocation):
        self.invocation = invocation
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def __call__(self, *arguments, **variables):
        """The exit status of a command line; its output is kept."""
        moves = [Verb(name=name, synopsis="SRC... DST", summary="x", examples=(), run=self._cp) for name in MOVES]
        verbs = [*moves, version.VERB]
        exit_code = run(Environment(arguments=arguments, variables=variables), verbs)
        self.out, self.err = self.capfd.readouterr()
        return exit_code

    @property
    def settings(self):
        """The settings that the verb was given."""
        return self.invocation.settings


@pytest.fixture
def orbit(capfdbinary):
    """Runs command lines and keeps what they print."""
    return Orbit(capfdbinary)


@pytest.mark.parametrize("mode", ["update", "sync", "Mirror"])
def test_the_other_modes_are_those_of_sync(orbit, mode):
    """``--source S --dest D --mode …`` is what ``sync S D --mode …`` is; ``copy`` is ``cp``."""
    assert orbit("--source", "a", "--dest", "b", "--mode", mode) == 0
    assert orbit.invocation.arguments == ("a", "b")
    described = orbit.settings
    assert (described.sync.mode, described.operation) == (mode.lower(), "sync")
    assert orbit("sync", "a", "b", "--mode", mode) == 0
    assert orbit.settings == described
    assert orbit("--source", "a", "--dest", "b", "--mode", "COPY", "-R") == 0
    assert orbit.settings.operation == "cp"


@pytest.mark.parametrize(
    "line",
    [
        ("cp", "--part-size", "16", "-R", "a", "b"),
        ("--part-size", "16", "-R", "cp", "a", "b"),
        ("-R", "cp", "a", "--part-size=16", "b"),
        ("cp", "a", "b", "--part-size", "16", "--recursive"),
        ("--source", "a", "--dest", "b", "--part-size", "16", "--recursive"),
        ("--mode", "copy", "--source=a", "--dest=b", "--part-size", "16", "-R"),
    ],
)
def test_options_stand_before_and_after(orbit, line):
    """An option means the same before the command, after it, and without one."""
    assert orbit(*line) == 0
    assert orbit.invocation.arguments == ("a", "b")
    assert orbit.settings.transfer.part_size == 16 * MIB
    assert orbit.settings.selection.recursive is True
    assert (orbit.out, orbit.err) == (b"", b"")


@pytest.mark.parametrize(
    ("line", "include", "verbose", "workers"),
    [
        (("--include", "a", "-v", "--workers", "1", "cp", "--include", "b", "-vv", "x"), ("a", "b"), 3, 1),
        (("--workers", "3", "cp", "--parallel", "4", "x"), (), 0, 4),
        (("--parallel", "3", "cp", "x"), (), 0, 3),
    ],
)
def test_options_given_twice(orbit, line, include, verbose, workers):
    """Repeatable options add up across the command; of the others the one behind it holds."""
    assert orbit(*line) == 0
    assert orbit.settings.selection.include == include
    assert orbit.settings.output.verbose == verbose
    assert orbit.settings.transfer.workers == workers


@pytest.mark.parametrize(
    ("line", "payer", "arguments"),
    [
        (("cp", "--request-payer", "s3://b/k", "x"), "requester", ("s3://b/k", "x")),
        (("cp", "--request-payer=requester", "s3://b/k", "x"), "requester", ("s3://b/k", "x")),
        (("cp", "--request-payer", "requester", "s3://b/k", "x"), "requester", ("s3://b/k", "x")),
        (("--request-payer", "cp", "s3://b/k", "x"), "requester", ("s3://b/k", "x")),
        (("cp", "s3://b/k", "--", "--request-payer"), "", ("s3://b/k", "--request-payer")),
        (("cp", "s3://b/k", "x"), "", ("s3://b/k", "x")),
    ],
)
def test_request_payer_may_stand_alone(orbit, line, payer, arguments):
    """``--request-payer`` takes only its own word as a value, never a source."""
    assert orbit(*line) == 0
    assert orbit.settings.source.request_payer == payer
    assert orbit.invocation.arguments == arguments


@pytest.mark.parametrize(
    ("line", "progress"),
    [(("cp",), None), (("cp", "--progress"), True), (("cp", "--no-progress"), False), (("--no-progress", "cp"), False)],
)
def test_progress_has_three_states(orbit, line, progress):
    """Progress is asked for, forbidden, or left to the terminal."""
    assert orbit(*line) == 0
    assert orbit.settings.output.progress is progress


@pytest.mark.parametrize(
    "option", [option for option in options_of("cp") if option.path], ids=lambda option: option.name
)
@pytest.mark.parametrize("is_before", [True, False])
def test_every_option_works_on_the_command_line(orbit, tmp_path, monkeypatch, option, is_before):
    """Each option, typed before or after the command, reaches the setting that the table says."""
    given, value = example_of(option)
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    flag = f"--{option.name}"
    if isinstance(given, bool):
        words = [flag if given else f"--no-{option.name}"]
    elif isinstance(given, int):
        words = [flag] * given
    else:
        words = [f"{flag}={each}" for each in (given if isinstance(given, tuple) else (given,))]
    words += [f"--{name.replace('_', '-')}={text}" for name, text in NEEDED.get(option.parameter, {}).items()]
    assert orbit(*(("cp",), words)[is_before], *(words, ("cp",))[is_before]) == 0, orbit.err
    group, _, name = option.path.partition(".")
    seen = getattr(getattr(orbit.settings, "dest" if group == "client" else group), name)
    if option.parse is age:
        assert seen > NOW_NS
    else:
        assert seen == value


def test_options_of_another_command_are_refused_even_when_off(orbit):
    """A switch turned off is an option given."""
    assert orbit("--no-progress", "version") == 2
    assert orbit.err == b'ERROR "version": E_USAGE: --progress is not an option of version\n'


def test_names_pass_through_untouched(orbit):
    """Arguments that are not UTF-8, or begin with a dash after ``--``, arrive as they are."""
    assert orbit("cp", "--", "\udcff", "-x") == 0
    assert orbit.invocation.arguments == ("\udcff", "-x")


def test_many_sources_without_a_command(orbit):
    """``--source`` may be repeated."""
    assert orbit("--source", "a", "--source", "b", "--dest", "c") == 0
    assert orbit.invocation.arguments == ("a", "b", "c")


def test_environment_sets_options(orbit):
    """``ORBIT_…`` variables reach the verb's settings; a flag wins."""
    assert orbit("cp", "--workers", "3", ORBIT_WORKERS="4", ORBIT_CONCURRENCY="9") == 0
    assert (orbit.settings.transfer.workers, orbit.settings.transfer.concurrency) == (3, 9)


BEHIND = "(an argument that begins with - goes behind --)"

USAGE_ERRORS = [
    (("cp", "--recursiv"), "cp", "no such option: --recursiv (did you mean --recursive?)"),
    (("--recursiv", "cp"), "orbit", "no such option: --recursiv (did you mean --recursive?)"),
    (("cp", "--zzz"), "cp", f"no such option: --zzz {BEHIND}"),
    (("cp", "--max-retries", "3"), "cp", "no such option: --max-retries (did you mean --retry-attempts?)"),
    (("--transfers=3", "cp"), "orbit", "no such option: --transfers (did you mean --workers?)"),
    (("cp", "-r"), "cp", "no such option: -r (did you mean --recursive?)"),
    (("cp", "-Z"), "cp", f"no such option: -Z {BEHIND}"),
    (("cpp", "a", "b"), "orbit", "no such command: cpp (did you mean cp?)"),
    (("copy", "a", "b"), "orbit", "no such command: copy (did you mean cp?)"),
    (("remove", "a"), "orbit", "no such command: remove"),
    (("zzz",), "orbit", "no such command: zzz"),
    (("version", "--part-size", "6"), "version", "--part-size is not an option of version"),
    (("--source", "a", "--dest", "b", "--zzz"), "orbit", f"no such option: --zzz {BEHIND}"),
    ((), "orbit", "no command; orbit --help lists them"),
    (("--source", "a"), "cp", "--source and --dest belong together"),
    (("--dest", "a"), "cp", "--source and --dest belong together"),
    (
        ("--source", "a", "--dest", "b", "--mode", "mirrow"),
        "sync",
        "--mode: 'mirrow' is not one of copy, update, sync, mirror",
    ),
    (("--source", "a", "cp", "b"), "orbit", "--source and --dest go without a command, not with cp"),
    (("--part-size", "6", "version"), "version", "--part-size is not an option of version"),
    (("--source", "a", "--dest", "b", "--show-fullpath"), "cp", "--show-fullpath is not an option of cp"),
    (("cp", "--part-size", "banana"), "cp", "--part-size: not a size: 'banana' (for example 50MiB, 1.5GB, 64K, 4096)"),
    (("cp", "--part-size"), "cp", "option '--part-size' requires an argument"),
    (("cp", "--json=x"), "cp", "option '--json' does not take a value"),
    (("cp", "--acl", "open"), "cp", None),
    (("cp", "-q", "-v"), "cp", "--quiet and --verbose contradict each other"),
    (("version", "x"), "version", "version takes no arguments"),
    (("cp\x1b[31m\n",), "orbit", "no such command: cp\\x1b[31m"),
]


@pytest.mark.parametrize(("line", "verb", "message"), USAGE_ERRORS)
def test_usage_errors_are_one_line(orbit, line, verb, message):
    """A mistake of the user's is one line on stderr, exit 2, and nothing on stdout."""
    assert orbit(*line) == 2
    assert orbit.out == b""
    assert orbit.err.count(b"\n") == 1
    text = orbit.err.decode()
    assert text.startswith(f'ERROR "{verb}": E_USAGE: ')
    if message is not None:
        assert text == f'ERROR "{verb}": E_USAGE: {message}\n'


@pytest.mark.parametrize(("line", "verb", "message"), [row for row in USAGE_ERRORS if "--json=x" not in row[0]])
@pytest.mark.parametrize("where", ["first", "variable"])
def test_usage_errors_as_events(orbit, line, verb, message, where):
    """Under ``--json`` a mistake is a failure event and a summary on stdout, exit 2."""
    exit_code = orbit("--json", *line) if where == "first" else orbit(*line, ORBIT_JSON="1")
    assert exit_code == 2
    failure, summary = validated(orbit.out)
    assert (failure["operation"], failure["code"], failure["retryable"]) == (verb, "E_USAGE", False)
    assert (summary["operation"], summary["command"], summary["exit_code"]) == ("summary", verb, 2)
    assert orbit.err == b""


@pytest.mark.parametrize(
    ("error", "exit_code", "shown"),
    [
        (BucketNotFound("no such bucket: b"), 2, 'ERROR "cp": NoSuchBucket: no such bucket: b\n'),
        (NotFound("b", "k"), 2, 'ERROR "cp": NoSuchKey: no such object: s3://b/k\n'),
        (
            ChecksumMismatch("k", "A", "B"),
            3,
            'ERROR "cp": E_CHECKSUM_MISMATCH: checksum mismatch for k: expected A, got B\n',
        ),
        (ZeroDivisionError("oh"), 2, 'ERROR "cp": E_INTERNAL: ZeroDivisionError: oh\n'),
        (OSError(24, "Too many"), 2, 'ERROR "cp": E_IO: the system refuses: Too many (ulimit -n has the limit)\n'),
        (PermissionError(13, "No", "/x"), 2, 'ERROR "cp": E_IO: the system refuses: No: /x\n'),
        (RuntimeError("two\nlines"), 2, 'ERROR "cp": E_INTERNAL: RuntimeError: two lines\n'),
        (KeyboardInterrupt(), 130, 'ERROR "cp": interrupted: 0 copied, 0 skipped, 0 failed\n'),
    ],
)
def test_failures_of_the_whole_job(orbit, error, exit_code, shown):
    """What a verb raises becomes one line and an exit status, never a traceback."""
    orbit.answer = error
    assert orbit("cp") == exit_code
    assert (orbit.out, orbit.err.decode()) == (b"", shown)


def test_unverified_certificates_are_warned_of(orbit):
    """``--no-verify-ssl`` is one line on stderr, on whichever side, and none under ``-q``."""
    for words in (("--no-verify-ssl",), ("--no-verify-ssl", "--json")):
        assert orbit("cp", *words) == 0
        assert (orbit.out, orbit.err.count(b"\n")) == (b"", 1)
        assert orbit.err.startswith(b'WARNING "cp": TLS certificates are not verified')
    assert orbit("cp", "--no-verify-ssl", "-q") == 0
    assert orbit.err == b""


def test_interrupt_as_events(orbit):
    """Under ``--json`` an interrupt is a summary that says so."""
    orbit.answer = KeyboardInterrupt()
    assert orbit("cp", "--json") == 130
    (summary,) = validated(orbit.out)
    assert (summary["interrupted"], summary["success"], summary["exit_code"]) == (True, False, 130)


def test_exit_status_of_the_verb_is_kept(orbit):
    """The verb's own status is the command's."""
    orbit.answer = 1
    assert orbit("cp") == 1


@pytest.mark.parametrize("line", [("cp", "--log-level", "debug"), ("--log-level=debug", "cp")])
def test_traceback_only_for_debug(orbit, line):
    """``--log-level debug`` shows where an unforeseen error came from, without its secrets."""
    orbit.answer = RuntimeError("Authorization: Bearer CANARY")
    assert orbit(*line) == 2
    assert b"Traceback" in orbit.err
    assert b"CANARY" not in orbit.err


def test_version_command(orbit):
    """``version`` prints what ``--version`` prints, and an event under ``--json``."""
    assert orbit("version") == 0
    text = orbit.out
    assert text.startswith(b"orbit ")
    assert orbit("-R", "--version", "cp") == 0
    assert orbit.out == text
    assert orbit("--json", "version") == 0
    event, summary = validated(orbit.out)
    assert event["version"] == text.decode().split()[1]
    assert (summary["command"], summary["exit_code"]) == ("version", 0)
