"""Where every setting of a command comes from, as lines for whoever has to find out.

Never a secret: values are told as they were given, so of a key file only the name, and passwords in URLs are masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orbit_fast.core.options import default_of
from orbit_fast.core.options import options_of
from orbit_fast.core.redact import redact
from orbit_fast.core.values import Given
from orbit_fast.core.values import Option
from orbit_fast.core.values import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One option of a command as it stands.

    Attributes:
        option: its name: ``part-size``.
        value: as it was given; a default as people read it, or ``''`` where there is nothing to say.
        source: who gave it.
        place: the flag, the variable, or the file with table and key; ``''`` for a default.
    """

    option: str
    value: str
    source: Source
    place: str


def explain(given: Mapping[str, Given], verb: str) -> tuple[Setting, ...]:
    """Every option of a command: its value, and who gave it.

    Args:
        given: as `options.gather` collected it for the command.
        verb: the command.
    """
    return tuple(_setting(option, given.get(option.parameter)) for option in options_of(verb))


def _setting(option: Option, given: Given | None) -> Setting:
    if given is None:
        return Setting(option=option.name, value=default_of(option), source=Source.DEFAULT, place="")
    return Setting(option=option.name, value=redact(_text(given.given)), source=given.source, place=given.place)


def _text(given: object) -> str:
    if isinstance(given, bool):
        return "true" if given else "false"
    return ", ".join(given) if isinstance(given, tuple) else str(given)
