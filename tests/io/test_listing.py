"""Pages and single keys, played by hand."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import NotFound
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import Stat
from orbit_fast.io import listing
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import interrupt_everywhere
from tests.kit.flow_driver import reply
from tests.kit.flow_driver import staged

TOKEN = "<NextContinuationToken>t</NextContinuationToken>"
ENTRY = "<Contents><Key>{}</Key><Size>3</Size><LastModified>2026-01-02T03:04:05Z</LastModified></Contents>"


def page(*keys, more="", is_truncated=False):
    """A ListObjects answer."""
    entries = "".join(ENTRY.format(key) for key in keys)
    flag = "true" if is_truncated else "false"
    return reply(
        f"<ListBucketResult><IsTruncated>{flag}</IsTruncated>{entries}{more}</ListBucketResult>".encode(),
    )


def test_pages_follow_one_another(tmp_path):
    """The token of a page is what the next one is asked with; the last one has none."""
    with staged(tmp_path) as stage:
        driver = Driver([page("a/1", "a/2", more=TOKEN, is_truncated=True)])
        first = driver.run(listing.list_page(stage.around, ListPage(5, 0, "a/")))
        assert [entry.key for entry in first.entries] == ["a/1", "a/2"]
        assert (first.number, first.next_token) == (5, "t")
        driver = Driver([page("a/3")])
        second = driver.run(listing.list_page(stage.around, ListPage(6, 0, "a/", "t", last_key="a/2")))
    assert dict(driver.requests[0].query)["continuation-token"] == "t"
    assert (second.entries[0].size, second.next_token) == (3, "")


def test_the_older_verb_where_it_is_wanted(tmp_path):
    """ListObjects goes on by marker."""
    with staged(tmp_path) as stage:
        stage.around.sites[0] = replace(stage.around.sites[0], use_list_v1=True)
        driver = Driver([page("a", "b", is_truncated=True)])
        found = driver.run(listing.list_page(stage.around, ListPage(5, 0, "", "0")))
    assert driver.operations == ["ListObjects"]
    assert dict(driver.requests[0].query)["marker"] == "0"
    assert found.next_token == "b"


@pytest.mark.parametrize(
    ("answer", "order"),
    [
        (page("a", is_truncated=True), ListPage(1, 0, "")),
        (page("b/1"), ListPage(1, 0, "a/")),
        (page("b", "a"), ListPage(1, 0, "")),
        (page("a"), ListPage(1, 0, "", "t", last_key="a")),
        (page("a"), ListPage(1, 0, "", start_after="a")),
        (reply(b""), ListPage(1, 0, "")),
        (reply(b"<html></html>"), ListPage(1, 0, "")),
        (
            page("b", more=TOKEN, is_truncated=True),
            ListPage(1, 0, "", "t"),
        ),
    ],
    ids=["no token", "outside", "unordered", "no progress", "begins before", "empty", "web page", "the same token"],
)
def test_a_page_that_cannot_be_believed_is_an_error(tmp_path, answer, order):
    """Never a shorter list."""
    with staged(tmp_path) as stage, pytest.raises(BadReply):
        Driver([answer]).run(listing.list_page(stage.around, order))


def test_one_key_is_looked_up(tmp_path):
    """What HEAD says, with the state of a restore."""
    answer = reply(
        content_length="9",
        etag='"e"',
        last_modified="Fri, 02 Jan 2026 03:04:05 GMT",
        x_amz_storage_class="GLACIER",
        x_amz_restore='ongoing-request="false"',
    )
    with staged(tmp_path) as stage:
        driver = Driver([answer])
        found = driver.run(listing.stat(stage.around, Stat(4, 0, "k", "ver")))
    assert dict(driver.requests[0].query) == {"versionId": "ver"}
    assert (found.number, found.restore) == (4, 'ongoing-request="false"')
    entry = found.entry
    assert (entry.key, entry.size, entry.etag, entry.storage_class, entry.version_id) == ("k", 9, "e", "GLACIER", "ver")
    assert entry.mtime_ns == 1_767_323_045 * 10**9


def test_a_key_that_is_not_there(tmp_path):
    """NotFound, whatever else is asked before that is believed."""
    missing = NotFound("here", "k")
    with staged(tmp_path) as stage:
        flow = listing.stat(stage.around, Stat(4, 0, "k"))
        next(flow)

        def throw_always():
            for _ in range(3):
                flow.throw(missing)

        with pytest.raises(NotFound):
            throw_always()


def test_a_page_that_is_interrupted(tmp_path):
    """One request, and nothing left of it."""
    with staged(tmp_path) as stage:
        order = ListPage(1, 0, "")
        assert interrupt_everywhere(stage, lambda: listing.list_page(stage.around, order), [page()]) == 1
