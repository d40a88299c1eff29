"""Operations on buckets themselves."""

from __future__ import annotations

import re

from orbit_fast.testing import xmlin
from orbit_fast.testing.call import Call
from orbit_fast.testing.exchange import HttpResponse
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.xmlout import document
from orbit_fast.testing.xmlout import element
from orbit_fast.testing.xmlout import iso_time

OWNER = "<Owner><ID>0000000000000000000000000000000000000000000000000000000000000000</ID></Owner>"
_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def list_buckets(call: Call) -> HttpResponse:
    """ListBuckets."""
    prefix = call.query.get("prefix", "")
    inner = "".join(
        f"<Bucket>{element('Name', name)}{element('CreationDate', iso_time(bucket.created_s))}"
        f"{element('BucketRegion', call.settings.region)}</Bucket>"
        for name, bucket in sorted(call.store.buckets.items())
        if name.startswith(prefix)
    )
    return document("ListAllMyBucketsResult", f"{OWNER}<Buckets>{inner}</Buckets>")


def create_bucket(call: Call) -> HttpResponse:
    """CreateBucket in this server's region."""
    name = call.request.bucket
    if not _NAME.fullmatch(name) or ".." in name:
        raise Refusal("InvalidBucketName", BucketName=name)
    wanted = "us-east-1"
    if call.request.content.size:
        wanted = xmlin.parse(call.request.content, "CreateBucketConfiguration").text("LocationConstraint") or wanted
    if wanted != call.settings.region:
        raise Refusal("IllegalLocationConstraintException")
    if name in call.store.buckets and call.settings.region != "us-east-1":
        raise Refusal("BucketAlreadyOwnedByYou", BucketName=name)
    call.store.create_bucket(name)
    return HttpResponse(headers=[("location", f"/{name}")])


def delete_bucket(call: Call) -> HttpResponse:
    """DeleteBucket, which has to be empty."""
    bucket = call.bucket
    if bucket.versions:
        raise Refusal("BucketNotEmpty", BucketName=bucket.name)
    del call.store.buckets[bucket.name]
    return HttpResponse(status=204)


def head_bucket(call: Call) -> HttpResponse:
    """HeadBucket."""
    call.bucket  # noqa: B018 (raises where there is none)
    return HttpResponse(headers=[("x-amz-bucket-region", call.settings.region)], length=0)


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
    bucket = call.bucket
    state = xmlin.parse(call.request.content, "VersioningConfiguration").text("Status")
    if state not in {"Enabled", "Suspended"}:
        raise Refusal("MalformedXML")
    bucket.versioning = state
    return HttpResponse()
