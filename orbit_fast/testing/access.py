"""Who may do what: operations that a test denies, and buckets whose requester pays.

Every known key may do everything; a test that wants less adds operations to `Bucket.denied`. A bucket with
`requester_pays` treats everybody as somebody else than its owner.
"""

from __future__ import annotations

from collections.abc import Callable

from orbit_fast.testing.call import Call
from orbit_fast.testing.directories import UNKNOWN
from orbit_fast.testing.exchange import HttpResponse
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.store import Bucket

_FREE = frozenset({"CreateBucket", "GetBucketLocation", "HeadBucket"})
"""Operations that have no ``x-amz-request-payer``."""


def answered(call: Call, operation: Callable[[Call], HttpResponse]) -> HttpResponse:
    """What the operation answers, where it may be done at all.

    Raises:
        Refusal: it may not, or does not work out.
    """
    bucket = call.store.buckets.get(call.request.bucket)
    if bucket is None:
        return operation(call)
    if call.request.operation in bucket.denied:
        raise Refusal("AccessDenied")
    if bucket.is_directory and call.request.operation in UNKNOWN:
        raise Refusal("NotImplemented")
    is_charged = bucket.requester_pays and call.request.operation not in _FREE
    if is_charged:
        check_payer(call, bucket)
    response = operation(call)
    if is_charged:
        response.headers.append(("x-amz-request-charged", "requester"))
    return response


def check_payer(call: Call, bucket: Bucket) -> None:
    """The request says that its sender pays, where that is asked.

    Raises:
        Refusal: it does not.
    """
    said = call.headers.get("x-amz-request-payer") or call.query.get("x-amz-request-payer", "")
    if bucket.requester_pays and (said != "requester" or call.request.proof.identity is None):
        raise Refusal("AccessDenied")
