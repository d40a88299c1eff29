"""The order in which a move cannot lose the only copy, broken at each step (R17)."""

from __future__ import annotations

from tests.kit.sabotage import Edit
from tests.kit.sabotage import Sabotage

_MOVES = "faults/test_faults_moves.py::"

SABOTAGES = (
    Sabotage(
        "a move does not look whether what was acknowledged is there",
        "R17",
        (
            Edit(
                "io/move.py",
                '        raise _lost(item, "it is not there") from None\n    if facts.size',
                "        return\n    if facts.size",
            ),
        ),
        (_MOVES + "test_b14_an_object_that_is_acknowledged_and_lost_costs_no_source[up-faulty]",),
    ),
    Sabotage(
        "a move deletes a source that was replaced meanwhile",
        "R17",
        (
            Edit("io/move.py", "    if now != state:\n        return False\n", ""),
            Edit("io/move.py", "encode.delete_object(key, if_match=str(state[0]))", "encode.delete_object(key)"),
        ),
        (_MOVES + "test_a_source_that_is_replaced_is_moved_as_it_is_then[down]",),
    ),
    Sabotage(
        "a move deletes a file that changed after its upload",
        "R17",
        (Edit("io/move.py", "    if now != state:\n        return False\n", ""),),
        (_MOVES + "test_a_file_that_changes_after_its_upload_stays",),
    ),
    Sabotage(
        "a move deletes its source although the copy failed",
        "R17",
        (
            Edit(
                "io/move.py",
                "        ending = yield from copy(around, item)\n",
                "        yield from _delete(around, item, before)\n        ending = yield from copy(around, item)\n",
            ),
        ),
        (_MOVES + "test_a4_a5_an_answer_that_proves_nothing_costs_no_source",),
    ),
    Sabotage(
        "an object may be moved onto itself",
        "R17",
        (Edit("proc/intake.py", 'return self._settings.operation != "mv" and bool(', "return bool("),),
        (_MOVES + "test_nothing_is_moved_onto_itself",),
    ),
)
