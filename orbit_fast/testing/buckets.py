"""Operations on buckets themselves."""

from __future__ import annotations

import base64
import binascii
import re

from orbit_fast.testing import xmlin
from orbit_fast.testing.call import Call
from orbit_fast.testing.call import check_proof
from orbit_fast.testing.exchange import HttpResponse
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.xmlout import document
from orbit_fast.testing.xmlout import element
from orbit_fast.testing.xmlout import iso_time

OWNER = "<Owner><ID>0000000000000000000000000000000000000000000000000000000000000000</ID></Owner>"
MAX_BUCKETS = 10_000
"""Buckets of an answer at most ("ListBuckets", S3 API reference)."""
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def list_buckets(call: Call) -> HttpResponse:
    """ListBuckets; in pages only where ``max-buckets`` asks for them."""
    query, region = call.query, call.settings.region
    prefix, token = query.get("prefix", ""), query.get("continuation-token", "")
    limit = call.number("max-buckets", MAX_BUCKETS, MAX_BUCKETS)
    if not limit:
        raise Refusal("InvalidArgument", "max-buckets must be between 1 and 10000", ArgumentName="max-buckets")
    after = _name_in(token) if token else ""
    is_asked = query.get("bucket-region", region) == region
    names = [name for name in sorted(call.store.buckets) if is_asked and name.startswith(prefix) and name > after]
    inner = "".join(
        f"<Bucket>{element('Name', name)}{element('CreationDate', iso_time(call.store.buckets[name].created_s))}"
        f"{element('BucketRegion', region)}</Bucket>"
        for name in names[:limit]
    )
    parts = [f"{OWNER}<Buckets>{inner}</Buckets>"]
    if prefix:
        parts.append(element("Prefix", prefix))
    if len(names) > limit:
        token = base64.urlsafe_b64encode(names[limit - 1].encode("utf-8")).decode("ascii")
        parts.append(element("ContinuationToken", token))
    return document("ListAllMyBucketsResult", "".join(parts))


def _name_in(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise Refusal("InvalidArgument", "The continuation token provided is incorrect") from None


def create_bucket(call: Call) -> HttpResponse:
    """CreateBucket in this server's region.

    The bucket's owner may create it again, which does nothing, in us-east-1; elsewhere that is an error.
    """
    name = call.request.bucket
    if not _NAME.fullmatch(name) or ".." in name:
        raise Refusal("InvalidBucketName", BucketName=name)
    if call.headers.get("x-amz-bucket-object-lock-enabled", "false").lower() != "false":
        raise Refusal("NotImplemented", Header="x-amz-bucket-object-lock-enabled")
    _check_location(call)
    if name in call.store.foreign:
        raise Refusal("BucketAlreadyExists", BucketName=name)
    if name in call.store.buckets and call.settings.region != "us-east-1":
        raise Refusal("BucketAlreadyOwnedByYou", BucketName=name)
    call.store.create_bucket(name)
    return HttpResponse(headers=[("location", f"/{name}")])


def _check_location(call: Call) -> None:
    """The bucket shall be where this server is.

    Raises:
        Refusal: it shall be elsewhere, nowhere, or in us-east-1, which has no name here.
    """
    wanted = ""
    if call.request.content.size:
        wanted = xmlin.parse(call.request.content, "CreateBucketConfiguration").text("LocationConstraint") or ""
    region = call.settings.region
    if wanted == "us-east-1" or (wanted and wanted != "EU" and not _REGION.fullmatch(wanted)):
        raise Refusal("InvalidLocationConstraint", LocationConstraint=wanted)
    if {"": "us-east-1", "EU": "eu-west-1"}.get(wanted, wanted) != region:
        raise Refusal(
            "IllegalLocationConstraintException",
            f"The {wanted or 'unspecified'} location constraint is incompatible for the region specific endpoint this "
            "request was sent to.",
        )


def delete_bucket(call: Call) -> HttpResponse:
    """DeleteBucket, which has to be empty."""
    bucket = call.bucket
    if bucket.versions:
        refusal = Refusal("BucketNotEmpty", BucketName=bucket.name)
        if bucket.versioning:
            refusal.message += ". You must delete all versions in the bucket."
        raise refusal
    del call.store.buckets[bucket.name]
    return HttpResponse(status=204)


def head_bucket(call: Call) -> HttpResponse:
    """HeadBucket."""
    call.bucket  # noqa: B018 (raises where there is none)
    return HttpResponse(headers=[("x-amz-bucket-region", call.settings.region)], length=0)


def create_session(call: Call) -> HttpResponse:
    """CreateSession of a directory bucket."""
    if not call.bucket.is_directory:
        raise Refusal("MethodNotAllowed", Method=call.request.method)
    identity = call.store.sessions.begin(call.bucket.name, call.store.now()).identity
    inner = (
        element("SessionToken", identity.token)
        + element("SecretAccessKey", identity.secret_key)
        + element("AccessKeyId", identity.access_key)
        + element("Expiration", iso_time(int(identity.expires_at_s)))
    )
    return document("CreateSessionResult", f"<Credentials>{inner}</Credentials>")


def get_location(call: Call) -> HttpResponse:
    """GetBucketLocation: the oldest region has no name here."""
    call.bucket  # noqa: B018 (raises where there is none)
    region = call.settings.region
    response = document("LocationConstraint", "" if region == "us-east-1" else region)
    response.headers.append(("x-amz-bucket-region", region))
    return response


def get_versioning(call: Call) -> HttpResponse:
    """GetBucketVersioning."""
    state = call.bucket.versioning
    return document("VersioningConfiguration", element("Status", state) if state else "")


def put_versioning(call: Call) -> HttpResponse:
    """PutBucketVersioning."""
    check_proof(call)
    bucket = call.bucket
    state = xmlin.parse(call.request.content, "VersioningConfiguration").text("Status")
    if state not in {"Enabled", "Suspended"}:
        raise Refusal("MalformedXML")
    bucket.versioning = state
    return HttpResponse()
