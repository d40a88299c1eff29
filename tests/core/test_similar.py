"""Words that may have been meant."""

from __future__ import annotations

import pytest

from orbit_fast.core.similar import did_you_mean


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--regoin", " (did you mean --region?)"),
        ("--source-regio", " (did you mean --source-region?)"),
        ("--xregion", " (did you mean --region or --dest-region?)"),
        ("--zzz", ""),
    ],
)
def test_did_you_mean(word, meant):
    """The nearest words are named, two at most, and none that is far."""
    assert did_you_mean(word, ["--region", "--source-region", "--dest-region", "--json"]) == meant
