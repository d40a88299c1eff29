"""What HeadObject says about a restore."""

from __future__ import annotations

import pytest

from orbit_fast.core.restoring import RestoreFacts
from orbit_fast.core.restoring import RestoreState
from orbit_fast.core.restoring import may_be_archived
from orbit_fast.core.restoring import restore_facts

DONE = 'ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"'
UNTIL_NS = 1_356_048_000 * 10**9


@pytest.mark.parametrize(
    ("headers", "facts"),
    [
        ({}, ("not-archived", "STANDARD", 0)),
        ({"x-amz-storage-class": "GLACIER_IR"}, ("not-archived", "GLACIER_IR", 0)),
        ({"x-amz-storage-class": "GLACIER"}, ("not-requested", "GLACIER", 0)),
        (
            {"x-amz-storage-class": "INTELLIGENT_TIERING", "x-amz-archive-status": "ARCHIVE_ACCESS"},
            ("not-requested", "INTELLIGENT_TIERING", 0),
        ),
        ({"x-amz-storage-class": "INTELLIGENT_TIERING"}, ("not-archived", "INTELLIGENT_TIERING", 0)),
        (
            {"x-amz-storage-class": "DEEP_ARCHIVE", "x-amz-restore": 'ongoing-request="true"'},
            ("in-progress", "DEEP_ARCHIVE", 0),
        ),
        ({"x-amz-storage-class": "GLACIER", "x-amz-restore": DONE}, ("restored", "GLACIER", UNTIL_NS)),
        (
            {"x-amz-storage-class": "GLACIER", "x-amz-restore": 'ongoing-request="false", expiry-date="soon"'},
            ("restored", "GLACIER", 0),
        ),
    ],
)
def test_restore_facts(headers, facts):
    """State, class and time, whatever of it is said."""
    state, storage_class, until_ns = facts
    known = RestoreFacts(state=RestoreState(state), storage_class=storage_class, until_ns=until_ns)
    assert restore_facts(headers) == known


def test_which_classes_may_be_archived():
    """Those that always are, and the one of which a listing does not tell."""
    names = ("", "STANDARD", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING")
    assert [name for name in names if may_be_archived(name)] == ["GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING"]
