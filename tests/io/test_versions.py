"""Pages of versions, played by hand."""

from __future__ import annotations

import pytest

from orbit_fast.core.errors import BadReply
from orbit_fast.io.versions import list_versions_page
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import Tries
from tests.kit.flow_driver import interrupt_everywhere
from tests.kit.flow_driver import reply
from tests.kit.flow_driver import staged

ENTRY = (
    "<Version><Key>{}</Key><VersionId>{}</VersionId><IsLatest>false</IsLatest><LastModified>2026-01-02T03:04:05Z"
    "</LastModified><Size>3</Size></Version>"
)
NEXT = "<NextKeyMarker>{}</NextKeyMarker><NextVersionIdMarker>{}</NextVersionIdMarker>"


def page(*versions, more="", is_truncated=False):
    """A ListObjectVersions answer."""
    entries = "".join(ENTRY.format(*version) for version in versions)
    flag = "true" if is_truncated else "false"
    text = f"<ListVersionsResult><IsTruncated>{flag}</IsTruncated>{entries}{more}</ListVersionsResult>"
    return reply(text.encode())


def test_pages_follow_one_another():
    """The marker of a page is what the next one is asked with; the last one has none."""
    driver = Driver([page(("a/1", "v2"), more=NEXT.format("a/1", "v2"), is_truncated=True)])
    first = driver.run(list_versions_page(0, prefix="a/", max_keys=1))
    assert first.next_marker == ("a/1", "v2")
    driver = Driver([page(("a/1", "v1"), ("a/2", "v1"))])
    second = driver.run(list_versions_page(0, prefix="a/", marker=first.next_marker))
    assert [(one.key, one.version_id) for one in second.versions] == [("a/1", "v1"), ("a/2", "v1")]
    assert (second.is_truncated, second.next_marker) == (False, ("", ""))
    query = dict(driver.requests[0].query)
    assert (query["key-marker"], query["version-id-marker"], query["prefix"]) == ("a/1", "v2", "a/")


def test_a_page_that_cannot_be_right_is_asked_for_again():
    """A failed check is a failed try: nothing of the bad page is seen."""
    driver = Driver([Tries([page(("b", "v1")), page(("a/1", "v1"))])])
    found = driver.run(list_versions_page(0, prefix="a/"))
    assert [one.key for one in found.versions] == ["a/1"]
    with pytest.raises(BadReply):
        Driver([page(("a/1", "v1"), is_truncated=True)]).run(list_versions_page(0, prefix="a/"))


def test_it_ends_anywhere(tmp_path):
    """Closed or failed at its only call, it leaves nothing."""
    with staged(tmp_path) as stage:
        assert interrupt_everywhere(stage, lambda: list_versions_page(0, prefix=""), [page()]) == 1
