"""What is there: pages of a listing, and single keys.

A page is accepted only when it is whole and plausible (right root element, keys that begin with the prefix and go on
after the page before, a token where it says that there is more); anything else is an incomplete listing and an error,
never a shorter list. Directory buckets list in no order: theirs say so, and whoever needs one sorts.
"""

from __future__ import annotations

from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core.directory_buckets import listable_prefix
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import NotFound
from orbit_fast.core.limits import MAX_PAGE_BYTES
from orbit_fast.core.messages import Found
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import Page
from orbit_fast.core.messages import Stat
from orbit_fast.core.model import Entry
from orbit_fast.core.model import ObjectFacts
from orbit_fast.core.model import Reply
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import explain
from orbit_fast.io.transfer import head_reply


def list_page(around: Surroundings, order: ListPage) -> Flow[Page]:
    """Fetch one page.

    Raises:
        S3Error: it could not be had, or is not to be believed.
    """
    site = around.sites[order.site]
    if site.is_directory:
        return (yield from _unsorted_page(order))
    if site.use_list_v1:
        request = encode.list_objects_v1(
            prefix=order.prefix,
            delimiter=order.delimiter,
            marker=order.token or order.start_after,
            max_keys=order.max_keys,
        )
        read = decode.list_objects_v1
    else:
        request = encode.list_objects_v2(
            prefix=order.prefix,
            delimiter=order.delimiter,
            token=order.token,
            start_after=order.start_after,
            max_keys=order.max_keys,
        )
        read = decode.list_objects_v2

    def check(reply: Reply) -> decode.Listing:
        listing = read(reply)
        if order.start_after and not order.token and listing.entries and listing.entries[0].key <= order.start_after:
            raise BadReply("the service takes no notice of where a listing is to begin", code="E_LIST_START")
        decode.check_page(listing, prefix=order.prefix, after=order.last_key or order.start_after, token=order.token)
        return listing

    reply = yield Call(request=request, site=order.site, max_body=MAX_PAGE_BYTES, check=check)
    listing: decode.Listing = reply.decoded
    return Page(
        number=order.number,
        entries=listing.entries,
        prefixes=listing.prefixes,
        next_token=listing.next_token if listing.is_truncated else "",
    )


def _unsorted_page(order: ListPage) -> Flow[Page]:
    """Fetch one page of a directory bucket: keys in no order, of the directory that the prefix stands in.

    Raises:
        S3Error: it could not be had, or is not to be believed.
    """
    assert not order.start_after, "only what is sorted is listed in stretches"
    prefix = order.prefix
    asked = listable_prefix(prefix)
    request = encode.list_objects_v2(
        prefix=asked, delimiter=order.delimiter, token=order.token, max_keys=order.max_keys
    )

    def check(reply: Reply) -> decode.Listing:
        listing = decode.list_objects_v2(reply)
        decode.check_page(listing, prefix=asked, token=order.token, is_ordered=False)
        return listing

    reply = yield Call(request=request, site=order.site, max_body=MAX_PAGE_BYTES, check=check)
    listing: decode.Listing = reply.decoded
    entries, prefixes = listing.entries, listing.prefixes
    if prefix != asked:
        entries = tuple(entry for entry in entries if entry.key.startswith(prefix))
        prefixes = tuple(one for one in prefixes if one.startswith(prefix))
    return Page(
        number=order.number,
        entries=entries,
        prefixes=prefixes,
        next_token=listing.next_token if listing.is_truncated else "",
        is_sorted=False,
    )


def stat(around: Surroundings, order: Stat) -> Flow[Found]:
    """Look one key up.

    Raises:
        NotFound: there is no such object.
        BucketNotFound: there is not even the bucket, which a HEAD alone could not tell.
    """
    reply = yield from named(around, order.site, order.key, order.version_id)
    facts: ObjectFacts = reply.decoded
    entry = Entry(
        key=order.key,
        size=facts.size,
        mtime_ns=facts.mtime_ns,
        etag=facts.etag,
        storage_class=facts.storage_class,
        version_id=order.version_id,
    )
    return Found(number=order.number, entry=entry, restore=facts.restore)


def named(around: Surroundings, site: int, key: str, version_id: str) -> Flow[Reply]:
    """HeadObject of a key that the user named, with the facts decoded.

    Raises:
        NotFound: there is no such object.
        BucketNotFound: there is not even the bucket, which a HEAD alone could not tell.
    """
    try:
        return (yield from head_reply(around, site, key, version_id))
    except NotFound as error:
        yield from explain(around, site, key, version_id, error)
        return (yield from head_reply(around, site, key, version_id))
