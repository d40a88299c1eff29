"""Every guarantee is guarded by a test that misses it: see `tests.kit.sabotage`.

The lists are data: `tests.sabotage.transfers`, `tests.sabotage.answers`, `tests.sabotage.local`,
`tests.sabotage.moves`, `tests.sabotage.library`, `tests.sabotage.sync`, `tests.sabotage.crashes`.
"""

from __future__ import annotations

from itertools import chain

import pytest

from tests.kit.sabotage import Workshop
from tests.kit.sabotage import slips
from tests.sabotage import answers
from tests.sabotage import crashes
from tests.sabotage import library
from tests.sabotage import local
from tests.sabotage import moves
from tests.sabotage import sync
from tests.sabotage import transfers

SABOTAGES = (
    *transfers.SABOTAGES,
    *answers.SABOTAGES,
    *local.SABOTAGES,
    *moves.SABOTAGES,
    *library.SABOTAGES,
    *sync.SABOTAGES,
    *crashes.SABOTAGES,
)
GROUPS = 4
pytestmark = [pytest.mark.slow, pytest.mark.timeout(450)]


def test_the_list_is_in_order():
    """Names are unique, and every guarantee that can be broken now is broken at least once."""
    names = [sabotage.name for sabotage in SABOTAGES]
    assert len(set(names)) == len(names)
    assert len(names) >= 40
    assert {sabotage.guarantee for sabotage in SABOTAGES} == {f"R{number}" for number in range(1, 20)}


@pytest.mark.parametrize("group", range(GROUPS))
def test_an_honest_copy_passes(tmp_path, group):
    """The tests that must go red are green over an unchanged copy."""
    tests = sorted(set(chain.from_iterable(sabotage.tests for sabotage in SABOTAGES)))
    code, said = Workshop.open(tmp_path).run(tests[group::GROUPS], each_s=300.0)
    assert code == 0, said


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.name)
def test_sabotage_is_noticed(tmp_path, sabotage):
    """At least one test fails, by its assertion, when the guarantee is taken away."""
    workshop = Workshop.open(tmp_path)
    workshop.apply(sabotage.edits)
    code, said = workshop.run(sabotage.tests)
    assert code == 1, f"{sabotage.guarantee}: nobody notices: {sabotage.name}\n{said}"
    assert not slips(said), said
