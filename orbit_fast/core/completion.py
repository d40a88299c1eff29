"""What could come next on an unfinished command line.

`understand` reads the words before the cursor as the command would, but takes nothing amiss: what is wrong on the line
is the command's to say. What only the machine or a service knows (files, keys) is named in the answer, not looked up.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from orbit_fast.core.options import general_options
from orbit_fast.core.options import options_of
from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape
from orbit_fast.core.verb_groups import LOCAL
from orbit_fast.core.verb_groups import TWO_SIDED
from orbit_fast.core.verb_groups import URLS

SCHEME = "s3://"

_TRANSFER = "cp"
_ENDS = ("--source", "--dest")
"""Options of ``orbit`` itself that name what is copied, and where to."""

_MODE = "--mode"
_VALUED = frozenset({Shape.VALUE, Shape.MANY})


class Kind(enum.Enum):
    """What the word at the cursor is."""

    WORDS = "one of a few words"
    FILE = "a local file"
    LOCATION = "a local file or an S3 URL"
    URL = "an S3 URL"
    NOTHING = "nothing that could be guessed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to go on.

    Attributes:
        text: the whole word.
        help: what it means, in a few words.
    """

    text: str
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What may stand at the cursor.

    Attributes:
        kind: what it is.
        candidates: the words, where it is one of a few; they begin with what is there already.
        word: what is there already, less `prefix`.
        prefix: ``--option=``, where the word is an option with its value.
        verb: the command, or ``''``.
        flags: the options before the cursor, as the option table is given them.
        is_destination: the word is the destination of a two-sided command.
    """

    kind: Kind
    candidates: tuple[Candidate, ...] = ()
    word: str = ""
    prefix: str = ""
    verb: str = ""
    flags: Mapping[str, object] = field(default_factory=dict)
    is_destination: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is known of a command.

    Attributes:
        summary: one line.
        words: what its first argument is one of, or nothing where it is none of a few words.
    """

    summary: str
    words: tuple[str, ...] = ()


class _Line:
    """The words before the cursor, read."""

    def __init__(self, words: Sequence[str], commands: Mapping[str, Command]) -> None:
        self.verb = ""
        self.flags: dict[str, object] = {}
        self.arguments: list[str] = []
        self.is_ended = False  # by "--"
        self.open = ""  # an option whose value the next word is
        self._commands = commands
        for word in words:
            self._take(word)

    def option(self, flag: str) -> Option | None:
        """The option that is spelled so here."""
        return next((option for option in self.options() if flag in _spellings(option)), None)

    def options(self) -> tuple[Option, ...]:
        """The options that may stand here."""
        return options_of(self.verb) if self.verb else general_options()

    def _take(self, word: str) -> None:
        if self.open:
            self._set(self.open, word)
            self.open = ""
        elif self.is_ended or not word.startswith("-") or word == "-":
            self._argue(word)
        elif word == "--":
            self.is_ended = True
        else:
            flag, equals, value = word.partition("=")
            if equals:
                self._set(flag, value)
            elif flag in {*_ENDS, _MODE} and not self.verb:
                self.open = flag
            else:
                option = self.option(flag)
                if option is not None and option.shape in _VALUED:
                    self.open = flag
                else:
                    self._set(flag, None)

    def _argue(self, word: str) -> None:
        if self.verb:
            self.arguments.append(word)
        else:
            self.verb = word if word in self._commands else "?"

    def _set(self, flag: str, value: str | None) -> None:
        option = self.option(flag)
        if option is None:
            return
        if option.shape is Shape.MANY:
            before = self.flags.get(option.parameter, ())
            self.flags[option.parameter] = (*before, value) if isinstance(before, tuple) else (value,)
        elif option.shape in {Shape.VALUE, Shape.OPTIONAL}:
            self.flags[option.parameter] = value if value is not None else option.optional_value
        elif option.shape is Shape.TOGGLE:
            self.flags[option.parameter] = not flag.startswith("--no-")
        else:
            self.flags[option.parameter] = 1 if option.shape is Shape.COUNT else True


def understand(words: Sequence[str], commands: Mapping[str, Command]) -> Guess:
    """What may stand at the cursor.

    Args:
        words: from behind ``orbit`` to the cursor, unquoted; the last is the one that the cursor is in, maybe ``''``.
        commands: by name.
    """
    line, word = _Line(words[:-1], commands), words[-1]
    if line.open:
        return _value_of(line, line.open, word)
    if not line.is_ended and word.startswith("-"):
        flag, equals, value = word.partition("=")
        if equals:
            return _value_of(line, flag, value, prefix=f"{flag}=")
        return _words(_flags(line), word, line.verb)
    return _argument(line, word, commands)


def _argument(line: _Line, word: str, commands: Mapping[str, Command]) -> Guess:
    """The command itself, or one of its arguments."""
    if not line.verb:
        return _words((Candidate(text=name, help=each.summary) for name, each in commands.items()), word, "")
    command = commands.get(line.verb)
    if command is not None and command.words and not line.arguments:
        return _words((Candidate(text=each) for each in command.words), word, line.verb)
    kind = {
        (True, True): Kind.LOCATION,
        (True, False): Kind.FILE,
        (False, True): Kind.URL,
        (False, False): Kind.NOTHING,
    }[(line.verb in LOCAL, line.verb in URLS)]
    is_destination = line.verb in TWO_SIDED and bool(line.arguments)
    return Guess(kind=kind, word=word, verb=line.verb, flags=line.flags, is_destination=is_destination)


def _words(candidates: Iterator[Candidate], word: str, verb: str, prefix: str = "") -> Guess:
    fitting = tuple(each for each in candidates if each.text.lower().startswith((prefix + word).lower()))
    return Guess(kind=Kind.WORDS, candidates=fitting, word=word, prefix=prefix, verb=verb)


def _flags(line: _Line) -> Iterator[Candidate]:
    for option in line.options():
        for flag in _spellings(option):
            yield Candidate(text=flag, help=option.help)
    yield Candidate(text="--help", help="Show help.")
    if not line.verb:
        yield Candidate(text="--version", help="Say which version.")
        yield Candidate(text="--source", help="What to copy.")
        yield Candidate(text="--dest", help="Where to.")


def _spellings(option: Option) -> tuple[str, ...]:
    off = (f"--no-{option.name}",) if option.shape is Shape.TOGGLE else ()
    return (f"--{option.name}", *off, *option.also)


def _value_of(line: _Line, flag: str, value: str, prefix: str = "") -> Guess:
    """What an option's value may be."""
    if flag in _ENDS and not line.verb:
        is_destination = flag == _ENDS[1]
        return Guess(
            kind=Kind.LOCATION,
            word=value,
            prefix=prefix,
            verb=_TRANSFER,
            flags=line.flags,
            is_destination=is_destination,
        )
    option = line.option(flag)
    if option is None:
        return Guess(kind=Kind.NOTHING)
    if option.metavar == "FILE":
        return Guess(kind=Kind.FILE, word=value, prefix=prefix, verb=line.verb)
    return _words((Candidate(text=f"{prefix}{each}") for each in option.choices), value, line.verb, prefix)
