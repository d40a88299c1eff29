"""The lines of ``run``: words as a shell would split them, and the options among them.

Splitting is the shell's without its expansions: quotes, backslashes, and ``#`` at the beginning of a word for a
comment; no variables, no globs (wildcards are the command's own business).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Final

from orbit_fast.core.errors import InvalidConfig

_SPECIAL: Final = re.compile(r"""['"\\#\0]""")
_ESCAPED_IN_QUOTES: Final = '"\\$`\n'
"""What a backslash escapes between double quotes; before anything else there it stands for itself."""

S5CMD: Final[Mapping[str, Mapping[str, str]]] = {
    "cp": {
        "-c": "--concurrency",
        "-f": "--flatten",
        "-p": "--part-size",
        "-s": "--if-size-differ",
        "-u": "--if-source-newer",
        "--destination-region": "--dest-region",
        "--expires": "--expires-header",
        "--show-progress": "--progress",
        "-sp": "--progress",
    },
    "du": {"--humanize": "--human-readable"},
    "ls": {"--humanize": "--human-readable"},
    "presign": {"--expire": "--expires"},
    "select": {"-e": "--query"},
    "sync": {"--destination-region": "--dest-region"},
}
"""How s5cmd spells options that are called otherwise here. ``mv`` has those of ``cp``."""

_VERSIONING: Final = {"enabled": "enable", "suspended": "suspend"}

_NO_EFFECT: Final = frozenset({"--no-follow-symlinks"})
"""Options of s5cmd that ask for what is so anyway."""


def split_line(text: str) -> list[str]:
    """The words of a line; none where it is empty or a comment.

    Raises:
        InvalidConfig: a quote is not closed, a backslash ends the line, or there is a NUL in it.
    """
    if _SPECIAL.search(text) is None:
        return text.split()
    if "\0" in text:
        raise InvalidConfig("there is a NUL in the line, which no command can have: is this the right file?")
    return _Splitter(text).words()


class _Splitter:
    """One line on its way into words."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def words(self) -> list[str]:
        found: list[str] = []
        while self._skip_space():
            if self._text[self._at] == "#":
                break
            found.append(self._word())
        return found

    def _skip_space(self) -> bool:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._at < len(self._text)

    def _word(self) -> str:
        pieces: list[str] = []
        while self._at < len(self._text) and not self._text[self._at].isspace():
            char = self._next()
            if char == "'":
                pieces.append(self._until("'"))
            elif char == '"':
                pieces.append(self._quoted())
            elif char == "\\":
                pieces.append(self._next())
            else:
                pieces.append(char)
        return "".join(pieces)

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise InvalidConfig("the line ends with a backslash, or inside a quotation")
        self._at += 1
        return self._text[self._at - 1]

    def _until(self, end: str) -> str:
        start = self._at
        self._at = self._text.find(end, start) + 1
        if not self._at:
            raise InvalidConfig(f"a quotation is not closed: {end}")
        return self._text[start : self._at - 1]

    def _quoted(self) -> str:
        pieces: list[str] = []
        while (char := self._next()) != '"':
            if char == "\\":
                char = self._next()
                if char not in _ESCAPED_IN_QUOTES:
                    char = "\\" + char
            pieces.append(char)
        return "".join(pieces)


def has_options(words: Sequence[str]) -> bool:
    """Whether one of them begins like an option: most lines have none."""
    return " -" in f" {' '.join(words)}"


def part_options(words: Sequence[str], takes_value: Mapping[str, bool]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Options, with their values, and arguments.

    Args:
        words: of a line, after the command.
        takes_value: every flag of the command; whether a value follows it as a word of its own. A flag that is not
            here is taken for one without a value: whoever reads the options will refuse it.
    """
    options: list[str] = []
    arguments: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            arguments.extend(rest)
        elif not word.startswith("-") or word == "-":
            arguments.append(word)
        else:
            options.append(word)
            if takes_value.get(word, False):
                options.extend(value for _, value in zip(range(1), rest, strict=False))
    return tuple(options), tuple(arguments)


def renamed(words: Sequence[str]) -> list[str]:
    """The words of a line whose command s5cmd calls otherwise (``bucket-version``), as they are called here."""
    if not words or words[0] != "bucket-version":
        return list(words)
    word, rest, expects_state = "status", [], False
    for each in words[1:]:
        name, equals, value = each.partition("=")
        if name in {"--set", "-set"} and not expects_state:
            expects_state = not equals
            word = _VERSIONING.get(value.lower(), value) if equals else word
        elif expects_state:
            word, expects_state = _VERSIONING.get(each.lower(), each), False
        else:
            rest.append(each)
    return ["versions", word, *rest]


def translated(verb: str, words: Sequence[str]) -> list[str]:
    """The words of a line with s5cmd's spellings of options in ours."""
    spellings = S5CMD.get("cp" if verb == "mv" else verb, {})
    found: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if name not in _NO_EFFECT:
            found.append(spellings.get(name, name) + equals + value)
    return found
