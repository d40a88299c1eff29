"""What a configuration file says: option names, at the top for every command and in a table for one.

The file is TOML, parsed already. A key is an option's long name, with ``-`` or ``_`` between words, or its other long
spelling. Every key and the type of every value is checked, also for commands that are not the one at hand: a mistake is
found by the first command that reads the file. What a value means is left to the option's own parser.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Final

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.options import general_options
from orbit_fast.core.options import options_of
from orbit_fast.core.similar import did_you_mean
from orbit_fast.core.values import Entry
from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape
from orbit_fast.core.verb_groups import EVERY

_MOST: Final = (1 << 63) - 1
"""No option takes a larger number."""


def read_document(document: Mapping[str, object], verb: str, file: str) -> tuple[dict[str, Entry], ...]:
    """What the file says for a command, by parameter name: its own table first, then what holds for every command.

    Args:
        document: the parsed file.
        verb: the command.
        file: how messages name the file.

    Raises:
        InvalidConfig: a key that is no option, or a value of another type than the option's.
    """
    layers = [_read_table(document, general_options(), place=f"{file}: ", tables=EVERY)]
    for name, table in document.items():
        if isinstance(table, Mapping):
            if name not in EVERY:
                raise InvalidConfig(f"{file}: [{name}]: no such command{did_you_mean(name, EVERY)}")
            entries = _read_table(table, options_of(name), place=f"{file}: [{name}] ")
            if name == verb:
                layers.insert(0, entries)
    return tuple(layers)


def _read_table(
    table: Mapping[str, object], options: Iterable[Option], *, place: str, tables: Collection[str] = ()
) -> dict[str, Entry]:
    by_name = {
        flag.removeprefix("--"): option
        for option in options
        if option.path  # the rest is about the file itself
        for flag in option.flags
        if flag.startswith("--")
    }
    entries: dict[str, Entry] = {}
    for key, value in table.items():
        if isinstance(value, Mapping) and tables:
            continue
        if key in tables:
            raise InvalidConfig(f"{place}{key}: expected a table, [{key}]")
        option = by_name.get(key.replace("_", "-"))
        if option is None:
            raise InvalidConfig(
                f"{place}{key}: no such option{did_you_mean(key.replace('_', '-'), (*by_name, *tables))}"
            )
        if option.parameter in entries:
            raise InvalidConfig(f"{place}{key}: {option.name} is set already")
        entries[option.parameter] = Entry(given=_read_value(option, value, f"{place}{key}"), place=f"{place}{key}")
    return entries


def _read_value(option: Option, value: object, place: str) -> object:
    """The value as the command line would have given it.

    Raises:
        InvalidConfig: it is of another type.
    """
    read, wanted = _SHAPES[option.shape]
    given = read(option, value)
    if given is None:
        raise InvalidConfig(f"{place}: expected {wanted}")
    return given


def _switch(_: Option, value: object) -> object:
    return value if isinstance(value, bool) else None


def _count(_: Option, value: object) -> object:
    return int(value) if isinstance(value, int) and 0 <= value <= _MOST else None


def _one(_: Option, value: object) -> object:
    if isinstance(value, bool):
        return None
    if isinstance(value, dt.date):  # a datetime is one, too
        return value.isoformat()
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, int):  # the text of a number without bounds takes its time, or cannot be made
        return str(value) if -_MOST <= value <= _MOST else None
    return value if isinstance(value, str) else None


def _many(option: Option, value: object) -> object:
    texts = [_one(option, each) for each in (value if isinstance(value, list) else [value])]
    return None if None in texts else tuple(texts)


def _optional(option: Option, value: object) -> object:
    if isinstance(value, bool):
        return option.optional_value if value else False
    return value if isinstance(value, str) else None


_SHAPES: Mapping[Shape, tuple[Callable[[Option, object], object], str]] = {
    Shape.VALUE: (_one, "a text or a number"),
    Shape.MANY: (_many, "a text, a number, or a list of them"),
    Shape.FLAG: (_switch, "true or false"),
    Shape.TOGGLE: (_switch, "true or false"),
    Shape.COUNT: (_count, "a whole number, true or false"),
    Shape.OPTIONAL: (_optional, "true, false or a text"),
}
