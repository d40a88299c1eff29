"""The body coding ``aws-chunked``: chunks with sizes in hex, signed or not, and trailers that carry a checksum.

It has nothing to do with HTTP's chunked transfer coding, in which it may additionally be wrapped. The grammar is in
S3's "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks".
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import re
from collections.abc import Callable

from orbit_fast.testing.exchange import Proof
from orbit_fast.testing.exchange import Refusal

UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
STREAMING = frozenset({UNSIGNED_TRAILER, SIGNED, SIGNED_TRAILER})

MIN_CHUNK = 8192
"""Bytes that every chunk but the last must have at least."""
MAX_LINE = 16 * 1024
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


class _Expect(enum.Enum):
    SIZE = enum.auto()
    DATA = enum.auto()
    DATA_END = enum.auto()
    TRAILER = enum.auto()
    END = enum.auto()


class AwsChunkedDecoder:
    """Takes the coded body piece by piece and hands the decoded bytes to `sink`.

    Attributes:
        trailers: lower-case names to values, without the signature; complete after `finish`.
    """

    def __init__(self, proof: Proof, sink: Callable[[bytes], None]) -> None:
        self.trailers: dict[str, str] = {}
        self._proof = proof
        self._sink = sink
        self._is_signed = proof.payload_hash in {SIGNED, SIGNED_TRAILER}
        self._has_trailer = proof.payload_hash in {UNSIGNED_TRAILER, SIGNED_TRAILER}
        self._previous = proof.signature
        self._expect = _Expect.SIZE
        self._buffer = bytearray()
        self._left = 0
        self._size = -1
        self._chunk_hash = hashlib.sha256()
        self._chunk_signature = ""
        self._trailer_text = b""
        self._trailer_signature = ""

    def feed(self, data: bytes) -> None:
        """Take the next coded bytes.

        Raises:
            Refusal: they break the grammar or a signature.
        """
        self._buffer += data
        while self._step():
            pass

    def finish(self) -> None:
        """The coded body has ended.

        Raises:
            Refusal: too early, or the trailer's signature is wrong.
        """
        if self._expect is not _Expect.END or self._buffer:
            raise Refusal("IncompleteBody")
        if self._is_signed and self._has_trailer:
            digest = hashlib.sha256(self._trailer_text).hexdigest()
            self._check("AWS4-HMAC-SHA256-TRAILER", digest, self._trailer_signature)

    def _step(self) -> bool:
        """Use up some of the buffer; False where more bytes are needed."""
        if self._expect is _Expect.DATA:
            return self._take_data()
        if self._expect is _Expect.END:
            return False
        line = self._take_line()
        if line is None:
            return False
        if self._expect is _Expect.SIZE:
            self._begin_chunk(line)
        elif self._expect is _Expect.DATA_END:
            if line:
                raise Refusal("IncompleteBody", "A chunk is longer than its announced size.")
            self._expect = _Expect.SIZE
        elif line:
            self._take_trailer(line)
        else:
            self._expect = _Expect.END
        return True

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > MAX_LINE:
                raise Refusal("IncompleteBody", "A chunk header is too long.")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _begin_chunk(self, line: bytes) -> None:
        size_text, _, extension = line.partition(b";")
        if 0 <= self._size < MIN_CHUNK and size_text.strip(b"0"):
            raise Refusal("InvalidChunkSizeError")
        if _SIZE.fullmatch(size_text) is None:
            raise Refusal("IncompleteBody", "A chunk size is not a hexadecimal number.")
        self._size = self._left = int(size_text, 16)
        name, _, signature = extension.partition(b"=")
        if self._is_signed:
            if name != b"chunk-signature":
                raise Refusal("SignatureDoesNotMatch", "A chunk has no signature.")
            self._chunk_signature = signature.decode("ascii", "replace")
        self._chunk_hash = hashlib.sha256()
        if self._size:
            self._expect = _Expect.DATA
            return
        self._end_chunk()
        self._expect = _Expect.TRAILER

    def _take_data(self) -> bool:
        if not self._buffer:
            return False
        data = bytes(self._buffer[: self._left])
        del self._buffer[: len(data)]
        self._left -= len(data)
        if self._is_signed:
            self._chunk_hash.update(data)
        self._sink(data)
        if not self._left:
            self._end_chunk()
            self._expect = _Expect.DATA_END
        return True

    def _end_chunk(self) -> None:
        if self._is_signed:
            digest = f"{EMPTY_SHA256}\n{self._chunk_hash.hexdigest()}"
            self._check("AWS4-HMAC-SHA256-PAYLOAD", digest, self._chunk_signature)

    def _check(self, algorithm: str, digest: str, signature: str) -> None:
        proof = self._proof
        text = f"{algorithm}\n{proof.amz_date}\n{proof.scope}\n{self._previous}\n{digest}"
        expected = hmac.digest(proof.signing_key, text.encode("ascii"), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise Refusal("SignatureDoesNotMatch", "The signature of a chunk does not match.", StringToSign=text)
        self._previous = expected

    def _take_trailer(self, line: bytes) -> None:
        name, colon, value = line.partition(b":")
        if not colon or not self._has_trailer:
            raise Refusal("IncompleteBody", "The body has a trailer that was not announced.")
        if name.lower() == b"x-amz-trailer-signature":
            self._trailer_signature = value.strip().decode("latin-1")
            return
        self._trailer_text += name.lower() + b":" + value.strip() + b"\n"
        self.trailers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
