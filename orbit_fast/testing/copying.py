"""CopyObject, and how a copy's source is found."""

from __future__ import annotations

from urllib.parse import parse_qs
from urllib.parse import unquote

from orbit_fast.testing import checks
from orbit_fast.testing.access import check_payer
from orbit_fast.testing.archives import check_readable
from orbit_fast.testing.attributes import COPY_CUSTOMER
from orbit_fast.testing.attributes import check_customer_key
from orbit_fast.testing.attributes import encryption_headers
from orbit_fast.testing.attributes import is_md5_etag
from orbit_fast.testing.attributes import read_attributes
from orbit_fast.testing.attributes import version_header
from orbit_fast.testing.call import Call
from orbit_fast.testing.conditions import check_read
from orbit_fast.testing.conditions import check_write
from orbit_fast.testing.exchange import HttpResponse
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.objects import etag_of
from orbit_fast.testing.store import Attributes
from orbit_fast.testing.store import Bucket
from orbit_fast.testing.store import ObjectChecksum
from orbit_fast.testing.store import Version
from orbit_fast.testing.xmlout import document
from orbit_fast.testing.xmlout import element
from orbit_fast.testing.xmlout import iso_time

CONDITION_PREFIX = "x-amz-copy-source-"


def find_source(call: Call) -> tuple[Version, Bucket]:
    """The version that ``x-amz-copy-source`` names, its conditions met and readable, and its bucket.

    Raises:
        Refusal: it is not there, not readable, or not what the conditions want.
    """
    path, _, query = call.headers["x-amz-copy-source"].partition("?")
    bucket_name, slash, key = unquote(path.removeprefix("/"), errors="surrogateescape").partition("/")
    if not slash or not key:
        raise Refusal(
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            ArgumentName="x-amz-copy-source",
            ArgumentValue=path,
        )
    bucket = call.store.bucket(bucket_name)
    check_payer(call, bucket)
    if "GetObject" in bucket.denied:
        raise Refusal("AccessDenied")
    version = bucket.find(key, parse_qs(query).get("versionId", [""])[0])
    check_read(call.headers, version, CONDITION_PREFIX)
    check_readable(call, version)
    return version, bucket


def _directive(call: Call, name: str) -> str:
    value = call.headers.get(name, "COPY")
    if value not in {"COPY", "REPLACE"}:
        raise Refusal("InvalidArgument", "Unknown directive.", ArgumentName=name, ArgumentValue=value)
    return value


def _copied_attributes(call: Call, source: Version) -> Attributes:
    wanted = read_attributes(call)
    replaces_metadata = _directive(call, "x-amz-metadata-directive") == "REPLACE"
    replaces_tags = _directive(call, "x-amz-tagging-directive") == "REPLACE"
    return Attributes(
        headers=wanted.headers if replaces_metadata else source.attributes.headers,
        metadata=wanted.metadata if replaces_metadata else source.attributes.metadata,
        tags=wanted.tags if replaces_tags else source.attributes.tags,
        storage_class=wanted.storage_class,
        encryption=wanted.encryption,
        customer_key_md5=wanted.customer_key_md5,
        acl=wanted.acl,
    )


_CHANGES = (
    "x-amz-storage-class",
    "x-amz-server-side-encryption",
    "x-amz-website-redirect-location",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-checksum-algorithm",
)


def copy_object(call: Call) -> HttpResponse:
    """CopyObject: at most 5 GiB, within the service."""
    bucket = call.bucket
    source, source_bucket = find_source(call)
    check_customer_key(call, source.attributes.customer_key_md5, COPY_CUSTOMER)
    attributes = _copied_attributes(call, source)
    changes = call.headers.get("x-amz-metadata-directive") == "REPLACE" or any(one in call.headers for one in _CHANGES)
    if source is bucket.current(call.key) and not changes:
        raise Refusal(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself "
            "without changing the object's metadata, storage class, website redirect location or encryption "
            "attributes.",
        )
    if source.size > call.settings.max_copy_size:
        raise Refusal(
            "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a "
            f"copy source: {call.settings.max_copy_size}",
        )
    check_write(call.headers, bucket, call.key)
    version = bucket.add(
        Version(
            key=call.key,
            content=source.content,
            etag=_copied_etag(source, attributes),
            modified_s=call.store.now(),
            attributes=attributes,
            checksum=_copied_checksum(call, source),
        )
    )
    assert version.checksum is not None
    inner = (
        f"{element('LastModified', iso_time(version.modified_s))}<ETag>&quot;{version.etag}&quot;</ETag>"
        f"{element('ChecksumType', version.checksum.kind)}"
        f"{element(f'Checksum{version.checksum.algorithm}', version.checksum.value)}"
    )
    headers = [*encryption_headers(attributes), *version_header(version, bucket.versioning)]
    if source_bucket.versioning:
        headers.append(("x-amz-copy-source-version-id", source.version_id))
    return document("CopyObjectResult", inner, headers=headers)


def _copied_etag(source: Version, attributes: Attributes) -> str:
    """A copy is one piece, whatever its source was uploaded as."""
    if is_md5_etag(source.attributes) and is_md5_etag(attributes) and not source.part_sizes:
        return source.etag
    return etag_of(checks.md5_of(source.content), attributes)


def _copied_checksum(call: Call, source: Version) -> ObjectChecksum:
    named = call.headers.get("x-amz-checksum-algorithm", "")
    known = source.checksum
    algorithm = checks.declared_algorithm(named) if named else known.algorithm if known else checks.DEFAULT_ALGORITHM
    if known is not None and known.algorithm == algorithm and known.kind == "FULL_OBJECT":
        return known
    return ObjectChecksum(algorithm=algorithm, value=checks.checksum_of(algorithm, source.content))
