"""``orbit __complete``: what the shells' scripts ask while somebody types. Never a message, never a failure.

    orbit __complete bash LINE BREAKS    the line up to the cursor, and bash's COMP_WORDBREAKS
    orbit __complete zsh|fish WORD...    the words behind ``orbit``, without quotes, the unfinished one last

The answer: a line ``words`` or ``files`` (the shell itself completes those), then one way to go on a line; for zsh and
fish whole words, each with a tab and its meaning where there is one; for bash what it has to put in.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from types import FrameType

from orbit_fast.cli.config import read_config
from orbit_fast.cli.environment import Environment
from orbit_fast.cli.environment import leave_at_once
from orbit_fast.cli.environment import now_ns
from orbit_fast.cli.environment import read_file
from orbit_fast.cli.environment import write_out
from orbit_fast.cli.verb import Verb
from orbit_fast.core.completion import SCHEME
from orbit_fast.core.completion import Candidate
from orbit_fast.core.completion import Command
from orbit_fast.core.completion import Guess
from orbit_fast.core.completion import Kind
from orbit_fast.core.completion import understand
from orbit_fast.core.options import build_settings
from orbit_fast.core.options import gather
from orbit_fast.core.options import values_of
from orbit_fast.core.shellwords import read_line
from orbit_fast.core.values import Context

LIMIT_S = 1.0
"""The whole answer takes no longer: somebody waits with a finger on the key."""

_FILES = frozenset({Kind.FILE, Kind.LOCATION})


def run(environment: Environment, verbs: Sequence[Verb]) -> int:
    """Answer what the process was asked; the exit status is 0 whatever happens."""
    signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        lines = answer(environment, verbs)
        write_out("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
    except Exception:  # noqa: BLE001 - whatever it is, a message would stand in the middle of somebody's typing
        return 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return 0


def _give_up(_number: int, _frame: FrameType | None) -> None:
    leave_at_once(0)


def answer(environment: Environment, verbs: Sequence[Verb]) -> list[str]:
    """The lines for the shell.

    Raises:
        S3Error: there is nothing to say: settings or service are of no use.
        OSError: as above.
    """
    shell, *given = environment.arguments[1:]
    commands = {verb.name: Command(summary=verb.summary, words=verb.words) for verb in verbs}
    if shell == "bash":
        typed = read_line(*given)
        guess = understand(typed.words[1:], commands)
        return [_heading(guess), *(typed.replacement(each.text) for each in _candidates(guess, environment))]
    guess = understand(given, commands)
    found = _candidates(guess, environment)
    return [_heading(guess), *(f"{each.text}\t{each.help}" if each.help else each.text for each in found)]


def _heading(guess: Guess) -> str:
    return "files" if guess.kind in _FILES and not guess.word.startswith(SCHEME) else "words"


def _candidates(guess: Guess, environment: Environment) -> tuple[Candidate, ...]:
    if guess.kind not in {Kind.URL, Kind.LOCATION}:
        return guess.candidates
    if guess.word.startswith(SCHEME):
        return tuple(Candidate(text=f"{guess.prefix}{url}") for url in _find(guess, environment))
    is_shown = SCHEME.startswith(guess.word) and (guess.word or guess.kind is Kind.URL)
    return (Candidate(text=f"{guess.prefix}{SCHEME}"),) if is_shown else ()


def _find(guess: Guess, environment: Environment) -> tuple[str, ...]:
    """The buckets or keys that begin with the word at the cursor, as the command itself would reach them."""
    from msgspec.structs import replace  # noqa: PLC0415 - only where S3 is asked

    from orbit_fast.cli.lookup import Names  # noqa: PLC0415 - as above

    variables = environment.variables
    files = read_config(guess.flags.get("config"), variables, guess.verb)
    context = Context(now_ns=now_ns, read_file=read_file)
    settings = build_settings(values_of(gather(guess.flags, variables, context, verb=guess.verb, files=files)))
    side = settings.dest if guess.is_destination else settings.source
    names = Names(settings=replace(settings, source=side), variables=variables, now_s=now_ns() / 1e9)
    return names.find(guess.word)
