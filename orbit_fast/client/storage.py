"""Storage classes and server-side encryption, as the library spells them."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from dataclasses import field
from typing import ClassVar

from orbit_fast.core.encode_headers import SSE_C_KEY_BYTES
from orbit_fast.core.errors import InvalidConfig


class S3StorageClass(enum.StrEnum):
    """Where an object is kept; the value is S3's own name for it.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html.
    """

    STANDARD = "STANDARD"
    """Frequently read data."""
    STANDARD_IA = "STANDARD_IA"
    """Seldom read: cheaper to keep, a fee to read."""
    ONEZONE_IA = "ONEZONE_IA"
    """Seldom read, in one zone only."""
    INTELLIGENT_TIERING = "INTELLIGENT_TIERING"
    """The service moves it where it costs least."""
    GLACIER_INSTANT_RETRIEVAL = "GLACIER_IR"
    """Archive, read within milliseconds."""
    GLACIER_FLEXIBLE_RETRIEVAL = "GLACIER"
    """Archive, restored within minutes to hours."""
    GLACIER_DEEP_ARCHIVE = "DEEP_ARCHIVE"
    """Archive, restored within hours."""
    REDUCED_REDUNDANCY = "REDUCED_REDUNDANCY"
    """Kept for objects that have it."""
    EXPRESS_ONEZONE = "EXPRESS_ONEZONE"
    """Directory buckets."""
    OUTPOSTS = "OUTPOSTS"
    """S3 on Outposts."""
    SNOW = "SNOW"
    """Snowball Edge."""

    @classmethod
    def parse(cls, text: str) -> S3StorageClass:
        """The class that `text` names: S3's name (``GLACIER``) or the guide's (``GLACIER_FLEXIBLE_RETRIEVAL``).

        Raises:
            InvalidConfig: there is none of this name.
        """
        name = text.upper()
        for member in cls:
            if name in {member.value, member.name}:
                return member
        known = ", ".join(member.value for member in cls)
        raise InvalidConfig(f"storage_class: there is no storage class {text!r}; there are {known}")


@dataclass(frozen=True, slots=True)
class S3ServerSideEncryption:
    """How the service encrypts an object at rest. `repr` never shows a key.

    Made by `AES256`, `aws_kms` or `customer_key`, rather than by hand.

    Attributes:
        algorithm: ``AES256``, ``aws:kms``, ``aws:kms:dsse``, or ``SSE-C``.
        key_id: of the KMS key, or ``''`` for the account's own.
        key: the customer's own key, 32 bytes, or empty.
    """

    algorithm: str
    key_id: str = ""
    key: bytes = field(default=b"", repr=False)

    AES256: ClassVar[S3ServerSideEncryption]
    """Keys that S3 manages (SSE-S3)."""

    def __post_init__(self) -> None:
        known = ("AES256", "aws:kms", "aws:kms:dsse", "SSE-C")
        if self.algorithm not in known:
            raise InvalidConfig(f"server_side_encryption: {self.algorithm!r} is none of {', '.join(known)}")
        if len(self.key) != (SSE_C_KEY_BYTES if self.algorithm == "SSE-C" else 0):
            raise InvalidConfig(
                f"server_side_encryption: SSE-C wants a key of {SSE_C_KEY_BYTES} bytes, not {len(self.key)}"
            )
        if self.key_id and not self.algorithm.startswith("aws:kms"):
            raise InvalidConfig("server_side_encryption: only aws:kms has a key id")

    @classmethod
    def aws_kms(cls, key_id: str | None = None, *, dual_layer: bool = False) -> S3ServerSideEncryption:
        """A key in AWS KMS: `key_id` is its id or ARN, None the account's own key for S3."""
        return cls("aws:kms:dsse" if dual_layer else "aws:kms", key_id=key_id or "")

    @classmethod
    def customer_key(cls, key: bytes) -> S3ServerSideEncryption:
        """A key of one's own (SSE-C), 32 bytes: it is sent with every request, and the service forgets it."""
        return cls("SSE-C", key=key)


S3ServerSideEncryption.AES256 = S3ServerSideEncryption("AES256")
