"""The express lane: small objects that go up or down in one request, with as little around it as can be.

A job of many small files spends its time on what surrounds them: for each a generator, a call, an exchange, a dozen
headers put together and taken apart, all to find out that everything went as it always does. Here that case, and only
that one, is written out by hand: what a `Run` with the flow `upload.upload` or `download.download` does where nothing
special was asked for and nothing goes wrong. It saves 30 µs of 70 (upload) and 50 of 95 (download).

Nothing is decided here. An object is not begun where anything about it is special (`start` gives None): then its flow
runs as ever. One that was begun and meets anything but the plain good reply is taken over by its flow, which is given
what has come in the place of its first try (`parcels.TakenOver`). Tests hold the two ways equal: the bytes of requests,
the files, the events, and the end of every object, for good and for bad.

What a plain good reply is. To an upload: status 200, no body, an ETag, and the checksum that we sent. To a download:
status 200, the ETag and the size that were listed, and a body whose bytes have the checksum of the full object that
the head states (or, where it states none, the MD5 that its ETag is). They are verified where they arrived, before a
file is made. The connection stays open, and no byte follows.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import Any
from typing import Final

from orbit_fast.core import encode
from orbit_fast.core.breaker import Gate
from orbit_fast.core.checksum import new_sum
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import Request
from orbit_fast.core.plan import ARCHIVE_CLASSES
from orbit_fast.core.plan import needs_destination
from orbit_fast.core.sigv4 import EMPTY_SHA256
from orbit_fast.core.sigv4 import UNSIGNED_PAYLOAD
from orbit_fast.core.skeleton import Skeleton
from orbit_fast.core.uri import encode_key
from orbit_fast.io import upload
from orbit_fast.io.client import Client
from orbit_fast.io.parcels import Download
from orbit_fast.io.parcels import Face
from orbit_fast.io.parcels import Owner
from orbit_fast.io.parcels import Sent
from orbit_fast.io.parcels import Shared
from orbit_fast.io.parcels import Upload
from orbit_fast.io.transfer import Surroundings

MAX_UPLOAD: Final = upload.IN_MEMORY
MAX_DOWNLOAD: Final = 48 << 10
"""A whole reply, head included, must fit the memory that connections without TLS receive into (64 KiB)."""

_LEAST_BANDWIDTH: Final = 16 * MAX_UPLOAD
"""Bytes per second. Here requests go out in one piece, which below such a limit would be too much at once."""

_CLOSED: Final = Gate.CLOSED
_SOURCE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_MAX_SUFFIXES: Final = 256
_NO_STEM: Final = frozenset({"", "/", b"", b"/"})
"""What stands before the last dot of a name that has no suffix."""


class Lane:
    """See the module's text. One for each worker; everything runs on the loop's thread."""

    def __init__(self, around: Surroundings, client: Client, owner: Owner) -> None:
        settings = around.settings
        selection, transfer, options = settings.selection, settings.transfer, settings.object
        self._shared = Shared(around, client, owner)
        self._around = around
        self._client = client
        self._algorithm = transfer.checksum_algorithm
        self._sum = new_sum(self._algorithm)
        self._faces: dict[int, Face] = {}
        is_plain = not (
            needs_destination(selection)
            or settings.output.dry_run
            or transfer.preserve_metadata
            or options.sse_c_key
            or selection.version_id
            or around.is_moving
            or settings.sync.look
            or 0 < transfer.max_bandwidth < _LEAST_BANDWIDTH
        )
        self._takes_uploads = is_plain
        self._takes_downloads = is_plain and transfer.verify and not transfer.durable
        self._open_flags = _SOURCE if selection.follow_symlinks else _SOURCE | os.O_NOFOLLOW

    def start(self, item: Item) -> Sent | None:
        """Send it off; None where it is for the general flow. The handle's `cancel` ends it early."""
        try:
            if item.direction is Direction.UPLOAD:
                return self._start_upload(item) if self._takes_uploads and item.size <= MAX_UPLOAD else None
            if item.direction is Direction.DOWNLOAD and self._takes_downloads and 0 < item.size <= MAX_DOWNLOAD:
                return self._start_download(item)
        except InvalidKey:
            return None  # the flow will say it
        return None

    def _start_upload(self, item: Item) -> Upload | None:
        face = self._face_of(item.site)
        if face is None:
            return None
        key, _, suffix = item.key.rpartition(".")
        path, _, path_suffix = item.path.rpartition(b".")
        known = face.puts.get((suffix, path_suffix))
        # What follows the dot that a name begins with is no suffix.
        if known is None or key[-1:] in _NO_STEM or path[-1:] in _NO_STEM:
            known = self._new_put(face, item)
            if known is None:
                return None
        skeleton, content_type = known
        data = self._read(item.path)
        if data is None:
            return None
        value = self._sum(data)
        digest = hashlib.sha256(data).hexdigest() if face.signs_payload else UNSIGNED_PAYLOAD
        head = skeleton.fill(skeleton.prefix + encode_key(item.key), value, len(data), digest)
        parcel = Upload(self._shared, item, face, head + data)
        parcel.sum = value
        parcel.size = len(data)
        parcel.content_type = content_type
        self._send(parcel)
        return parcel

    def _start_download(self, item: Item) -> Download | None:
        face = self._face_of(item.site)
        version = item.etag
        if face is None or item.version_id or item.storage_class in ARCHIVE_CLASSES:
            return None
        if not version.isascii() or not version.isprintable() or " " in version:
            return None
        if '"' in version or version in {"", "*"} or item.path.endswith(b"/"):
            return None
        skeleton = face.get or self._new_get(face)
        if skeleton is None:
            return None
        head = skeleton.fill(skeleton.prefix + encode_key(item.key), f'"{version}"', 0, EMPTY_SHA256)
        parcel = Download(self._shared, item, face, head)
        self._send(parcel)
        return parcel

    def _send(self, parcel: Sent) -> None:
        parcel.started_s = self._around.monotonic_s()
        counters = self._client.counters
        counters.in_flight += 1
        counters.requests += 1
        connection: Any = parcel.face.route.pool.idle.pop()  # an `ExpressConnection`; a cast would cost
        parcel.connection = connection
        connection.send_parcel(parcel)

    def _read(self, path: bytes) -> bytes | None:
        """A regular file's bytes, read while it did not change; None where `upload` has to say what is wrong.

        As there, what was written to between two looks is no version of the file. After the second one the bytes are
        ours, and what happens to the file is of no consequence: it is closed.
        """
        try:
            fd = os.open(path, self._open_flags)
            try:
                before = os.fstat(fd)
                size = before.st_size
                if not stat.S_ISREG(before.st_mode) or not 0 < size <= MAX_UPLOAD:
                    return None
                data = os.read(fd, size)
                after = os.fstat(fd)
            finally:
                os.close(fd)
        except OSError:
            return None
        is_same = (
            len(data) == size == after.st_size
            and before.st_mtime_ns == after.st_mtime_ns
            and before.st_ctime_ns == after.st_ctime_ns
        )
        return data if is_same else None

    # --- how requests look -------------------------------------------------------------------------------------------

    def _face_of(self, site: int) -> Face | None:
        """How requests to a site look now; None where they cannot go out at once as they are."""
        route = self._client.find_route(site)
        if route is None or not route.pool.idle or route.pool.is_spent or route.breaker.gate is not _CLOSED:
            return None
        clock = self._client.clock
        second = int(clock.now_s())
        signer = route.signer if route.session is None else route.lasting_signer
        face = self._faces.get(site)
        if face is not None and face.second == second and face.route is route and face.signer is signer:
            return face
        # None of what makes a site special is frequent enough to be fast.
        if signer is None or route.site.request_payer or not self._around.ladder.step(site).has_checksum:
            return None
        face = self._faces[site] = Face(route, signer, second, clock.offset_s)
        return face

    def _new_put(self, face: Face, item: Item) -> tuple[Skeleton, str] | None:
        """How an upload to this key looks, and its content type; remembered where suffixes alone decide it."""
        around = self._around
        content_type = around.content_type_of(item.key, item.path)
        skeleton = face.types.get(content_type)
        if skeleton is None:
            headers = around.object_headers(item.key, item.path)
            request = encode.put_object(item.key, headers=headers, checksum=Checksum(self._algorithm, "-"))
            skeleton = self._new(face, request, request.headers[-1][0])
            if skeleton is None:
                return None
            face.types[content_type] = skeleton
        key, _, suffix = item.key.rpartition(".")
        path, _, path_suffix = item.path.rpartition(b".")
        has_stems = key[-1:] not in _NO_STEM and path[-1:] not in _NO_STEM
        if has_stems and "/" not in suffix and b"/" not in path_suffix:
            if len(face.puts) >= _MAX_SUFFIXES:
                face.puts.clear()
            face.puts[suffix, path_suffix] = skeleton, content_type
        return skeleton, content_type

    def _new_get(self, face: Face) -> Skeleton | None:
        request = encode.get_object("k", if_match="-", headers=encode.sse_c_headers(self._around.settings.object))
        face.get = self._new(face, request, "if-match")
        return face.get

    def _new(self, face: Face, request: Request, varying: str) -> Skeleton | None:
        try:
            return Skeleton(
                request.method,
                face.site.endpoint,
                face.signer,
                headers=request.headers,
                varying=varying,
                amz_date=face.date,
            )
        except InvalidConfig:
            return None  # the flow will say it
