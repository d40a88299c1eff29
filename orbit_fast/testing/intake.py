"""A request body on its way in: decoded, hashed as it passes, kept, and compared with everything that was announced."""

from __future__ import annotations

import hashlib

from orbit_fast.testing import checks
from orbit_fast.testing.aws_chunked import STREAMING
from orbit_fast.testing.aws_chunked import AwsChunkedDecoder
from orbit_fast.testing.blob import BlobWriter
from orbit_fast.testing.blob import Content
from orbit_fast.testing.exchange import HttpRequest
from orbit_fast.testing.exchange import Received
from orbit_fast.testing.exchange import Refusal


class Intake:
    """Receives the body of one request.

    The constructor reads the headers and raises `Refusal` where they contradict each other; `feed` takes the bytes as
    they come off the wire; `finish` compares and returns what arrived. Exactly one of `finish` and `discard` ends it.
    """

    def __init__(self, request: HttpRequest, writer: BlobWriter) -> None:
        headers = request.headers
        self._request = request
        self._writer = writer
        self._decoder: AwsChunkedDecoder | None = None
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = None
        self._expected_md5 = checks.declared_md5(headers)
        self._trailer = ""
        self._algorithm, self._value = "", ""
        self._decoded_length = -1
        if request.proof.payload_hash in STREAMING:
            self._decoder = AwsChunkedDecoder(request.proof, self._take)
            self._trailer = headers.get("x-amz-trailer", "").strip().lower()
            self._decoded_length = _decoded_length(request)
        elif len(request.proof.payload_hash) == 64:
            self._sha256 = hashlib.sha256()
        if request.operation in _SINGLE_BODY:
            self._plan_checksum()
        self._hasher = checks.new_hasher(self._algorithm) if self._algorithm else None

    def _plan_checksum(self) -> None:
        headers = self._request.headers
        self._algorithm, self._value = checks.declared_checksum(headers)
        if self._trailer:
            if self._algorithm:
                raise Refusal("InvalidRequest", "Expecting a single x-amz-checksum- header or trailer.")
            if not self._trailer.startswith(checks.PREFIX):
                raise Refusal("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
            self._algorithm = checks.declared_algorithm(self._trailer.removeprefix(checks.PREFIX))
        checks.check_sdk_algorithm(headers, self._algorithm)

    def feed(self, data: bytes) -> None:
        """Take bytes of the body.

        Raises:
            Refusal: their coding is broken.
        """
        if self._decoder is None:
            self._take(data)
        else:
            self._decoder.feed(data)

    def _take(self, data: bytes) -> None:
        self._md5.update(data)
        if self._sha256 is not None:
            self._sha256.update(data)
        if self._hasher is not None:
            self._hasher.update(data)
        self._writer.write(data)

    def finish(self) -> Received:
        """Everything has arrived.

        Raises:
            Refusal: it is not what was announced.
        """
        if self._decoder is not None:
            self._decoder.finish()
            self._read_trailer(self._decoder.trailers)
            if self._writer.size != self._decoded_length:
                raise Refusal("IncompleteBody")
        if self._sha256 is not None and self._sha256.hexdigest() != self._request.proof.payload_hash:
            raise Refusal(
                "XAmzContentSHA256Mismatch",
                ClientComputedContentSHA256=self._request.proof.payload_hash,
                S3ComputedContentSHA256=self._sha256.hexdigest(),
            )
        if self._expected_md5 is not None and self._expected_md5 != self._md5.digest():
            raise Refusal(
                "BadDigest",
                "The Content-MD5 you specified did not match what we received.",
                ExpectedDigest=checks.to_text(self._expected_md5),
                CalculatedDigest=checks.to_text(self._md5.digest()),
            )
        found = {}
        if self._hasher is not None:
            actual = checks.to_text(self._hasher.digest())
            if actual != self._value:
                raise Refusal(
                    "BadDigest", f"The {self._algorithm} you specified did not match the calculated checksum."
                )
            found[self._algorithm] = actual
        return Received(content=Content.of_blob(self._writer.finish()), md5=self._md5.digest(), checksums=found)

    def _read_trailer(self, trailers: dict[str, str]) -> None:
        if set(trailers) != ({self._trailer} if self._trailer else set()):
            raise Refusal("InvalidRequest", "The trailers are not those that x-amz-trailer announces.")
        if self._trailer:
            _, self._value = checks.declared_checksum(trailers)

    def discard(self) -> None:
        """Forget what came."""
        self._writer.discard()


_SINGLE_BODY = frozenset(
    {
        "CreateBucket",
        "DeleteObjects",
        "PutBucketVersioning",
        "PutObject",
        "PutObjectAcl",
        "PutObjectTagging",
        "RestoreObject",
        "UploadPart",
    }
)
"""Operations whose checksum header is about the body (CompleteMultipartUpload's is about the object)."""


def _decoded_length(request: HttpRequest) -> int:
    text = request.headers.get("x-amz-decoded-content-length", "")
    if not (text.isdecimal() and len(text) <= 19):
        raise Refusal("MissingContentLength", "You must provide the x-amz-decoded-content-length HTTP header.")
    if "aws-chunked" not in request.headers.get("content-encoding", ""):
        raise Refusal("InvalidRequest", "A streaming payload needs Content-Encoding: aws-chunked.")
    return int(text)
