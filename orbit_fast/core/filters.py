"""Which objects take part in a job: names, sizes and ages.

Any ``--include`` makes a whitelist, ``--exclude`` wins over it, and the order of the options does not matter. Patterns
are matched on the relative name, anchored at both ends; ``*`` crosses ``/`` and ``?`` is one character, ``/`` too.

A filter file holds one rule a line: ``+ PATTERN`` is an ``--include``, ``- PATTERN`` an ``--exclude``. Blank lines and
lines that begin with ``#`` say nothing. The pattern is what follows the sign and the blanks behind it, to the end of
the line; blanks at its end belong to it. A file is UTF-8, its lines end in LF or CRLF.
"""

from __future__ import annotations

from typing import Final

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.location import Wildcard
from orbit_fast.core.settings import SelectionSettings

Rules = tuple[tuple[str, str], ...]
"""Signs and patterns: ``("+", "*.txt")`` includes, ``("-", "tmp/*")`` excludes."""

_SIGNS: Final = frozenset("+-")
_BLANKS: Final = " \t"


def parse_rules(content: bytes, title: str) -> Rules:
    """The rules in a filter file.

    Args:
        content: of the file.
        title: what the user called it, for errors.

    Raises:
        InvalidConfig: a line is no rule; it is named by its number.
    """
    rules = []
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            line = raw.removesuffix(b"\r").decode("utf-8").lstrip(_BLANKS)
        except UnicodeDecodeError:
            raise InvalidConfig(f"{title}:{number}: not UTF-8") from None
        if not line or line[0] == "#":
            continue
        sign, pattern = line[0], line[1:].lstrip(_BLANKS)
        if sign not in _SIGNS or not pattern or line[1] not in _BLANKS:
            raise InvalidConfig(f"{title}:{number}: expected '+ PATTERN' or '- PATTERN', found {line[:80]!r}")
        rules.append((sign, pattern))
    return tuple(rules)


def _compiled(settings: SelectionSettings, sign: str) -> tuple[Wildcard, ...]:
    """The patterns of one kind, from options and files; mostly there are none."""
    patterns = settings.include if sign == "+" else settings.exclude
    if settings.rules:
        patterns += tuple(pattern for each, pattern in settings.rules if each == sign)
    return tuple(map(Wildcard, patterns)) if patterns else ()


class Selection:
    """The compiled form of a job's selection settings."""

    __slots__ = ("_exclude", "_has_limits", "_include", "_settings")

    def __init__(self, settings: SelectionSettings) -> None:
        self._settings = settings
        self._include, self._exclude = _compiled(settings, "+"), _compiled(settings, "-")
        self._has_limits = bool(
            settings.min_size > 0 or settings.max_size >= 0 or settings.newer_than_ns or settings.older_than_ns
        )

    def accepts(self, name: str, size: int, mtime_ns: int) -> bool:
        """Whether the object takes part.

        Args:
            name: relative name.
            size: bytes.
            mtime_ns: last modification, nanoseconds since 1970 UTC.
        """
        return self.accepts_name(name) and self.accepts_facts(size, mtime_ns)

    def accepts_name(self, name: str) -> bool:
        """Whether the name alone lets the object take part (all that is known of an extra at the destination)."""
        if self._include and not any(pattern.matches(name) for pattern in self._include):
            return False
        return not self._exclude or not any(pattern.matches(name) for pattern in self._exclude)

    def accepts_facts(self, size: int, mtime_ns: int) -> bool:
        """Whether its size and age let the object take part."""
        if not self._has_limits:
            return True
        limits = self._settings
        if size < limits.min_size or 0 <= limits.max_size < size:
            return False
        if limits.newer_than_ns and mtime_ns <= limits.newer_than_ns:
            return False
        return not (limits.older_than_ns and mtime_ns >= limits.older_than_ns)

    def __repr__(self) -> str:
        include = [pattern.pattern for pattern in self._include]
        return f"Selection(include={include!r}, exclude={[pattern.pattern for pattern in self._exclude]!r})"
