"""One name that both sides have, compared by what costs least: sizes, what services store, the bytes of local files.

The bytes of objects are read with ``--read`` only.

A local file is hashed as the other side's checksum was: whole, or in the parts that a composite checksum or a multipart
ETag was made of. That is done in threads (`io.aside`), many files at once.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from orbit_fast.core import encode
from orbit_fast.core import etag
from orbit_fast.core.checksum import Hasher
from orbit_fast.core.checksum import composite
from orbit_fast.core.checksum import etag_of_parts
from orbit_fast.core.checksum import new_hasher
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Verified
from orbit_fast.core.tasks import Root
from orbit_fast.core.verification import UNPROVEN
from orbit_fast.core.verification import Known
from orbit_fast.core.verification import Result
from orbit_fast.core.verification import Verdict
from orbit_fast.core.verification import compare_known
from orbit_fast.core.verification import compare_sizes
from orbit_fast.core.verification import differ
from orbit_fast.core.verification import known_object
from orbit_fast.core.verification import whole_sum
from orbit_fast.io.aside import SMALL_BYTES
from orbit_fast.io.aside import FileAside
from orbit_fast.io.aside import is_same_content
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.proof import prove_file
from orbit_fast.io.sinks import Md5
from orbit_fast.io.sources import SourceFile
from orbit_fast.io.sources import open_source
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import head
from orbit_fast.io.verify_sides import key_of

READ_ALGORITHM = "SHA256"
"""For bytes that are read only to be compared with other bytes that are."""


@dataclass(slots=True)
class _Thing:
    """A name on one side: what is known of it, and the open file where it is one."""

    root: Root
    known: Known
    file: SourceFile | None = None


def compare_pair(around: Surroundings, roots: tuple[Root, Root], pair: tuple[Known, Known]) -> Flow[Verdict]:
    """Compare.

    Raises:
        S3Error: something could not be read, or asked.
    """
    by_size = compare_sizes(*pair)
    if by_size is not None:
        return by_size
    if not around.settings.verify.read and (yield from _is_proven_by_listing(around, roots, pair)):
        return Verdict(Result.MATCH, Verified.ETAG)
    first, second = (_Thing(root, known) for root, known in zip(roots, pair, strict=True))
    with contextlib.ExitStack() as stack:
        for thing in (first, second):
            if thing.root.path:
                follow = around.settings.selection.follow_symlinks
                thing.file = stack.enter_context(open_source(thing.known.name, follow_symlinks=follow))
                thing.known = Known(thing.known.name, thing.file.size, thing.file.mtime_ns)
            elif thing.root.site >= 0:
                facts = yield from head(around, thing.root.site, key_of(thing.root, thing.known))
                thing.known = known_object(thing.known.name, facts)
        verdict = yield from _compare(around, first, second)
        for thing in (first, second):
            if thing.file is not None:
                thing.file.check_unchanged()
        return verdict


def _is_proven_by_listing(around: Surroundings, roots: tuple[Root, Root], pair: tuple[Known, Known]) -> Flow[bool]:
    """Whether the ETags that were listed prove that the two are the same: most objects, and nobody need be asked.

    An ETag that is no MD5, for the object is encrypted with a key of its own, equals no other object's, and no MD5.
    """
    if any(root.site >= 0 and around.sites[root.site].is_directory for root in roots):
        return False
    if not (roots[0].path or roots[1].path):
        first, second = (known.etag for known in pair)
        return first == second and bool(etag.is_md5(first) or etag.parts_of(first))
    (root, file), (_, other) = sorted(zip(roots, pair, strict=True), key=lambda side: not side[0].path)
    if not root.path or other.size > SMALL_BYTES or not etag.is_md5(other.etag):
        return False
    with open_source(file.name, follow_symlinks=around.settings.selection.follow_symlinks) as source:
        [value] = yield from FileAside(source).pieces(source.size, max(source.size, 1), "MD5")
        source.check_unchanged()
        return value == other.etag


def _compare(around: Surroundings, first: _Thing, second: _Thing) -> Flow[Verdict]:
    by_size = compare_sizes(first.known, second.known)
    if by_size is not None:
        return by_size
    if first.file is not None and second.file is not None:
        is_same = yield from is_same_content(first.file, second.file)
        return Verdict(Result.MATCH, Verified.CHECKSUM) if is_same else differ("checksum", "other bytes", "these")
    reads = around.settings.verify.read and (first.root.site >= 0 or second.root.site >= 0)
    if reads:
        return (yield from _compare_read(around, first, second))
    if first.file is None and second.file is None:
        return compare_known(first.known, second.known)
    is_file_first = first.file is not None
    file, other = (first.file, second) if is_file_first else (second.file, first)
    assert file is not None, "one of the two is a file"
    try:
        if other.root.site >= 0:
            verified = yield from _prove_object(around, file, other)
        else:
            verified = yield from _prove_listed(file, other.known)
    except ChecksumMismatch as mismatch:
        kind = "etag" if etag.is_md5(mismatch.expected) or etag.parts_of(mismatch.expected) else "checksum"
        values = (mismatch.actual, mismatch.expected)
        return differ(kind, *(values if is_file_first else values[::-1]))
    return Verdict(Result.MATCH, verified)


def _prove_object(around: Surroundings, file: SourceFile, other: _Thing) -> Flow[Verified]:
    known = other.known
    item = Item(0, Direction.UPLOAD, other.root.site, key_of(other.root, known), file.path, size=file.size)
    return (yield from prove_file(around, item, FileAside(file), known.checksum, known.etag, known.encryption))


def _prove_listed(file: SourceFile, known: Known) -> Flow[Verified]:
    """As `prove_file`, against what a manifest says, where nobody can be asked how an object was cut."""
    whole = whole_sum(known)
    aside = FileAside(file)
    if whole is not None:
        [value] = yield from aside.pieces(file.size, max(file.size, 1), whole.algorithm)
        if value != whole.value:
            raise ChecksumMismatch("", whole.value, value)
        return Verified.ETAG if whole.algorithm == "MD5" else Verified.CHECKSUM
    stored = known.checksum
    if stored is not None and stored.kind == "COMPOSITE":
        algorithm, wanted, verified = stored.algorithm, stored.value, Verified.CHECKSUM
        count = etag.part_count(stored.value.rpartition("-")[2])
    else:
        algorithm, wanted, verified = "MD5", known.etag, Verified.ETAG
        count = etag.parts_of(known.etag)
    for size in etag.guess_part_sizes(file.size, count):
        pieces = yield from aside.pieces(file.size, size, algorithm)
        found = composite(algorithm, pieces) if algorithm != "MD5" else etag_of_parts([*map(bytes.fromhex, pieces)])
        if found == wanted:
            return verified
    return Verified.SIZE


# --- the bytes of objects ---------------------------------------------------------------------------------------------


def _compare_read(around: Surroundings, first: _Thing, second: _Thing) -> Flow[Verdict]:
    """Read both sides; of a manifest, take what it says."""
    algorithm = READ_ALGORITHM
    for thing in (first, second):
        if thing.root.manifest:
            whole = whole_sum(thing.known)
            if whole is None:
                return UNPROVEN
            algorithm = whole.algorithm
    one = yield from _sum(around, first, algorithm)
    other = yield from _sum(around, second, algorithm)
    if one == other:
        return Verdict(Result.MATCH, Verified.CHECKSUM)
    return differ("checksum", f"{algorithm} {one}", f"{algorithm} {other}")


def _sum(around: Surroundings, thing: _Thing, algorithm: str) -> Flow[str]:
    if thing.file is not None:
        [value] = yield from FileAside(thing.file).pieces(thing.file.size, max(thing.file.size, 1), algorithm)
        return value
    if thing.root.manifest:
        whole = whole_sum(thing.known)
        return whole.value if whole is not None else ""
    sink = SumSink(around.receive, algorithm)
    request = encode.get_object(
        key_of(thing.root, thing.known),
        version_id=thing.known.version_id,
        if_match=thing.known.etag,
        checksum_mode=False,
        headers=encode.sse_c_headers(around.settings.object),
    )
    yield Call(request=request, site=thing.root.site, sink=sink)
    return sink.value


class SumSink:
    """Hashes the body of a reply, and keeps nothing of it.

    Attributes:
        value: of the last body that ended well: base64, or of ``MD5`` hexadecimal.
    """

    def __init__(self, memory: memoryview, algorithm: str) -> None:
        self._memory = memory
        self._algorithm = algorithm
        self._hasher = self._new()
        self.value = ""

    def begin(self, status: int, headers: dict[str, str], length: int) -> None:  # noqa: ARG002 - a sink's arguments
        """A reply begins."""
        self._hasher = self._new()

    def buffer(self) -> memoryview:
        """Where the next bytes may be put."""
        return self._memory

    def received(self, count: int) -> None:
        """Hash them."""
        self._hasher.update(self._memory[:count])

    def finish(self) -> None:
        """The body has ended."""
        self.value = self._hasher.value()

    def _new(self) -> Hasher | Md5:
        return Md5() if self._algorithm == "MD5" else new_hasher(self._algorithm)
