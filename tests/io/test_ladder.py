"""What a service does not know, step by step."""

from __future__ import annotations

from orbit_fast.io.ladder import Ladder
from orbit_fast.io.ladder import Step


def down(ladder, *, is_conditional):
    """Every step from where the ladder stands."""
    steps = [ladder.step(0, is_conditional=is_conditional)]
    while ladder.go_down(0, steps[-1], is_conditional=is_conditional):
        steps.append(ladder.step(0, is_conditional=is_conditional))
    return steps


def test_the_steps():
    """The proof is exchanged before the condition is given up, and never left out."""
    md5, checksum = Step(has_checksum=False, has_condition=False), Step(has_checksum=True, has_condition=False)
    assert down(Ladder(), is_conditional=False) == [checksum, md5]
    conditional = [md5._replace(has_condition=True), checksum, md5]
    assert down(Ladder(), is_conditional=True) == [checksum._replace(has_condition=True), *conditional]


def test_what_another_upload_learned_meanwhile_is_worth_a_try():
    """Two uploads are refused at once: the ladder goes down one step, and both go on."""
    ladder = Ladder()
    first = ladder.step(0)
    assert ladder.go_down(0, first)
    assert ladder.go_down(0, first)
    assert not ladder.step(0).has_checksum
    assert not ladder.go_down(0, ladder.step(0))
    assert ladder.step(1) == first
