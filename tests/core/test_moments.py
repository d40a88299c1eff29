"""Times that no message can carry are held at the first or the last that it can."""

from __future__ import annotations

import pytest

from orbit_fast.core.messages import encode
from orbit_fast.core.moments import LAST_NS
from orbit_fast.core.moments import held


@pytest.mark.parametrize(
    ("time_ns", "expected"),
    [
        (0, 0),
        (-1, -1),
        (LAST_NS, LAST_NS),
        (LAST_NS + 1, LAST_NS),
        (-LAST_NS, -LAST_NS),
        (-LAST_NS - 1, -LAST_NS),
        (253_402_300_800 * 10**9, LAST_NS),
        (-62_135_596_800 * 10**9, -LAST_NS),
    ],
)
def test_held(time_ns, expected):
    """What fits stays, what does not is the nearest that does; all of it can be told."""
    assert held(time_ns) == expected
    assert encode(held(time_ns))
