"""Tasks: the work of commands that move no objects, as values that travel to a worker.

A task says what is wanted and of which site; `orbit_fast.io.tasks` has a flow for each kind. What it found goes out as
finished lines; how it ended is counted in a `Tallied`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Tallied(msgspec.Struct, array_like=True):
    """What a task has come to: its flow counts here as it goes.

    Attributes:
        found: objects (buckets, uploads, versions …) that were looked at or dealt with, and are not counted below.
        copied: objects whose bytes arrived where they should.
        deleted: objects deleted.
        skipped: left as they are.
        failed: those that could not be dealt with.
        denied: of those, for want of permission.
        damaged: of those, with bytes that are not what they should be.
        size: bytes of what was copied.
        unverified: of those found, what only the size could be compared of.
    """

    found: int = 0
    copied: int = 0
    deleted: int = 0
    skipped: int = 0
    failed: int = 0
    denied: int = 0
    damaged: int = 0
    size: int = 0
    unverified: int = 0

    @property
    def ended(self) -> int:
        """Objects that were dealt with, however."""
        return self.found + self.copied + self.deleted + self.skipped + self.failed


class HeadObject(msgspec.Struct, frozen=True, array_like=True, tag="head"):
    """Show everything that is known about an object."""

    site: int
    key: str
    version_id: str = ""


class HeadBucket(msgspec.Struct, frozen=True, array_like=True, tag="head-bucket"):
    """Show what is known about a bucket."""

    site: int


class ListBuckets(msgspec.Struct, frozen=True, array_like=True, tag="ls-buckets"):
    """Show the caller's buckets; the site is one without a bucket."""

    site: int


class ListObjects(msgspec.Struct, frozen=True, array_like=True, tag="ls"):
    """Show what a key, prefix or wildcard stands for; how it is read and what is shown, the settings say."""

    site: int
    key: str


class CountObjects(msgspec.Struct, frozen=True, array_like=True, tag="du"):
    """Add up what a key, prefix or wildcard stands for."""

    site: int
    key: str


class RemoveObjects(msgspec.Struct, frozen=True, array_like=True, tag="rm"):
    """Delete what keys, prefixes or wildcards of one bucket stand for.

    Attributes:
        site: the bucket.
        keys: of each argument, in the user's order.
        is_all: there are no arguments beside these.
    """

    site: int
    keys: tuple[str, ...]
    is_all: bool = True


class Presign(msgspec.Struct, frozen=True, array_like=True, tag="presign"):
    """Make a URL that is good for one request.

    Attributes:
        site: the bucket.
        key: of the object, which need not be there.
        version_id: or ``''``.
    """

    site: int
    key: str
    version_id: str = ""


class Root(msgspec.Struct, frozen=True, array_like=True):
    """One side of a comparison: exactly one of site, path and manifest says where it is.

    Attributes:
        site: the bucket, or -1.
        key: there: the prefix, ending in ``/`` or empty; or the one key.
        path: a local directory, ending in ``/``; or the one file.
        manifest: a list's path.
        is_one: only the one object or file itself is meant.
    """

    site: int = -1
    key: str = ""
    path: bytes = b""
    manifest: bytes = b""
    is_one: bool = False


class CompareSides(msgspec.Struct, frozen=True, array_like=True, tag="verify"):
    """Compare everything below two roots, by checksums."""

    first: Root
    second: Root


class MakeBucket(msgspec.Struct, frozen=True, array_like=True, tag="mb"):
    """Make the site's bucket, in the site's region."""

    site: int


class RemoveBucket(msgspec.Struct, frozen=True, array_like=True, tag="rb"):
    """Remove the site's bucket, where the settings say so with everything in it."""

    site: int


class ListUploads(msgspec.Struct, frozen=True, array_like=True, tag="uploads"):
    """Show the unfinished uploads below a key, prefix or wildcard, or abort them where the settings say so."""

    site: int
    key: str


class RestoreObjects(msgspec.Struct, frozen=True, array_like=True, tag="restore"):
    """Have archived objects restored, or tell how far that is.

    Attributes:
        site: the bucket.
        key: a key, prefix or wildcard.
        version_id: of a key, or ``''``.
    """

    site: int
    key: str
    version_id: str = ""


class ListVersions(msgspec.Struct, frozen=True, array_like=True, tag="versions-list"):
    """Show the versions and delete markers of a key, prefix or wildcard."""

    site: int
    key: str


class CompareVersions(msgspec.Struct, frozen=True, array_like=True, tag="versions-diff"):
    """Compare two versions of an object.

    Attributes:
        site: the bucket.
        key: of the object.
        first: a version's id.
        second: another's, or ``''`` for the current one.
    """

    site: int
    key: str
    first: str
    second: str = ""


class ShowVersioning(msgspec.Struct, frozen=True, array_like=True, tag="versions-status"):
    """Tell whether the site's bucket keeps versions."""

    site: int


class SetVersioning(msgspec.Struct, frozen=True, array_like=True, tag="versions-set"):
    """Have the site's bucket keep versions, or make no new ones.

    Attributes:
        site: the bucket.
        state: ``Enabled`` or ``Suspended``.
    """

    site: int
    state: str


class SelectRecords(msgspec.Struct, frozen=True, array_like=True, tag="select"):
    """Ask the content of objects by SQL; what is asked the settings say.

    Attributes:
        site: the bucket.
        key: a key or wildcard.
        input_format: of the objects: ``csv``, ``json`` or ``parquet``.
    """

    site: int
    key: str
    input_format: str


class LookForKeys(msgspec.Struct, frozen=True, array_like=True, tag="look-for-keys"):
    """See that the source of a sync has none of these keys, which its listing did not name.

    Attributes:
        site: the bucket.
        keys: in full.
    """

    site: int
    keys: tuple[str, ...]


class LookForFiles(msgspec.Struct, frozen=True, array_like=True, tag="look-for-files"):
    """The same on a local disk.

    Attributes:
        site: one of the job's; nothing is asked of it.
        root: the source directory.
        names: relative names, with ``/`` at the end of a directory's.
    """

    site: int
    root: bytes
    names: tuple[str, ...]


class RemoveExtraKeys(msgspec.Struct, frozen=True, array_like=True, tag="rm-extra-keys"):
    """Delete what only the destination of a sync has, in S3: up to a thousand keys, if they still are what was listed.

    Attributes:
        site: the bucket.
        extras: keys and their ETags.
    """

    site: int
    extras: tuple[tuple[str, str], ...]


class RemoveExtraFiles(msgspec.Struct, frozen=True, array_like=True, tag="rm-extra-files"):
    """The same on a local disk.

    Attributes:
        site: one of the job's; nothing is asked of it.
        root: the destination directory.
        extras: paths below it, sizes in bytes, times of modification and of change in nanoseconds.
    """

    site: int
    root: bytes
    extras: tuple[tuple[bytes, int, int, int], ...]


Task = (
    HeadObject
    | LookForFiles
    | LookForKeys
    | RemoveExtraFiles
    | RemoveExtraKeys
    | HeadBucket
    | ListBuckets
    | ListObjects
    | CountObjects
    | RemoveObjects
    | Presign
    | CompareSides
    | ListUploads
    | MakeBucket
    | RemoveBucket
    | RestoreObjects
    | ListVersions
    | CompareVersions
    | ShowVersioning
    | SetVersioning
    | SelectRecords
)


def task_at(task: Task, numbers: Sequence[int]) -> Task:
    """The task with the numbers that its sites have in another job."""
    if isinstance(task, CompareSides):
        first, second = (
            msgspec.structs.replace(root, site=numbers[root.site]) if root.site >= 0 else root
            for root in (task.first, task.second)
        )
        return CompareSides(first, second)
    if isinstance(task, RemoveExtraFiles | LookForFiles):
        return task
    moved: Task = msgspec.structs.replace(task, site=numbers[task.site])
    return moved
