"""GetObjectAttributes: what is known about an object, and about the parts it was uploaded in."""

from __future__ import annotations

from orbit_fast.testing.attributes import check_customer_key
from orbit_fast.testing.attributes import version_header
from orbit_fast.testing.call import Call
from orbit_fast.testing.exchange import HttpResponse
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.store import Version
from orbit_fast.testing.xmlout import document
from orbit_fast.testing.xmlout import element
from orbit_fast.testing.xmlout import http_time

_KNOWN = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})
MAX_PARTS = 1000
"""Parts of an answer at most ("GetObjectAttributes", S3 API reference)."""


def get_object_attributes(call: Call) -> HttpResponse:
    """GetObjectAttributes: only what ``x-amz-object-attributes`` asks for."""
    bucket = call.bucket
    asked = [one.strip() for one in call.headers.get("x-amz-object-attributes", "").split(",")]
    if not _KNOWN.issuperset(asked):
        raise Refusal("InvalidArgument", "Invalid attribute name specified", ArgumentName="x-amz-object-attributes")
    version = bucket.find(call.key, call.version_id)
    check_customer_key(call, version.attributes.customer_key_md5)
    checksum = version.checksum
    inner = []
    if "ETag" in asked:
        inner.append(element("ETag", version.etag))
    if "Checksum" in asked and checksum is not None:
        value = element(f"Checksum{checksum.algorithm}", checksum.value)
        inner.append(f"<Checksum>{value}{element('ChecksumType', checksum.kind)}</Checksum>")
    if "ObjectParts" in asked and version.part_sizes:
        inner.append(f"<ObjectParts>{_parts(call, version)}</ObjectParts>")
    if "StorageClass" in asked:
        inner.append(element("StorageClass", version.attributes.storage_class))
    if "ObjectSize" in asked:
        inner.append(f"<ObjectSize>{version.size}</ObjectSize>")
    headers = [("last-modified", http_time(version.modified_s)), *version_header(version, bucket.versioning)]
    return document("GetObjectAttributesResponse", "".join(inner), headers=headers)


def _parts(call: Call, version: Version) -> str:
    """The count, and a page of the parts themselves where they have checksums."""
    count = f"<PartsCount>{len(version.part_sizes)}</PartsCount>"
    if not version.part_checksums or version.checksum is None:
        return count
    marker = _number(call, "x-amz-part-number-marker", 0)
    limit = min(_number(call, "x-amz-max-parts", MAX_PARTS), MAX_PARTS)
    numbered = list(enumerate(zip(version.part_sizes, version.part_checksums, strict=True), start=1))
    page = numbered[marker : marker + limit]
    name = f"Checksum{version.checksum.algorithm}"
    shown = "".join(
        f"<Part><PartNumber>{number}</PartNumber><Size>{size}</Size>{element(name, value)}</Part>"
        for number, (size, value) in page
    )
    is_truncated = marker + len(page) < len(numbered)
    return (
        f"{count}<PartNumberMarker>{marker}</PartNumberMarker>"
        f"<NextPartNumberMarker>{page[-1][0] if page else 0}</NextPartNumberMarker><MaxParts>{limit}</MaxParts>"
        f"<IsTruncated>{'true' if is_truncated else 'false'}</IsTruncated>{shown}"
    )


def _number(call: Call, name: str, default: int) -> int:
    text = call.headers.get(name, str(default))
    if not (text.isascii() and text.isdecimal()) or int(text) > 0x7FFFFFFF:
        raise Refusal("InvalidArgument", f"Provided {name} not an integer or within integer range", ArgumentName=name)
    return int(text)
