"""Which objects take part in a job: names, sizes and ages.

Any ``--include`` makes a whitelist, ``--exclude`` wins over it, and the order of the options does not matter. Patterns
are matched on the relative name, anchored at both ends; ``*`` crosses ``/``.
"""

from __future__ import annotations

from orbit_fast.core.location import Wildcard
from orbit_fast.core.settings import SelectionSettings


class Selection:
    """The compiled form of a job's selection settings."""

    __slots__ = ("_exclude", "_has_limits", "_include", "_settings")

    def __init__(self, settings: SelectionSettings) -> None:
        self._settings = settings
        self._include = tuple(Wildcard(pattern) for pattern in settings.include)
        self._exclude = tuple(Wildcard(pattern) for pattern in settings.exclude)
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
        return self.accepts_name(name) and (not self._has_limits or self._is_within(size, mtime_ns))

    def accepts_name(self, name: str) -> bool:
        """Whether the name alone lets the object take part (all that is known of an extra at the destination)."""
        if self._include and not any(pattern.matches(name) for pattern in self._include):
            return False
        return not self._exclude or not any(pattern.matches(name) for pattern in self._exclude)

    def _is_within(self, size: int, mtime_ns: int) -> bool:
        limits = self._settings
        if size < limits.min_size or 0 <= limits.max_size < size:
            return False
        if limits.newer_than_ns and mtime_ns <= limits.newer_than_ns:
            return False
        return not (limits.older_than_ns and mtime_ns >= limits.older_than_ns)

    def __repr__(self) -> str:
        return f"Selection(include={self._settings.include!r}, exclude={self._settings.exclude!r})"
