"""What to do with one object that was selected: copy it, or leave it and say why.

Conditions combine: every one that the user set must allow the copy. Times are compared in whole seconds, because that
is all that Last-Modified has.

A mode says what a pair needs to be copied, before any condition is asked:

* ``copy`` nothing: every object is copied;
* ``update`` the source is newer;
* ``sync`` and ``mirror`` it is *different*: its size differs, or the source is newer. ``--size-only`` leaves the time
  out; ``--checksum`` puts the content in its place.

Sizes and times come with the listings, so most pairs cost nothing. Some cannot be decided on them, and the answer is
`Verdict.ASK`: a worker looks at that pair alone. These are

* all pairs of one size, with ``--checksum``;
* pairs of one size whose source, an S3 object, is newer: Last-Modified is when the object was *uploaded*, so after a
  ``sync`` up every object is newer than its file. What is asked is the time in the object's metadata
  (``--preserve-metadata``), and where the destination is a local disk, whether the file has the content of the ETag,
  which costs no request. So a sync up and a sync down after it copy nothing.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from dataclasses import field
from typing import Final
from typing import Protocol

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.settings import SelectionSettings

COPY: Final = ""
EXISTS: Final = "exists"
SAME_SIZE: Final = "same-size"
NOT_NEWER: Final = "not-newer"
GLACIER: Final = "glacier"

_NS: Final = 1_000_000_000

# GLACIER_IR is not among them: it reads at once.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html
ARCHIVE_CLASSES: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})


def decide(source: tuple[int, int], dest: tuple[int, int] | None, selection: SelectionSettings) -> str:
    """Why the object is left as it is, or ``''`` when it is to be copied.

    Args:
        source: size in bytes and modification time in nanoseconds.
        dest: the same of what stands at the destination, or None where nothing does.
        selection: the conditions.

    Returns:
        `COPY`, `EXISTS`, `SAME_SIZE` or `NOT_NEWER`: the first condition, in this order, that forbids the copy.
    """
    if dest is None:
        return COPY
    if selection.no_clobber:
        return EXISTS
    if selection.if_size_differ and source[0] == dest[0]:
        return SAME_SIZE
    if selection.if_source_newer and not is_newer(source[1], dest[1]):
        return NOT_NEWER
    return COPY


def needs_destination(selection: SelectionSettings) -> bool:
    """Whether `decide` has to be told what stands at the destination; otherwise nobody needs to look."""
    return selection.no_clobber or selection.if_size_differ or selection.if_source_newer


def is_newer(mtime_ns: int, than_ns: int) -> bool:
    """Whether one modification time is later than another, in whole seconds."""
    return mtime_ns // _NS > than_ns // _NS


class Mode(enum.StrEnum):
    """What a job does with its objects."""

    COPY = "copy"
    """Everything is copied."""
    UPDATE = "update"
    """What is missing or newer."""
    SYNC = "sync"
    """What is missing or different."""
    MIRROR = "mirror"
    """As `SYNC`, and what is only at the destination is deleted."""


class Verdict(enum.Enum):
    """What is to be done with an object that both sides have. The value is the reason for leaving it as it is."""

    COPY = ""
    ASK = "ask"
    """The listings do not tell: somebody has to look at this pair."""
    EXISTS = EXISTS
    SAME_SIZE = SAME_SIZE
    NOT_NEWER = NOT_NEWER
    IDENTICAL = "identical"

    @property
    def reason(self) -> str:
        """Why it is left as it is."""
        return self.value


class Sighting(Protocol):
    """What a listing or a walk tells of an object: `core.model.Entry`, `io.walk.WalkEntry`."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def mtime_ns(self) -> int:
        """When it was modified last, nanoseconds since 1970 UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How pairs are compared: the mode, the options that change it, and the conditions.

    Attributes:
        mode: of the job.
        size_only: the size alone makes a difference.
        checksum: the content makes a difference, not the time.
        asks_when_newer: what a newer source means cannot be told from the listings (see above).
        conditions: ``--no-clobber``, ``--if-size-differ``, ``--if-source-newer``.
    """

    mode: Mode = Mode.SYNC
    size_only: bool = False
    checksum: bool = False
    asks_when_newer: bool = False
    conditions: SelectionSettings = field(default_factory=SelectionSettings)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant together.

        Raises:
            InvalidConfig: with the reason.
        """
        if self.size_only and self.checksum:
            raise InvalidConfig("--size-only and --checksum cannot both say what makes a difference")
        if (self.size_only or self.checksum) and self.mode in {Mode.COPY, Mode.UPDATE}:
            option = "--size-only" if self.size_only else "--checksum"
            raise InvalidConfig(f"{option} changes what sync compares, and --mode {self.mode} does not compare it")

    def judge(self, source: Sighting, dest: Sighting) -> Verdict:
        """What to do with an object that both sides have. Called for every pair of a sync: 0.3 us."""
        conditions = self.conditions
        if conditions.no_clobber:
            return Verdict.EXISTS
        is_same_size = source.size == dest.size
        if conditions.if_size_differ and is_same_size:
            return Verdict.SAME_SIZE
        # The same as `is_newer`, without the call.
        is_source_newer = source.mtime_ns // _NS > dest.mtime_ns // _NS
        if conditions.if_source_newer and not is_source_newer:
            return Verdict.NOT_NEWER
        return self._compare(is_same_size=is_same_size, is_source_newer=is_source_newer)

    def _compare(self, *, is_same_size: bool, is_source_newer: bool) -> Verdict:
        """What the mode says."""
        if self.mode is Mode.COPY:
            return Verdict.COPY
        if self.mode is Mode.UPDATE:
            if not is_source_newer:
                return Verdict.NOT_NEWER
        elif is_same_size and (self.size_only or not (self.checksum or is_source_newer)):
            return Verdict.IDENTICAL
        is_open = is_same_size and (self.checksum or self.asks_when_newer)
        return Verdict.ASK if is_open else Verdict.COPY


def is_archived(storage_class: str, restore: str = "") -> bool:
    """Whether the object must be restored before it can be read.

    Args:
        storage_class: S3's name, ``''`` for STANDARD.
        restore: value of ``x-amz-restore``: ``ongoing-request="false"`` means that a restored copy can be read.
    """
    return storage_class in ARCHIVE_CLASSES and 'ongoing-request="false"' not in restore.replace(" ", "").lower()


def decide_archived(storage_class: str, restore: str, selection: SelectionSettings) -> str:
    """`GLACIER` when the object cannot be read as it is stored, and the user did not insist on trying; else ``''``."""
    if selection.force_glacier_transfer or not is_archived(storage_class, restore):
        return COPY
    return GLACIER
