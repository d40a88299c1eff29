"""Any operation of S3 by botocore's service model: parameters in, a dictionary out, and no botocore client.

What is hot has encoders and decoders of its own (`core.encode`, `core.decode`). All the rest, a request or two in a
job, is written down by the model that botocore ships: its serializer makes the request, its parser reads the answer,
and between them the request goes the way of every other one. The first use loads the model: 0.2 s.

What botocore's client adds by its handlers is added here where it matters: checksums that an operation insists on,
customer keys in base64 with their MD5, line ends in XML, and the answer of GetBucketLocation, which no model describes.
Keys in listings stay as the service encoded them: ask with ``EncodingType`` and decode, or use `core.decode`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from urllib.parse import parse_qsl

from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.decode_errors import success_document
from orbit_fast.core.encode_headers import Headers
from orbit_fast.core.encode_headers import body_checksum
from orbit_fast.core.encode_headers import checksum_header
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.limits import MAX_PAGE_BYTES
from orbit_fast.core.model import Reply
from orbit_fast.core.model import Request
from orbit_fast.core.xml import is_encodable
from orbit_fast.core.xml import parse_any
from orbit_fast.io.flow import FIRST_BYTE_S
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.transfer import Surroundings

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from botocore.model import ServiceModel
    from botocore.model import StructureShape
    from botocore.parsers import ResponseParser

Params = Mapping[str, Any]

_PLACE: Final = "bucket"
"""Stands for the bucket where the model wants one; it is not sent, because a site knows its own."""
_ROOTS: Final = {
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketLocation": "LocationConstraint",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectTagging": "Tagging",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListParts": "ListPartsResult",
}
"""Root elements of answers that commands decide on; those of other operations may be called anything but an error."""
_ROOTS_TOO: Final = {"GetBucketVersioning": "GetBucketVersioningResponse"}
"""What moto calls some of them."""
_TEXT_LIMIT: Final = 300
"""Characters of somebody else's message."""


def service_call(
    around: Surroundings,
    site: int,
    operation: str,
    params: Params,
    *,
    first_byte_s: float = FIRST_BYTE_S,
    is_idempotent: bool = True,
) -> Flow[dict[str, Any]]:
    """Do an operation, and read its answer as botocore would: see `service_reply`."""
    reply = yield from service_reply(
        around, site, operation, params, first_byte_s=first_byte_s, is_idempotent=is_idempotent
    )
    answer: dict[str, Any] = reply.decoded
    return answer


def service_reply(
    around: Surroundings,
    site: int,
    operation: str,
    params: Params,
    *,
    first_byte_s: float = FIRST_BYTE_S,
    is_idempotent: bool = True,
) -> Flow[Reply]:
    """Do an operation; what was decoded is its answer as botocore would read it.

    A service that refuses the checksum header of a body gets Content-MD5 instead.

    Args:
        around: as for every flow.
        site: number of the site; for an operation without a bucket (ListBuckets) one whose bucket is ``''``.
        operation: S3's name of it.
        params: botocore's parameters of it, without ``Bucket``, and without ``RequestPayer``: a site says that itself.
        first_byte_s: how long the answer may take; see `Call`.
        is_idempotent: it may be sent again when it is not known whether the service acted on it.

    Raises:
        InvalidConfig: no such operation, a parameter that is unknown, missing or of a wrong type, or an answer that is
            a stream.
        S3Error: what the service answered instead.
    """
    model = _operation(operation)
    if model.has_streaming_output or model.has_event_stream_output:
        raise InvalidConfig(f"{operation}: its answer is a stream")
    if _has_member(model, "Bucket") != bool(around.sites[site].bucket):
        raise Internal(f"{operation} asked of {around.sites[site].bucket or 'no bucket'!r}")

    def check(reply: Reply) -> dict[str, Any]:
        return service_answer(operation, reply)

    def call(*, use_md5: bool) -> Call:
        return Call(
            request=service_request(operation, params, use_md5=use_md5),
            site=site,
            max_body=MAX_PAGE_BYTES,
            first_byte_s=first_byte_s,
            is_idempotent=is_idempotent,
            check=check,
        )

    use_md5 = not around.ladder.step(site).has_checksum
    try:
        return (yield call(use_md5=use_md5))
    except HeaderRefused:
        first = service_request(operation, params)
        if use_md5 or not any(name.startswith("x-amz-checksum-") for name, _ in first.headers):
            raise
        return (yield call(use_md5=True))


def service_request(operation: str, params: Params, *, use_md5: bool = False) -> Request:
    """The request for an operation, also for one whose answer is a stream.

    Args:
        operation: S3's name of it.
        params: botocore's parameters of it, without ``Bucket``.
        use_md5: prove a body that has to be proven by Content-MD5 instead of a checksum.

    Raises:
        InvalidConfig: no such operation, or a parameter that is unknown, missing or of a wrong type.
    """
    from botocore.exceptions import ParamValidationError  # noqa: PLC0415 - loaded with the model

    model = _operation(operation)
    if "Bucket" in params or "RequestPayer" in params:
        raise InvalidConfig(f"{operation}: Bucket and RequestPayer are the site's")
    given = _with_keys(operation, params)
    if _has_member(model, "Bucket"):
        given["Bucket"] = _PLACE
    try:
        wire = _tools()[1].serialize_to_request(given, model)
    except ParamValidationError as error:
        raise InvalidConfig(_one_line(operation, error.kwargs["report"])) from None
    except (TypeError, ValueError) as error:  # a time that is none
        raise InvalidConfig(_one_line(operation, str(error))) from None
    body = _body(operation, model, wire["body"])
    headers = tuple((name.lower(), str(value)) for name, value in wire["headers"].items())
    return Request(
        operation=operation,
        method=wire["method"],
        key=given.get("Key", ""),
        query=_query(wire),
        headers=headers + _proof(model, given, headers, body, use_md5=use_md5),
        body=body,
    )


def service_answer(operation: str, reply: Reply) -> dict[str, Any]:
    """What a good reply says, as botocore's parser reads it.

    Raises:
        S3Error: the body holds an error.
        BadReply: it is no whole answer.
    """
    from botocore.awsrequest import HeadersDict  # noqa: PLC0415 - loaded with the model
    from botocore.parsers import ResponseParserError  # noqa: PLC0415 - as above

    shape: StructureShape | None = _operation(operation).output_shape
    if shape is None:
        return {}
    location = None
    if _is_document(shape):
        also = _ROOTS_TOO.get(operation, "")
        location = success_document(reply, operation, _ROOTS.get(operation) or _root_of(reply), also=also).text
    response = {"status_code": reply.status, "headers": HeadersDict(reply.headers), "body": reply.body}
    try:
        answer: dict[str, Any] = _tools()[2].parse(response, shape)
    except (ResponseParserError, ValueError, TypeError, OverflowError, RuntimeError) as error:  # the last: a far time
        raise BadReply(_one_line(operation, f"an answer that cannot be read: {error}"), status=reply.status) from None
    answer.pop("ResponseMetadata", None)
    if operation == "GetBucketLocation":
        answer["LocationConstraint"] = location or None
    return answer


def _root_of(reply: Reply) -> str:
    """The name of the answer's root element, unless that says that it is an error."""
    name = parse_any(reply.body).name
    return "" if name in {"Error", "ErrorResponse"} else name


# --- the model -------------------------------------------------------------------------------------------------------


@functools.cache  # the model is data: one of it is enough for a process
def _tools() -> tuple[ServiceModel, Any, ResponseParser]:
    """S3's model as botocore ships it (no file of the user's changes it), its serializer and its parser."""
    from botocore.loaders import Loader  # noqa: PLC0415 - 0.2 s that only those pay who come here
    from botocore.model import ServiceModel  # noqa: PLC0415 - as above
    from botocore.parsers import create_parser  # noqa: PLC0415 - as above
    from botocore.serialize import create_serializer  # noqa: PLC0415 - as above

    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    model = ServiceModel(loader.load_service_model("s3", "service-2"), "s3")
    return model, create_serializer("rest-xml"), create_parser("rest-xml")


def _operation(name: str) -> OperationModel:
    """The model of one operation.

    Raises:
        InvalidConfig: there is none, or it goes to a host of its own.
    """
    from botocore.model import OperationNotFoundError  # noqa: PLC0415 - loaded with the model

    try:
        model = _tools()[0].operation_model(name)
    except OperationNotFoundError:
        raise InvalidConfig(f"S3 has no operation {name!r}") from None
    if model.endpoint is not None:
        raise InvalidConfig(f"{name} goes to a host of its own, which orbit does not know")
    return model


def _has_member(model: OperationModel, name: str) -> bool:
    return model.input_shape is not None and name in model.input_shape.members


def _is_document(shape: StructureShape) -> bool:
    """Whether the answer's body is XML: anything of it stands neither in headers nor in a plain payload."""
    payload = shape.serialization.get("payload")
    if payload is not None:
        return bool(shape.members[payload].type_name == "structure")
    return any("location" not in member.serialization for member in shape.members.values())


# --- pieces of a request ---------------------------------------------------------------------------------------------


def _with_keys(operation: str, params: Params) -> dict[str, Any]:
    """The parameters with customer keys as they are sent: base64, and the MD5 beside it.

    Raises:
        InvalidConfig: a key is neither text nor bytes. It is not shown.
    """
    given = dict(params)
    for side in ("SSECustomer", "CopySourceSSECustomer"):
        key = given.get(f"{side}Key")
        if key is None:
            continue
        if not isinstance(key, str | bytes):
            raise InvalidConfig(f"{operation}: {side}Key must be text or bytes")
        raw = key.encode() if isinstance(key, str) else key
        given[f"{side}Key"] = base64.b64encode(raw).decode("ascii")
        digest = hashlib.md5(raw, usedforsecurity=False).digest()
        given.setdefault(f"{side}KeyMD5", base64.b64encode(digest).decode("ascii"))
    return given


def _query(wire: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The query: what the operation's address holds, and the parameters that go there."""
    pairs = parse_qsl(wire["url_path"].partition("?")[2], keep_blank_values=True)
    for name, value in wire["query_string"].items():
        values = value if isinstance(value, list) else [value]
        pairs += [(name, str(one)) for one in values]
    return tuple(pairs)


def _body(operation: str, model: OperationModel, body: Any) -> bytes:
    """The body in memory; in XML with line ends that no parser changes.

    Raises:
        InvalidConfig: it is no bytes, or holds what XML cannot carry.
    """
    if isinstance(body, bytearray):
        body = bytes(body)
    if not isinstance(body, bytes):
        raise InvalidConfig(f"{operation}: the body must be text or bytes")
    shape = model.input_shape
    payload = None if shape is None else shape.serialization.get("payload")
    if not body or (shape is not None and payload and shape.members[payload].type_name != "structure"):
        return body
    if not is_encodable(body.decode("utf-8")):
        raise InvalidConfig(f"{operation}: XML cannot carry a control character of its parameters")
    return body.replace(b"\r", b"&#xD;").replace(b"\n", b"&#xA;")


def _proof(model: OperationModel, given: Params, headers: Headers, body: bytes, *, use_md5: bool) -> Headers:
    """The checksum of a body, where the operation insists on one or the caller chose its algorithm.

    Raises:
        InvalidConfig: there is no such algorithm.
    """
    if any(name.startswith("x-amz-checksum-") and name not in _ABOUT_CHECKSUMS for name, _ in headers):
        return ()  # the caller has computed it
    trait = model.http_checksum
    member = trait.get("requestAlgorithmMember", "")
    chosen = given.get(member) if member else None
    if chosen:
        return (checksum_header(checksum_of(chosen, body)),)
    if not (model.http_checksum_required or trait.get("requestChecksumRequired")):
        return ()
    if use_md5:
        return () if any(name == "content-md5" for name, _ in headers) else body_checksum(body, use_md5=True)
    proof = body_checksum(body, use_md5=False)
    return proof if member else proof[:1]


_ABOUT_CHECKSUMS: Final = frozenset({"x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"})


def _one_line(operation: str, text: str) -> str:
    line = f"{operation}: {' '.join(text.split())}"
    return line if len(line) <= _TEXT_LIMIT else line[:_TEXT_LIMIT] + "…"
