"""What a verb is: a name, a page of help, and a function from an invocation to an exit status."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

from orbit_fast.cli.environment import Environment
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.values import Given

if TYPE_CHECKING:
    from orbit_fast.core.work import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One use of a verb.

    Attributes:
        arguments: what is not an option.
        settings: from flags, environment and defaults.
        environment: of the process.
        given: what was set, by parameter name, and by whom (`orbit_fast.core.provenance` tells it).
    """

    arguments: tuple[str, ...]
    settings: JobSettings
    environment: Environment
    given: Mapping[str, Given] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A command of `orbit`.

    Attributes:
        name: as it is typed.
        synopsis: its arguments, as help shows them.
        summary: one line for the list of commands.
        description: paragraphs for its own help.
        words: what its first argument is one of, where that is one of a few words (``versions list``).
        examples: command lines, each with what it does.
        run: does it; returns the exit status, raises S3Error where the job could not be done.
        plan: of a command that can also be a line of a script: what it comes to; raises S3Error where its arguments
            make no sense.
    """

    name: str
    synopsis: str = ""
    summary: str
    description: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    examples: tuple[tuple[str, str], ...]
    run: Callable[[Invocation], int]
    plan: Callable[[Invocation], Plan] | None = None
