"""How the text of an option becomes its value.

An `Option` is one row of the table in `options`: its spellings, where its value goes in the settings, and the parser
that checks it. The same parser reads a flag's argument, an ``ORBIT_…`` variable and what a configuration file says: all
mean the same, and fail alike. What a parser needs besides the text (the time, the contents of a file) comes in a
`Context`: this room asks nobody.
"""

from __future__ import annotations

import base64
import binascii
import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orbit_fast.core import limits
from orbit_fast.core.byterange import parse_range
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.filters import Rules
from orbit_fast.core.filters import parse_rules
from orbit_fast.core.guard import parse_limit
from orbit_fast.core.units import format_size
from orbit_fast.core.units import parse_age
from orbit_fast.core.units import parse_duration
from orbit_fast.core.units import parse_rate
from orbit_fast.core.units import parse_size

_CUSTOMER_KEY_BYTES = 32

_MOST_DIGITS = 20

_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})


class Group(enum.StrEnum):
    """The headings under which help shows options."""

    COMMAND = "Of this command"
    CLIENT = "Connection and credentials"
    TRANSFER = "Transfer"
    SELECTION = "Selection"
    OBJECT = "Properties of uploaded and copied objects"
    OUTPUT = "Output"
    SIDES = "Source and destination apart"
    GENERAL = "General"


_GROUPS = {
    "client": Group.CLIENT,
    "network": Group.CLIENT,
    "transfer": Group.TRANSFER,
    "selection": Group.SELECTION,
    "object": Group.OBJECT,
    "output": Group.OUTPUT,
    "source": Group.SIDES,
    "dest": Group.SIDES,
    "": Group.GENERAL,
}


class Shape(enum.Enum):
    """How an option is written."""

    VALUE = "takes a value"
    MANY = "takes a value, may be repeated"
    FLAG = "takes nothing"
    TOGGLE = "takes nothing, has a --no- form"
    COUNT = "takes nothing, counts"
    OPTIONAL = "may take a value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What parsers may ask for.

    Attributes:
        now_ns: gives nanoseconds since 1970 UTC.
        read_file: gives the bytes of a local file, named as the user wrote it; raises OSError.
    """

    now_ns: Callable[[], int]
    read_file: Callable[[str], bytes]


Parse = Callable[[str, Context], object]


def text(value: str, _: Context) -> object:
    """The text as it is, if it says anything and is one line."""
    if not value:
        raise InvalidConfig("the value is empty")
    if any(character in value for character in "\r\n\0"):
        raise InvalidConfig(f"{value!r} holds a line break or NUL")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option.

    Attributes:
        name: the long spelling without dashes: ``part-size``.
        path: where the value goes: ``transfer.part_size``. ``client.…`` means both S3 sides; ``''`` no setting at all,
            but something that the command line itself obeys.
        help: one sentence.
        shape: how it is written.
        parse: makes the value of one text; raises InvalidConfig.
        join: makes one value of all that a MANY option was given; raises InvalidConfig.
        metavar: how help names the value.
        choices: the values allowed, for help and completion; empty where any are.
        also: other spellings, with their dashes.
        constant: what a flag sets.
        optional_value: what an OPTIONAL option means when it stands alone.
        default_text: how help states the default where the settings' own value says too little.
        has_sides: there are ``--source-…`` and ``--dest-…`` forms.
        key: the key of its value, where another command has another option of this name; else made of the name.
        verbs: the commands that take it, a group of `verb_groups`.
    """

    name: str
    path: str
    help: str
    verbs: frozenset[str]
    shape: Shape = Shape.VALUE
    parse: Parse = text
    join: Callable[[Any], object] = tuple
    metavar: str = ""
    choices: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    constant: object = True
    optional_value: str = ""
    default_text: str = ""
    has_sides: bool = False
    key: str = ""

    @property
    def group(self) -> Group:
        """Its heading in help."""
        return _GROUPS.get(self.path.partition(".")[0], Group.COMMAND)

    @property
    def parameter(self) -> str:
        """The key of its value in mappings: ``part_size``."""
        return self.key or self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """The environment variable that sets it: ``ORBIT_PART_SIZE``."""
        return f"ORBIT_{self.parameter.upper()}"

    @property
    def flags(self) -> tuple[str, ...]:
        """Every spelling, short ones first."""
        return tuple(sorted((f"--{self.name}", *self.also), key=lambda flag: flag.startswith("--")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a configuration file gives an option.

    Attributes:
        given: text (VALUE), texts (MANY), text or False (OPTIONAL), bool (FLAG, TOGGLE) or int (COUNT).
        place: file, table and key, for messages.
    """

    given: object
    place: str


class Source(enum.StrEnum):
    """Who gave an option its value; the earlier wins."""

    FLAG = "flag"
    VARIABLE = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The value of an option, and where it comes from. `repr` does not show it: it may be a key.

    Attributes:
        given: what was given: text, texts, bool or int.
        value: as the parser made it; None where the option was set to what it is without it (``ORBIT_JSON=0``).
        source: who gave it.
        place: the flag, the variable, or the file with table and key.
    """

    given: object
    value: object
    source: Source
    place: str

    def __repr__(self) -> str:
        return f"Given({self.place})"


def is_given(value: object) -> bool:
    """Whether a value from the command line says anything: a switch turned off does, a count of 0 does not."""
    if isinstance(value, bool):
        return True
    return bool(value) if isinstance(value, int | tuple) else value is not None


def read_given(option: Option, given: object, origin: str, context: Context) -> object:
    """The value of an option that was given.

    Args:
        option: which.
        given: text (VALUE, OPTIONAL), several texts (MANY), bool (FLAG, TOGGLE) or int (COUNT).
        origin: the flag or variable that gave it, for the error.
        context: what the parser may ask for.

    Raises:
        InvalidConfig: it cannot be used; the message begins with `origin`.
    """
    try:
        if isinstance(given, str):
            return option.parse(given, context)
        if isinstance(given, tuple | list):
            return option.join(tuple(option.parse(each, context) for each in given))
    except InvalidConfig as error:
        raise InvalidConfig(f"{origin}: {error.message}") from None
    return option.constant if option.shape is Shape.FLAG else given


def read_variable(option: Option, value: str, context: Context) -> object:
    """The value that the text of an ``ORBIT_…`` variable gives an option; None where it leaves the option unset.

    Flags are ``1/true/yes/on`` or ``0/false/no/off``; options that may be repeated take one value a line.

    Raises:
        InvalidConfig: it cannot be used.
    """
    if option.shape is Shape.MANY:
        return read_given(option, [line for line in value.split("\n") if line], option.variable, context)
    if option.shape in {Shape.VALUE, Shape.OPTIONAL}:
        return read_given(option, value, option.variable, context)
    if option.shape is Shape.COUNT and value.isascii() and value.isdecimal():
        return int(value[:3]) or None
    word = value.lower()
    if word not in _YES | _NO:
        raise InvalidConfig(f"{option.variable}: {value!r} is neither true nor false")
    if option.shape is Shape.FLAG:
        return option.constant if word in _YES else None
    if option.shape is Shape.COUNT:
        return 1 if word in _YES else None
    return word in _YES


def read_entry(option: Option, entry: Entry, context: Context) -> object:
    """The value that a configuration file gives an option; None where it leaves the option unset.

    Raises:
        InvalidConfig: it cannot be used; the message begins with the place.
    """
    is_switch = option.shape in {Shape.FLAG, Shape.COUNT, Shape.OPTIONAL}
    return None if is_switch and not entry.given else read_given(option, entry.given, entry.place, context)


# --- parsers ---------------------------------------------------------------------------------------------------------


def pattern(value: str, _: Context) -> object:
    """A filter pattern: any text but the empty one."""
    if not value:
        raise InvalidConfig("the pattern is empty")
    return value


def rules(value: str, context: Context) -> object:
    """The rules in the filter file named."""
    try:
        content = context.read_file(value)
    except (OSError, ValueError) as error:
        raise InvalidConfig(f"cannot read {value!r}: {_reason(error)}") from None
    return parse_rules(content, value)


def join_rules(many: tuple[Rules, ...]) -> Rules:
    """The rules of all files named."""
    return tuple(rule for few in many for rule in few)


def integer(minimum: int, maximum: int) -> Parse:
    """A parser of whole numbers within limits."""

    def parse(value: str, _: Context) -> object:
        is_number = value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS
        if not is_number or not minimum <= int(value) <= maximum:
            raise InvalidConfig(f"{value!r} is not a whole number from {minimum} to {maximum}")
        return int(value)

    return parse


def choice(choices: tuple[str, ...], meanings: tuple[object, ...] = ()) -> Parse:
    """A parser of a few words, whatever their case; each stands for the meaning at its place, or for itself."""
    by_word = dict(zip(map(str.lower, choices), meanings or choices, strict=True))

    def parse(value: str, _: Context) -> object:
        if value.lower() not in by_word:
            raise InvalidConfig(f"{value!r} is not one of {', '.join(choices)}")
        return by_word[value.lower()]

    return parse


def size(minimum: int = 0, maximum: int | None = None, *, default_unit: int = 1) -> Parse:
    """A parser of sizes within limits, in bytes; plain numbers count `default_unit` bytes."""

    def parse(value: str, _: Context) -> object:
        count = parse_size(value, default_unit=default_unit)
        if count < minimum:
            raise InvalidConfig(f"{value!r} is less than {format_size(minimum, human=True)}")
        if maximum is not None and count > maximum:
            raise InvalidConfig(f"{value!r} is more than {format_size(maximum, human=True)}")
        return count

    return parse


def rate(value: str, _: Context) -> object:
    """Bytes per second."""
    return parse_rate(value)


def byte_range(value: str, _: Context) -> object:
    """A range of bytes, as HTTP writes it."""
    return parse_range(value)


def delete_limit(value: str, _: Context) -> object:
    """How much ``--max-delete`` allows."""
    return parse_limit(value)


def seconds(value: str, _: Context) -> object:
    """A duration of more than nothing, in seconds."""
    duration_s = float(parse_duration(value))
    if duration_s <= 0:
        raise InvalidConfig(f"{value!r} is not longer than nothing")
    return duration_s


def lifetime(minimum_s: int, maximum_s: int) -> Parse:
    """Whole seconds, or a duration (``24h``, ``7d``), within bounds."""

    def parse(value: str, _: Context) -> object:
        duration_s = parse_duration(value)
        if duration_s != int(duration_s) or not minimum_s <= duration_s <= maximum_s:
            raise InvalidConfig(f"{value!r} is not {minimum_s} to {maximum_s} seconds")
        return int(duration_s)

    return parse


def query(value: str, _: Context) -> object:
    """Text of any number of lines."""
    if not value.strip():
        raise InvalidConfig("the value is empty")
    if "\0" in value:
        raise InvalidConfig("the value holds NUL")
    return value


def delimiter(value: str, _: Context) -> object:
    r"""One character that can stand between fields; ``\t`` is a tab."""
    character = "\t" if value == r"\t" else value
    if len(character) != 1 or character in '\r\n"\0':
        raise InvalidConfig(rf"{value!r} is not one character that can stand between fields (\t is a tab)")
    return character


def age(value: str, context: Context) -> object:
    """A moment, given as a date or as how long ago, in nanoseconds since 1970 UTC."""
    return parse_age(value, context.now_ns())


def pair(value: str, _: Context) -> object:
    """``NAME=VALUE``."""
    name, equals, rest = value.partition("=")
    if not name.strip() or not equals:
        raise InvalidConfig(f"{value!r} is not NAME=VALUE")
    if any(character in value for character in "\r\n\0"):
        raise InvalidConfig(f"{value!r} holds a line break or NUL")
    return name.strip(), rest


def tags(value: str, context: Context) -> object:
    """``NAME=VALUE`` pairs joined by ``&``, which no tag may hold; nothing is percent-decoded."""
    return tuple(pair(each, context) for each in value.split("&"))


def join_tags(many: tuple[tuple[tuple[str, str], ...], ...]) -> tuple[tuple[str, str], ...]:
    """All tags of a repeated option; of two with one name the later holds.

    Raises:
        InvalidConfig: more than S3 keeps for an object.
    """
    joined = dict(each for few in many for each in few)
    if len(joined) > limits.MAX_TAGS:
        raise InvalidConfig(f"{len(joined)} tags, an object has at most {limits.MAX_TAGS}")
    return tuple(joined.items())


def join_pairs(many: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """All pairs of a repeated option; of two with one name the later holds."""
    return tuple(dict(many).items())


def customer_key(value: str, context: Context) -> object:
    """The 32-byte key in the file named: raw, or in base64."""
    try:
        content = context.read_file(value)
    except (OSError, ValueError) as error:
        raise InvalidConfig(f"cannot read {value!r}: {_reason(error)}") from None
    if len(content) == _CUSTOMER_KEY_BYTES:
        return content
    try:
        key = base64.b64decode(content.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _CUSTOMER_KEY_BYTES:
        raise InvalidConfig(f"{value!r} holds no 256-bit key: 32 bytes, or their base64, are expected")
    return key


def _reason(error: Exception) -> str:
    """Why a file cannot be read; a name with NUL is a ValueError."""
    return str(error.strerror) if isinstance(error, OSError) else str(error)
