"""One run of the command, from arguments to exit status; the top line at which every failure becomes a sentence."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from itertools import pairwise

import click

from orbit_fast.cli.commands import OrbitCommand
from orbit_fast.cli.commands import State
from orbit_fast.cli.environment import Environment
from orbit_fast.cli.environment import write_err
from orbit_fast.cli.environment import write_out
from orbit_fast.cli.verb import Verb
from orbit_fast.cli.verbs import VERBS
from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.events import Totals
from orbit_fast.core.events import new_renderer
from orbit_fast.core.messages import Failure
from orbit_fast.core.redact import redact
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.io.diskerrors import refusal


def run(environment: Environment, verbs: Sequence[Verb] = VERBS) -> int:
    """Run the command line in `environment`; returns the exit status and raises nothing."""
    state = State(environment=environment)
    try:
        command = OrbitCommand(verbs)
        with command.make_context("orbit", list(environment.arguments), obj=state, max_content_width=100) as ctx:
            return command.invoke(ctx)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        return _fail(state, InvalidConfig(_sentence(error)), Exit.NOT_POSSIBLE)
    except S3Error as error:
        is_integrity = error.exit_code is Exit.INTEGRITY
        return _fail(state, error, Exit.INTEGRITY if is_integrity else Exit.NOT_POSSIBLE)
    except KeyboardInterrupt:
        return _interrupted(state)
    except Exception as error:  # noqa: BLE001  the top line: what nobody foresaw is told in one line too
        if _wants_trace(state):
            write_err(redact(traceback.format_exc()).encode("utf-8", "backslashreplace"))
        failure = refusal(error) if isinstance(error, OSError) else Internal(f"{type(error).__name__}: {error}")
        return _fail(state, failure, Exit.NOT_POSSIBLE)


def _sentence(error: click.ClickException) -> str:
    """Click's message, in the manner of ours."""
    message = error.format_message().rstrip(".")
    return message[:1].lower() + message[1:]


def _fail(state: State, error: S3Error, exit_code: Exit) -> int:
    """Tell a failure of the whole command; returns `exit_code`."""
    renderer = new_renderer(_output_of(state), operation=state.verb)
    lines = renderer.failed(("", ""), Failure.of(error))
    return _end(state, lines.out, lines.err, Totals(command=state.verb, exit_code=int(exit_code)))


def _interrupted(state: State) -> int:
    """Tell that a signal ended the command before its job had begun, or after it had ended."""
    return _end(state, b"", b"", Totals(command=state.verb, exit_code=int(Exit.INTERRUPTED), interrupted=True))


def _end(state: State, out: bytes, err: bytes, totals: Totals) -> int:
    summary = new_renderer(_output_of(state), operation=state.verb).summary(totals)
    write_err(err + summary.err)
    try:
        write_out(out + summary.out)
    except OSError:
        return totals.exit_code  # it is not 0 already, and there is nobody left to tell
    return totals.exit_code


def _output_of(state: State) -> JobSettings:
    """How to tell it: as the settings say, or, where there are none yet, as the command line seems to want."""
    if state.settings is not None:
        return state.settings
    words = _options_typed(state)
    is_json = (
        state.is_json
        or "--json" in words
        or state.environment.variables.get("ORBIT_JSON", "").lower()
        in {
            "1",
            "true",
            "yes",
            "on",
        }
    )
    return JobSettings(output=OutputSettings(json=is_json))


def _wants_trace(state: State) -> bool:
    if state.settings is not None:
        return state.settings.output.log_level == "debug"
    words = _options_typed(state)
    return "--log-level=debug" in words or ("--log-level", "debug") in pairwise(words)


def _options_typed(state: State) -> list[str]:
    words = list(state.environment.arguments)
    return words[: words.index("--")] if "--" in words else words
