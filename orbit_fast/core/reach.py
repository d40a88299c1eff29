"""What the argument of a command that lists means: which listings to ask for, and what of them belongs to it.

A command that looks (``ls``), adds up (``du``) or deletes (``rm``) reads its argument in one of four ways:

=========== ========================== ==================================================================
a directory ``ls s3://b/lo``           what begins with the text, up to the next ``/``: ``log``, ``logs/``
a tree      ``rm -R s3://b/logs``      the key ``logs`` itself and everything under ``logs/``, never ``logs2``
a wildcard  ``rm 's3://b/logs/*.gz'``  what the pattern matches
a key       ``rm s3://b/logs``         exactly that key; of use where it has versions
=========== ========================== ==================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orbit_fast.core.location import KeySource
from orbit_fast.core.location import S3Url
from orbit_fast.core.location import SourceKind
from orbit_fast.core.location import Wildcard
from orbit_fast.core.location import has_wildcard
from orbit_fast.core.names import base_name
from orbit_fast.core.settings import SelectionSettings

DELIMITER: Final = "/"


@dataclass(frozen=True, slots=True)
class Stretch:
    """One listing to ask for.

    Attributes:
        prefix: of the keys.
        delimiter: ``/`` or ``''``.
        is_exact: only the key that is the prefix itself is meant.
    """

    prefix: str
    delimiter: str = ""
    is_exact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What an argument means.

    Attributes:
        url: the argument.
        stretches: the listings, in the order of keys.
        wildcard: what keys must match, or None.
        under: so many characters at the beginning of keys are not part of their relative names.
    """

    url: S3Url
    stretches: tuple[Stretch, ...]
    wildcard: Wildcard | None = None
    under: int = 0

    @property
    def is_bucket(self) -> bool:
        """Whether all of the bucket is meant: that there is nothing in it is no error."""
        return not self.url.key

    def holds(self, key: str) -> bool:
        """Whether a key that was listed together with others is meant."""
        if self.wildcard is not None:
            return self.wildcard.matches(key)
        return any(key == one.prefix if one.is_exact else key.startswith(one.prefix) for one in self.stretches)

    def relative_name(self, key: str) -> str:
        """How a listed key or common prefix is called: what filters match, and what is shown."""
        return key[self.under :] or base_name(key)


def tree(url: S3Url) -> Reach:
    """The key and everything under it; all of the bucket where there is no key."""
    source = KeySource(url, SourceKind.TREE)
    own = (Stretch(source.single_key, is_exact=True),) if source.single_key else ()
    prefix = source.list_prefix or ""
    return Reach(url=url, stretches=(*own, Stretch(prefix)), under=len(prefix))


def directory(url: S3Url) -> Reach:
    """What a directory's listing shows: keys that begin with the text, up to the next ``/``."""
    return Reach(url=url, stretches=(Stretch(url.key, DELIMITER),), under=url.key.rfind(DELIMITER) + 1)


def one_key(url: S3Url) -> Reach:
    """Exactly this key."""
    return Reach(url=url, stretches=(Stretch(url.key, is_exact=True),), under=len(url.key) - len(base_name(url.key)))


def pattern(url: S3Url) -> Reach:
    """What the wildcard matches."""
    prefix = KeySource(url, SourceKind.WILDCARD).list_prefix or ""
    under = prefix.rfind(DELIMITER) + 1
    return Reach(url=url, stretches=(Stretch(prefix),), wildcard=Wildcard(url.key), under=under)


def shown(url: S3Url, selection: SelectionSettings) -> Reach:
    """What ``ls`` shows."""
    if _is_pattern(url, selection):
        return pattern(url)
    return tree(url) if selection.recursive else directory(url)


def counted(url: S3Url, selection: SelectionSettings) -> Reach:
    """What ``du`` adds up."""
    return pattern(url) if _is_pattern(url, selection) else tree(url)


def removed(url: S3Url, selection: SelectionSettings) -> Reach:
    """What ``rm`` deletes."""
    if _is_pattern(url, selection):
        return pattern(url)
    return tree(url) if selection.recursive else one_key(url)


def _is_pattern(url: S3Url, selection: SelectionSettings) -> bool:
    return not selection.raw and has_wildcard(url.key)


def is_filtered(selection: SelectionSettings) -> bool:
    """Whether any filter can leave something out."""
    wanted = (selection.include, selection.exclude, selection.rules)
    return any(wanted) or has_limits(selection)


def has_limits(selection: SelectionSettings) -> bool:
    """Whether a filter looks at sizes or ages, which are known of listed objects only."""
    return bool(selection.min_size > 0 or selection.max_size >= 0 or selection.newer_than_ns or selection.older_than_ns)
