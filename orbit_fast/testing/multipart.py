"""Multipart uploads: create, upload or copy parts, complete, abort, list."""

from __future__ import annotations

import re
from collections.abc import Callable

from orbit_fast.testing import checks
from orbit_fast.testing import xmlin
from orbit_fast.testing.attributes import COPY_CUSTOMER
from orbit_fast.testing.attributes import check_customer_key
from orbit_fast.testing.attributes import encryption_headers
from orbit_fast.testing.attributes import read_attributes
from orbit_fast.testing.attributes import version_header
from orbit_fast.testing.blob import Content
from orbit_fast.testing.call import Call
from orbit_fast.testing.conditions import check_write
from orbit_fast.testing.copying import find_source
from orbit_fast.testing.exchange import HttpResponse
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.listing import after_marker
from orbit_fast.testing.listing import check_directory
from orbit_fast.testing.listing import common_prefixes
from orbit_fast.testing.listing import encoder
from orbit_fast.testing.listing import rows
from orbit_fast.testing.store import ObjectChecksum
from orbit_fast.testing.store import Part
from orbit_fast.testing.store import Upload
from orbit_fast.testing.store import Version
from orbit_fast.testing.store import ordered_id
from orbit_fast.testing.store import ordinal_in
from orbit_fast.testing.xmlout import document
from orbit_fast.testing.xmlout import element
from orbit_fast.testing.xmlout import iso_time

MAX_PARTS = 10_000
"""Parts of an upload ("Amazon S3 multipart upload limits")."""
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]+)")


def create_upload(call: Call) -> HttpResponse:
    """CreateMultipartUpload."""
    bucket = call.bucket
    attributes = read_attributes(call)
    named = call.headers.get("x-amz-checksum-algorithm", "")
    kind = call.headers.get("x-amz-checksum-type", "").upper()
    if kind and not named:
        raise Refusal(
            "InvalidRequest",
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
        )
    algorithm = checks.declared_algorithm(named) if named else checks.DEFAULT_ALGORITHM
    kinds = checks.KINDS[algorithm]
    if kind and kind not in kinds:
        raise Refusal(
            "InvalidRequest",
            f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm.",
        )
    upload = Upload(
        upload_id=ordered_id(bucket.next_ordinal(), random_bytes=40),
        key=call.key,
        attributes=attributes,
        algorithm=algorithm,
        kind=kind or kinds[0],
        is_declared=bool(named),
        started_s=call.store.now(),
    )
    bucket.uploads[upload.upload_id] = upload
    headers = encryption_headers(attributes)
    if named:
        headers += [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", upload.kind)]
    inner = element("Bucket", bucket.name) + element("Key", call.key) + element("UploadId", upload.upload_id)
    return document("InitiateMultipartUploadResult", inner, headers=headers)


def _part_number(call: Call) -> int:
    text = call.query["partNumber"]
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MAX_PARTS):
        raise Refusal(
            "InvalidArgument",
            "Part number must be an integer between 1 and 10000, inclusive",
            ArgumentName="partNumber",
            ArgumentValue=text,
        )
    return int(text)


def _part_checksum(upload: Upload, content: Content, declared: dict[str, str]) -> ObjectChecksum:
    """The part's checksum in the upload's algorithm.

    Raises:
        Refusal: the part came with one of another algorithm.
    """
    for algorithm in declared:
        if upload.is_declared and algorithm != upload.algorithm:
            raise Refusal(
                "InvalidRequest",
                f"Checksum Type mismatch occurred, expected checksum Type: {upload.algorithm.lower()}, "
                f"actual checksum Type: {algorithm.lower()}",
            )
    value = declared.get(upload.algorithm) or checks.checksum_of(upload.algorithm, content)
    return ObjectChecksum(algorithm=upload.algorithm, value=value)


def upload_part(call: Call) -> HttpResponse:
    """UploadPart."""
    number = _part_number(call)
    upload = call.bucket.upload(call.key, call.query["uploadId"])
    check_customer_key(call, upload.attributes.customer_key_md5)
    received = call.request.received
    assert received is not None
    part = Part(
        number=number,
        content=received.content,
        md5=received.md5,
        checksum=_part_checksum(upload, received.content, received.checksums),
        announced=received.checksums,
        modified_s=call.store.now(),
    )
    upload.parts[number] = part
    headers = [("etag", f'"{part.etag}"'), *encryption_headers(upload.attributes)]
    told = {upload.algorithm: part.checksum.value} if upload.is_declared else part.announced
    headers += [(f"{checks.PREFIX}{algorithm.lower()}", value) for algorithm, value in told.items()]
    return HttpResponse(headers=headers)


def upload_part_copy(call: Call) -> HttpResponse:
    """UploadPartCopy: a part made of a range of an object."""
    number = _part_number(call)
    upload = call.bucket.upload(call.key, call.query["uploadId"])
    check_customer_key(call, upload.attributes.customer_key_md5)
    source, source_bucket = find_source(call)
    check_customer_key(call, source.attributes.customer_key_md5, COPY_CUSTOMER)
    content = _copied_range(call, source)
    part = Part(
        number=number,
        content=content,
        md5=checks.md5_of(content),
        checksum=_part_checksum(upload, content, {}),
        modified_s=call.store.now(),
    )
    upload.parts[number] = part
    sums = element(f"Checksum{upload.algorithm}", part.checksum.value) if upload.is_declared else ""
    headers = encryption_headers(upload.attributes)
    if source_bucket.versioning:
        headers.append(("x-amz-copy-source-version-id", source.version_id))
    inner = f"{element('LastModified', iso_time(part.modified_s))}<ETag>&quot;{part.etag}&quot;</ETag>{sums}"
    return document("CopyPartResult", inner, headers=headers)


def _copied_range(call: Call, source: Version) -> Content:
    text = call.headers.get("x-amz-copy-source-range")
    if text is None:
        return source.content
    match = _RANGE.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        raise Refusal(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where "
            "first and last are the zero-based offsets of the first and last bytes to copy",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=text,
        )
    first, last = int(match[1]), int(match[2])
    if last >= source.size:
        raise Refusal(
            "InvalidArgument",
            f"Range specified is not valid for source object of size: {source.size}",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=text,
        )
    return source.content.slice(first, last - first + 1)


def complete_upload(call: Call) -> HttpResponse:
    """CompleteMultipartUpload."""
    bucket = call.bucket
    upload = bucket.upload(call.key, call.query["uploadId"])
    check_customer_key(call, upload.attributes.customer_key_md5)
    chosen = _chosen_parts(upload, xmlin.parse(call.request.content, "CompleteMultipartUpload"))
    for part in chosen[:-1]:
        if part.content.size < call.settings.min_part_size:
            raise Refusal(
                "EntityTooSmall",
                ProposedSize=str(part.content.size),
                MinSizeAllowed=str(call.settings.min_part_size),
                PartNumber=str(part.number),
                ETag=part.etag,
            )
    if bucket.is_directory and chosen[-1].number != len(chosen):  # in ascending order, so from 1 without a gap
        raise Refusal("InvalidPartOrder", UploadId=upload.upload_id)
    content = Content.join([part.content for part in chosen])
    _check_size(call, content.size)
    checksum = _whole_checksum(upload, chosen)
    _check_whole(call, upload, checksum)
    check_write(call.headers, bucket, call.key)
    version = bucket.add(
        Version(
            key=call.key,
            content=content,
            etag=checks.multipart_etag([part.md5 for part in chosen]),
            modified_s=call.store.now(),
            attributes=upload.attributes,
            checksum=checksum,
            part_sizes=tuple(part.content.size for part in chosen),
            part_checksums=tuple(part.checksum.value for part in chosen) if upload.is_declared else (),
        )
    )
    del bucket.uploads[upload.upload_id]
    scheme = "https" if call.request.is_tls else "http"
    inner = (
        element("Location", f"{scheme}://{call.headers.get('host', '')}/{bucket.name}/{call.key}")
        + element("Bucket", bucket.name)
        + element("Key", call.key)
        + f"<ETag>&quot;{version.etag}&quot;</ETag>"
        + element(f"Checksum{checksum.algorithm}", checksum.value)
        + element("ChecksumType", checksum.kind)
    )
    headers = [*encryption_headers(upload.attributes), *version_header(version, bucket.versioning)]
    return document("CompleteMultipartUploadResult", inner, headers=headers)


def _chosen_parts(upload: Upload, root: xmlin.Node) -> list[Part]:
    """The parts that the client names, each checked.

    Raises:
        Refusal: none, too many, out of order, unknown, or with another ETag or checksum.
    """
    chosen: list[Part] = []
    for node in root.children("Part"):
        number = node.need("PartNumber")
        if not (number.isascii() and number.isdecimal()):
            raise Refusal("MalformedXML")
        if chosen and int(number) <= chosen[-1].number:
            raise Refusal("InvalidPartOrder", UploadId=upload.upload_id)
        part = upload.parts.get(int(number))
        if part is None or node.need("ETag").strip('"') != part.etag:
            raise Refusal("InvalidPart", UploadId=upload.upload_id, PartNumber=number)
        _check_part(upload, part, node)
        chosen.append(part)
    if not 1 <= len(chosen) <= MAX_PARTS:
        raise Refusal("MalformedXML")
    return chosen


def _check_part(upload: Upload, part: Part, node: xmlin.Node) -> None:
    given = {name: value for name in checks.ALGORITHMS if (value := node.text(f"Checksum{name}")) is not None}
    for algorithm, value in given.items():
        known = part.announced | {upload.algorithm: part.checksum.value}
        if known.get(algorithm) != value:
            raise Refusal("InvalidPart", UploadId=upload.upload_id, PartNumber=str(part.number))
    if upload.kind == "COMPOSITE" and not given:
        raise Refusal(
            "InvalidRequest",
            f"The upload was created using a {upload.algorithm.lower()} checksum. The "
            "complete request must include the checksum for each part. It was missing for part "
            f"{part.number} in the request.",
        )


def _check_size(call: Call, size: int) -> None:
    announced = call.headers.get("x-amz-mp-object-size")
    if announced is not None and announced != str(size):
        raise Refusal(
            "InvalidRequest",
            f"The provided 'x-amz-mp-object-size' header value {announced} does not match what was computed: {size}",
        )


def _whole_checksum(upload: Upload, parts: list[Part]) -> ObjectChecksum:
    if upload.kind == "COMPOSITE":
        value = checks.compose(upload.algorithm, [part.checksum.value for part in parts])
    else:
        value = checks.combine(upload.algorithm, ((part.checksum.value, part.content.size) for part in parts))
    return ObjectChecksum(algorithm=upload.algorithm, value=value, kind=upload.kind)


def _check_whole(call: Call, upload: Upload, actual: ObjectChecksum) -> None:
    kind = call.headers.get("x-amz-checksum-type", "").upper()
    if kind and kind != upload.kind:
        raise Refusal(
            "InvalidRequest",
            f"The upload was created using the {upload.kind} checksum mode. The complete "
            "request must use the same checksum mode.",
        )
    algorithm, value = checks.declared_checksum(call.headers)
    if not algorithm:
        return
    if algorithm != upload.algorithm:
        raise Refusal(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: "
            f"{upload.algorithm.lower()}, actual checksum Type: {algorithm.lower()}",
        )
    if value != actual.value:
        raise Refusal("BadDigest", f"The {algorithm.lower()} you specified did not match the calculated checksum.")


def abort_upload(call: Call) -> HttpResponse:
    """AbortMultipartUpload."""
    bucket = call.bucket
    del bucket.uploads[bucket.upload(call.key, call.query["uploadId"]).upload_id]
    return HttpResponse(status=204)


def list_parts(call: Call) -> HttpResponse:
    """ListParts."""
    bucket, encode = call.bucket, encoder(call)
    upload = bucket.upload(call.key, call.query["uploadId"])
    limit = call.number("max-parts", 1000, 1000)
    marker = call.number("part-number-marker", 0, 0x7FFFFFFF)
    later = [upload.parts[number] for number in sorted(upload.parts) if number > marker]
    page = later[:limit]
    inner = [
        element("Bucket", bucket.name),
        f"<Key>{encode(call.key)}</Key>",
        element("UploadId", upload.upload_id),
        element("StorageClass", upload.attributes.storage_class),
        f"<PartNumberMarker>{marker}</PartNumberMarker>",
        f"<NextPartNumberMarker>{page[-1].number if page else 0}</NextPartNumberMarker>",
        f"<MaxParts>{limit}</MaxParts>",
        f"<IsTruncated>{'true' if len(later) > len(page) else 'false'}</IsTruncated>",
    ]
    if upload.is_declared:
        inner.append(element("ChecksumAlgorithm", upload.algorithm) + element("ChecksumType", upload.kind))
    for part in page:
        sums = element(f"Checksum{upload.algorithm}", part.checksum.value) if upload.is_declared else ""
        inner.append(
            f"<Part><PartNumber>{part.number}</PartNumber>{element('LastModified', iso_time(part.modified_s))}"
            f"<ETag>&quot;{part.etag}&quot;</ETag><Size>{part.content.size}</Size>{sums}</Part>"
        )
    return document("ListPartsResult", "".join(inner))


def _upload_element(upload: Upload, encode: Callable[[str], str]) -> str:
    return (
        f"<Upload><Key>{encode(upload.key)}</Key>{element('UploadId', upload.upload_id)}"
        f"{element('StorageClass', upload.attributes.storage_class)}"
        f"{element('Initiated', iso_time(upload.started_s))}</Upload>"
    )


def list_uploads(call: Call) -> HttpResponse:
    """ListMultipartUploads: by key, then by the time they were started."""
    bucket, query, encode = call.bucket, call.query, encoder(call)
    if bucket.is_directory:
        check_directory(query)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    limit = call.number("max-uploads", 1000, 1000)
    key_marker, id_marker = query.get("key-marker", ""), query.get("upload-id-marker", "")
    by_key: dict[str, list[Upload]] = {}
    for upload in sorted(bucket.uploads.values(), key=lambda one: (one.key, ordinal_in(one.upload_id))):
        by_key.setdefault(upload.key, []).append(upload)
    if key_marker and id_marker:
        last = ordinal_in(id_marker)  # aborted meanwhile or not
        by_key[key_marker] = [one for one in by_key.get(key_marker, []) if ordinal_in(one.upload_id) > last]
    start = key_marker if id_marker else after_marker(key_marker, prefix, delimiter)
    found: list[tuple[str, Upload | None]] = []
    for row in rows(sorted(by_key), prefix, delimiter, start):
        if row.is_prefix:
            found.append((row.name, None))
        else:
            found.extend((row.name, upload) for upload in by_key[row.name])
    page = found[:limit]
    inner = [
        element("Bucket", bucket.name),
        f"<KeyMarker>{encode(key_marker)}</KeyMarker>",
        element("UploadIdMarker", id_marker),
    ]
    if page and len(found) > len(page):
        name, final = page[-1]
        inner.append(f"<NextKeyMarker>{encode(name)}</NextKeyMarker>")
        is_told = final is not None and not bucket.is_directory
        inner.append(element("NextUploadIdMarker", final.upload_id if final is not None and is_told else ""))
    inner += [
        f"<Prefix>{encode(prefix)}</Prefix>",
        f"<Delimiter>{encode(delimiter)}</Delimiter>" if delimiter else "",
        "<EncodingType>url</EncodingType>" if "encoding-type" in query else "",
        f"<MaxUploads>{limit}</MaxUploads>",
        f"<IsTruncated>{'true' if len(found) > len(page) else 'false'}</IsTruncated>",
    ]
    inner += [_upload_element(one, encode) for _, one in page if one is not None]
    inner.append(common_prefixes([name for name, one in page if one is None], encode))
    return document("ListMultipartUploadsResult", "".join(inner))
