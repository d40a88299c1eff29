"""Pages of ListBuckets, believed only whole."""

from __future__ import annotations

from dataclasses import dataclass

from orbit_fast.core.decode_errors import success_document
from orbit_fast.core.decode_facts import iso_time_ns
from orbit_fast.core.decode_fields import bad_listing
from orbit_fast.core.decode_fields import required
from orbit_fast.core.errors import BadReply
from orbit_fast.core.model import Bucket
from orbit_fast.core.model import Reply
from orbit_fast.core.xml import Element


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketsPage:
    """One page of buckets; `next_token` is ``''`` on the last."""

    buckets: tuple[Bucket, ...]
    next_token: str = ""


def list_buckets(reply: Reply, *, token: str = "") -> BucketsPage:
    """One page of ListBuckets, which was asked for with `token`.

    Raises:
        BadReply: it is no whole page (``E_BAD_LISTING`` where it was well-formed).
        S3Error: the body holds an error.
    """
    root = success_document(reply, "ListBuckets", "ListAllMyBucketsResult")
    holder = root.child("Buckets")
    if holder is None:
        raise bad_listing("it has no list of buckets")
    next_token = root.text_of("ContinuationToken")
    if token and next_token == token:
        raise BadReply("the service hands out the same page for ever", code="E_LIST_LOOP")
    buckets = tuple(_bucket(item) for item in holder.children if item.name == "Bucket")
    return BucketsPage(buckets=buckets, next_token=next_token)


def _bucket(item: Element) -> Bucket:
    """One bucket. Its time is told where it makes sense: some services have none."""
    try:
        created_ns = iso_time_ns(item.text_of("CreationDate"))
    except ValueError:
        created_ns = 0
    name = required(item.text_of("Name"), "a bucket's name")
    return Bucket(name=name, created_ns=max(0, created_ns), region=item.text_of("BucketRegion"))
