"""What a verb is: a name, a page of help, and a function from an invocation to an exit status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orbit_fast.cli.environment import Environment
from orbit_fast.core.settings import JobSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One use of a verb.

    Attributes:
        arguments: what is not an option.
        settings: from flags, environment and defaults.
        environment: of the process.
    """

    arguments: tuple[str, ...]
    settings: JobSettings
    environment: Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A command of `orbit`.

    Attributes:
        name: as it is typed.
        synopsis: its arguments, as help shows them.
        summary: one line for the list of commands.
        description: paragraphs for its own help.
        examples: command lines, each with what it does.
        run: does it; returns the exit status, raises S3Error where the job could not be done.
    """

    name: str
    synopsis: str = ""
    summary: str
    description: tuple[str, ...] = ()
    examples: tuple[tuple[str, str], ...]
    run: Callable[[Invocation], int]
