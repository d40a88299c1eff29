"""What the server holds: buckets, versions of objects, unfinished uploads, and a log of what was asked.

Only the server's thread changes it through requests. A test may look at it and may add to it from its own thread: every
method here is one step that needs no lock beside the interpreter's own.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import secrets
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

from orbit_fast.testing import checks
from orbit_fast.testing.blob import Content
from orbit_fast.testing.directories import Sessions
from orbit_fast.testing.directories import is_directory
from orbit_fast.testing.directories import place_of
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.xmlout import http_time

NULL_VERSION = "null"
_ORDINAL_BYTES = 8


def ordered_id(ordinal: int, random_bytes: int = 16) -> str:
    """A fresh id of a version or an upload; nobody but this server knows that its place in time is in it."""
    data = secrets.token_bytes(random_bytes) + ordinal.to_bytes(_ORDINAL_BYTES, "big")
    return base64.urlsafe_b64encode(data).decode("ascii")


def ordinal_in(text: str) -> int:
    """The place in time of what `ordered_id` named, whether it is still there or not; -1 where it is no such id."""
    try:
        data = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return -1
    return int.from_bytes(data[-_ORDINAL_BYTES:], "big") if len(data) > _ORDINAL_BYTES else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChecksum:
    """A checksum of an object: algorithm, base64 value (``-N`` when composite) and S3's type of it."""

    algorithm: str
    value: str
    kind: str = "FULL_OBJECT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What an object carries beside its bytes.

    Attributes:
        headers: content headers as sent (``content-type``, ``cache-control`` ...).
        metadata: user metadata, names without ``x-amz-meta-``.
        tags: object tags.
        storage_class: S3's name.
        encryption: ``x-amz-server-side-encryption*`` response headers.
        customer_key_md5: Content-MD5 of the SSE-C key, or ``''``.
        acl: the canned ACL asked for, or ``''``.
    """

    headers: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    storage_class: str = "STANDARD"
    encryption: dict[str, str] = field(default_factory=dict)
    customer_key_md5: str = ""
    acl: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """A readable copy of an archived object.

    Attributes:
        ready_s: Unix seconds from which on it can be read.
        expires_s: Unix seconds from which on it is gone again.
    """

    ready_s: float
    expires_s: int


@dataclass(slots=True, kw_only=True)
class Version:
    """One version of one object, or a delete marker.

    Attributes:
        key: object key.
        content: its bytes.
        etag: without quotes.
        modified_s: Unix seconds.
        version_id: ``null`` unless the bucket is versioned.
        attributes: headers, metadata and so on.
        checksum: as stored, or None.
        part_sizes: bytes of each part it was uploaded in; empty for a single PutObject.
        part_checksums: of each part, where the client named an algorithm.
        is_marker: it is a delete marker.
        restore: the last one asked for, or None.
        ordinal: its place in the bucket's time.
    """

    key: str
    content: Content = field(default_factory=Content)
    etag: str = ""
    modified_s: int = 0
    version_id: str = NULL_VERSION
    attributes: Attributes = field(default_factory=Attributes)
    checksum: ObjectChecksum | None = None
    part_sizes: tuple[int, ...] = ()
    part_checksums: tuple[str, ...] = ()
    is_marker: bool = False
    restore: Restore | None = None
    ordinal: int = 0

    @property
    def size(self) -> int:
        """Bytes."""
        return self.content.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One uploaded part."""

    number: int
    content: Content
    md5: bytes
    checksum: ObjectChecksum
    """In the upload's algorithm."""
    announced: dict[str, str] = field(default_factory=dict)
    """What the client announced for it, verified: an upload without a declared algorithm takes any."""
    modified_s: int

    @property
    def etag(self) -> str:
        """Without quotes."""
        return self.md5.hex()


@dataclass(slots=True, kw_only=True)
class Upload:
    """An unfinished multipart upload."""

    upload_id: str
    key: str
    attributes: Attributes
    algorithm: str
    kind: str
    is_declared: bool
    """The client named the algorithm, which its parts must then have; otherwise it is S3's default."""
    started_s: int
    parts: dict[int, Part] = field(default_factory=dict)


class Bucket:
    """A bucket.

    Attributes:
        versioning: ``''`` (never switched on), ``Enabled`` or ``Suspended``.
        versions: key to its versions, oldest first; a key without versions is not in it.
        uploads: upload id to unfinished upload.
        denied: names of operations on it that get ``AccessDenied``.
        requester_pays: its requests must say that their sender pays.
        is_directory: it is a directory bucket.
    """

    def __init__(self, name: str, created_s: int) -> None:
        self.name = name
        self.created_s = created_s
        self.versioning = ""
        self.versions: dict[str, list[Version]] = {}
        self.uploads: dict[str, Upload] = {}
        self.denied: set[str] = set()
        self.requester_pays = False
        self.is_directory = is_directory(name)
        self._ordinals = itertools.count(1)
        self._lost_nulls: dict[str, int] = {}
        self._order: list[str] = []
        self._is_sorted = True

    def keys(self) -> list[str]:
        """Every key that has a version, in UTF-8 byte order (which is the order of code points)."""
        if not self._is_sorted:
            self._is_sorted = True  # first: a key that a test adds meanwhile unsets it again
            self._order = sorted(self.versions)
        return self._order

    def keys_from(self, start: str) -> Iterator[str]:
        """The keys at or after `start`."""
        order = self.keys()
        return itertools.islice(order, bisect_left(order, start), None)

    def current(self, key: str) -> Version | None:
        """The version that a plain request sees: None where there is none or a delete marker hides it."""
        versions = self.versions.get(key)
        if not versions or versions[-1].is_marker:
            return None
        return versions[-1]

    def find(self, key: str, version_id: str = "") -> Version:
        """The version named, or the current one.

        Raises:
            Refusal: there is none.
        """
        if not version_id:
            version = self.current(key)
            if version is not None:
                return version
            raise self._hidden(key, Refusal("NoSuchKey", Key=key))
        for version in self.versions.get(key, ()):
            if version.version_id == version_id:
                if version.is_marker:
                    refusal = Refusal("MethodNotAllowed", Method="GET", ResourceType="DeleteMarker")
                    refusal.headers += [*_marker_headers(version), ("allow", "DELETE")]
                    refusal.headers.append(("last-modified", http_time(version.modified_s)))
                    raise refusal
                return version
        raise Refusal("NoSuchVersion", Key=key, VersionId=version_id)

    def _hidden(self, key: str, refusal: Refusal) -> Refusal:
        """The refusal, with what a delete marker adds to it."""
        if key in self.versions:
            refusal.headers += _marker_headers(self.versions[key][-1])
        return refusal

    def ordinal_of(self, key: str, version_id: str) -> int:
        """Where a version stands or stood: a listing goes on behind it even if it was deleted meanwhile.

        Raises:
            Refusal: that is no version id.
        """
        for version in self.versions.get(key, ()):
            if version.version_id == version_id:
                return version.ordinal
        ordinal = self._lost_nulls.get(key, -1) if version_id == NULL_VERSION else ordinal_in(version_id)
        if ordinal < 0:
            raise Refusal("InvalidArgument", "Invalid version id specified", ArgumentValue=version_id)
        return ordinal

    def next_ordinal(self) -> int:
        """A place in time of its own for a version or an upload."""
        return next(self._ordinals)

    def add(self, version: Version) -> Version:
        """Make `version` the current one; the bucket's versioning decides its id and what it replaces."""
        older = self.versions.get(version.key)
        version.ordinal = self.next_ordinal()
        if self.is_directory:
            version.etag = place_of(f"{version.ordinal} {version.key}")[:32]  # looks like an MD5 and is none
            version.attributes = replace(version.attributes, storage_class="EXPRESS_ONEZONE")
        if self.versioning == "Enabled":
            version.version_id = ordered_id(version.ordinal)
            self.versions[version.key] = [*(older or ()), version]
        else:
            version.version_id = NULL_VERSION
            kept = [one for one in older or () if one.version_id != NULL_VERSION]
            self.versions[version.key] = [*kept, version]
        if older is None:
            self._is_sorted = False
        return version

    def remove(self, key: str, now_s: int) -> Version | None:
        """What a plain DeleteObject does. Returns the delete marker it made, or None."""
        if self.versioning:
            return self.add(Version(key=key, modified_s=now_s, is_marker=True))
        if self.versions.pop(key, None) is not None:
            self._is_sorted = False
        return None

    def remove_version(self, key: str, version_id: str) -> Version | None:
        """Delete one version for good. Returns it, or None where it did not exist."""
        versions = self.versions.get(key, [])
        found = next((one for one in versions if one.version_id == version_id), None)
        if found is not None:
            if version_id == NULL_VERSION:
                self._lost_nulls[key] = found.ordinal
            kept = [one for one in versions if one is not found]
            if kept:
                self.versions[key] = kept
            else:
                del self.versions[key]
                self._is_sorted = False
        return found

    def upload(self, key: str, upload_id: str) -> Upload:
        """The unfinished upload.

        Raises:
            Refusal: it is not there (any more), or belongs to another key.
        """
        upload = self.uploads.get(upload_id)
        if upload is None or upload.key != key:
            raise Refusal("NoSuchUpload", UploadId=upload_id)
        return upload

    def __repr__(self) -> str:
        return f"Bucket({self.name!r}, {len(self.versions)} keys, {len(self.uploads)} uploads)"


def _marker_headers(marker: Version) -> list[tuple[str, str]]:
    return [("x-amz-delete-marker", "true"), ("x-amz-version-id", marker.version_id)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One answered request.

    Attributes:
        number: counted from 1.
        operation: S3's name of it, ``''`` where the request could not be understood.
        bucket: or ``''``.
        key: or ``''``.
        status: HTTP status of the answer.
        code: S3's error code, or ``''``.
        query: decoded query.
        headers: request headers.
        received_bytes: decoded body bytes that arrived and were accepted.
        connection: number of the TCP connection.
    """

    number: int
    operation: str
    bucket: str
    key: str
    status: int
    code: str
    query: dict[str, str]
    headers: dict[str, str]
    received_bytes: int
    connection: int


class Store:
    """All buckets and the log.

    Attributes:
        buckets: name to bucket.
        foreign: names of buckets that belong to somebody else.
        log: every answered request, oldest first; only ever appended to. Empty while `keeps_log` is False.
        counts: operation to number of requests answered.
        sessions: of directory buckets.
        keeps_log: switch it off where hundreds of thousands of requests are made.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.buckets: dict[str, Bucket] = {}
        self.foreign: set[str] = set()
        self.log: list[LogEntry] = []
        self.counts: Counter[str] = Counter()
        self.sessions = Sessions()
        self.keeps_log = True
        self._now = now

    def now(self) -> int:
        """Unix time by the server's clock, in the whole seconds that S3 speaks in."""
        return int(self._now())

    def create_bucket(self, name: str) -> Bucket:
        """A new, empty bucket; the existing one where the name is taken."""
        return self.buckets.setdefault(name, Bucket(name, self.now()))

    def bucket(self, name: str) -> Bucket:
        """The bucket.

        Raises:
            Refusal: there is none of that name.
        """
        found = self.buckets.get(name)
        if found is None:
            if name in self.foreign:
                raise Refusal("AccessDenied")
            raise Refusal("NoSuchBucket", BucketName=name)
        return found

    def put(self, bucket: str, key: str, data: bytes, attributes: Attributes | None = None) -> Version:
        """Place an object from a test, as PutObject would."""
        content = Content.of(data)
        value = checks.checksum_of(checks.DEFAULT_ALGORITHM, content)
        return self.bucket(bucket).add(
            Version(
                key=key,
                content=content,
                etag=checks.md5_of(content).hex(),
                modified_s=self.now(),
                attributes=attributes or Attributes(),
                checksum=ObjectChecksum(algorithm=checks.DEFAULT_ALGORITHM, value=value),
            )
        )

    def read(self, bucket: str, key: str) -> bytes:
        """The bytes of the current version.

        Raises:
            Refusal: no such bucket or key.
        """
        return self.bucket(bucket).find(key).content.read()

    def finish_restores(self, bucket: str) -> None:
        """Every restore under way in the bucket is done now."""
        for versions in list(self.bucket(bucket).versions.values()):
            for version in versions:
                if version.restore is not None:
                    version.restore = replace(version.restore, ready_s=0.0)

    def keys(self, bucket: str) -> list[str]:
        """The keys with a current version, in order."""
        found = self.bucket(bucket)
        return [key for key in list(found.keys()) if found.current(key) is not None]

    def unfinished_uploads(self) -> list[Upload]:
        """Every multipart upload that was neither completed nor aborted."""
        return [upload for bucket in list(self.buckets.values()) for upload in list(bucket.uploads.values())]

    def record(self, entry: LogEntry) -> None:
        """Count a request, and keep it."""
        self.counts[entry.operation] += 1
        if self.keeps_log:
            self.log.append(entry)
