"""What the soak calls flat."""

from __future__ import annotations

import pytest

from tests.crash.soak import Tree
from tests.crash.soak import spark
from tests.crash.soak import table

SAMPLES = 400


@pytest.mark.parametrize(
    ("unit", "first", "last", "is_flat"),
    [
        ("MiB", 60.0, 61.9, True),  # two are nothing
        ("MiB", 60.0, 63.1, False),
        ("MiB", 100.0, 104.9, True),  # nor is a twentieth
        ("MiB", 100.0, 105.1, False),
        ("MiB", 100.0, 50.0, True),
        ("", 20, 22, True),
        ("", 20, 23, False),
    ],
)
def test_what_grows_is_told(unit, first, last, is_flat):
    """The last quarter against those of the first half; one high value among many is no growth."""
    half = SAMPLES // 2
    values = [float(first)] * half + [float(last)] * half
    values[-1] *= 10
    rows, verdict = table({("memory", unit): values, ("nothing", ""): [1.0] * SAMPLES})
    assert verdict is is_flat
    assert ("**grows**" in rows[0]) is not is_flat
    assert rows[1].endswith("| flat |")


def test_a_line_of_bars():
    """As high as the highest."""
    assert spark([0.0] * 12 + [4.0] * 12 + [8.0] * 24, columns=4) == "▁▅██"

    assert spark([0.0] * 30) == "▁" * 24


def test_a_tree_knows_what_it_holds(tmp_path):
    """And sees a byte that is another one."""
    tree = Tree(tmp_path / "tree", 1)
    for _ in range(3):
        assert tree.change() == 5
    there = {str(path.relative_to(tree.directory)) for path in tree.directory.rglob("*") if path.is_file()}
    assert there == set(tree.files)
    assert tree.compare(tree.directory) == sum(map(len, tree.files.values()))
    name = next(iter(tree.files))
    (tree.directory / name).write_bytes(b"!" + tree.files[name][1:])
    with pytest.raises(RuntimeError, match=name):
        tree.compare(tree.directory)


def test_what_swings_does_not_grow():
    """It is as high in the end as it was in the beginning, whatever it was between."""
    quarter = SAMPLES // 4
    values = [16.0] * quarter + [9.0] * quarter + [4.0] * quarter + [12.0] * quarter
    assert table({("descriptors", ""): values})[1]
