"""What one call says about the object that it makes, beyond the client's configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

import msgspec

from orbit_fast.client.storage import S3ServerSideEncryption
from orbit_fast.client.storage import S3StorageClass
from orbit_fast.core.settings import ObjectSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectOptions:
    """Headers, metadata and tags of a new object. What is left out is what the client's configuration says, or nothing.

    Attributes:
        content_type: MIME type; guessed from the key's ending where it is left out.
        content_encoding: for example ``gzip``.
        content_disposition: for example ``attachment``.
        content_language: for example ``en``.
        cache_control: for example ``max-age=3600``.
        expires: an HTTP date.
        metadata: user metadata (ASCII).
        tags: at most ten.
        acl: a canned ACL, for example ``private``.
        storage_class: instead of the configuration's.
        server_side_encryption: instead of the configuration's.
    """

    content_type: str = ""
    content_encoding: str = ""
    content_disposition: str = ""
    content_language: str = ""
    cache_control: str = ""
    expires: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    acl: str = ""
    storage_class: S3StorageClass | str | None = None
    server_side_encryption: S3ServerSideEncryption | None = None

    def over(self, base: ObjectSettings) -> ObjectSettings:
        """`base` with what is said here put over it.

        Raises:
            InvalidConfig: there is no such storage class.
        """
        said = {
            name: getattr(self, name)
            for name in (
                "content_type",
                "content_encoding",
                "content_disposition",
                "content_language",
                "cache_control",
                "expires",
                "acl",
            )
            if getattr(self, name)
        }
        settings = msgspec.structs.replace(base, **said)
        if self.metadata:
            settings = msgspec.structs.replace(settings, metadata=tuple(self.metadata.items()))
        if self.tags:
            settings = msgspec.structs.replace(settings, tags=tuple(self.tags.items()))
        if self.storage_class is not None:
            settings = msgspec.structs.replace(settings, storage_class=S3StorageClass.parse(self.storage_class).value)
        if self.server_side_encryption is not None:
            settings = with_encryption(settings, self.server_side_encryption)
        return settings


def with_encryption(settings: ObjectSettings, encryption: S3ServerSideEncryption) -> ObjectSettings:
    """`settings` with this encryption in place of theirs."""
    return msgspec.structs.replace(
        settings,
        sse="" if encryption.key else encryption.algorithm,
        sse_kms_key_id=encryption.key_id,
        sse_c_key=encryption.key,
    )


def merged(
    options: ObjectOptions | None, content_type: str, metadata: Mapping[str, str] | None
) -> ObjectOptions | None:
    """`options` with what a call names beside them, or None where nothing is said at all."""
    if not content_type and metadata is None:
        return options
    base = options or ObjectOptions()
    return dataclasses.replace(
        base, content_type=content_type or base.content_type, metadata=base.metadata if metadata is None else metadata
    )


def described_anew(
    base: ObjectSettings, content_headers: Mapping[str, str], metadata: Mapping[str, str], storage_class: str
) -> ObjectSettings:
    """What a copy is given that has other metadata than its source, and everything else of it.

    Args:
        base: of the client.
        content_headers: of the source.
        metadata: of the copy.
        storage_class: of the copy.
    """
    headers = {name.replace("-", "_"): value for name, value in content_headers.items()}
    return msgspec.structs.replace(
        base,
        **{name: value for name, value in headers.items() if name in base.__struct_fields__},
        guess_mime_type=False,
        metadata=tuple(metadata.items()),
        metadata_directive="REPLACE",
        storage_class=storage_class,
    )
