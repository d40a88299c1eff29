"""Real trees and any destination: what a sync would delete is not at the source; the file system itself is asked."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from orbit_fast.core.errors import IncompleteListing
from orbit_fast.core.merge import Merge
from orbit_fast.core.model import Entry
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.core.sync import SyncOptions
from orbit_fast.core.sync import SyncPlan
from orbit_fast.core.tasks import LookForFiles
from orbit_fast.io.tasks.peers import look_for_files
from orbit_fast.proc.sync_sides import LocalSide
from tests.kit.flow_driver import Driver

# Characters on both sides of "/", and two whose order in UTF-16 is the other way round.
COMPONENTS = st.text(alphabet="ab-.0 A\uffff\U00010000", min_size=1, max_size=3).filter(lambda name: name.strip("."))
PATHS = st.lists(COMPONENTS, min_size=1, max_size=3).map("/".join)
LEADS = st.sampled_from(["file", "directory", "fifo", "nowhere", ".", "a"])
TREES = st.dictionaries(PATHS, st.sampled_from(["file", "file", "directory"]) | LEADS, max_size=8)
ENDS = st.sampled_from(["", "", "", "/", "/x", "-x", "."])


def _make(root, tree):
    """Make what can be made of it."""
    for path, kind in sorted(tree.items()):
        whole = root / path
        try:
            whole.parent.mkdir(parents=True, exist_ok=True)
            if kind == "directory":
                whole.mkdir()
            elif kind == "file":
                whole.touch(exist_ok=False)
            elif kind == "fifo":
                os.mkfifo(whole)
            else:
                whole.symlink_to(kind)
        except (FileExistsError, NotADirectoryError, OSError):
            continue


def _judged(root, dest, selection, *, deletes_excluded):
    """All that a sync decides."""
    follows = selection.follow_symlinks
    side = LocalSide(os.fsencode(root), follow_symlinks=follows, is_source=True, on_unnamed=lambda *_: None)
    merge: Merge = Merge()
    names = sorted(dest, key=str.encode)
    merge.feed_destination(names, [Entry(name, 1) for name in names])
    merge.end_destination()
    while not side.is_ended:
        merge.feed_source(*side.take())
    merge.end_source()
    options = SyncOptions(
        selection=selection, deletes=True, deletes_excluded=deletes_excluded, source_is_local=True, tells_identical=True
    )
    return SyncPlan(options).judge(merge.take())


def _look(root, selection, *names):
    task = LookForFiles(0, os.fsencode(root) + b"/", names)
    given = SimpleNamespace(settings=JobSettings(selection=selection))
    Driver([]).run(look_for_files(given, task))


@pytest.mark.slow
@settings(deadline=None)  # real files, on whatever disk
@given(
    tree=TREES,
    more=st.sets(st.tuples(PATHS, ENDS).map("".join), max_size=6),
    ends=st.lists(ENDS, min_size=8, max_size=8),
    follows=st.booleans(),
    exclude=st.sampled_from([(), (), ("a*",), ("*-*",)]),
    deletes_excluded=st.booleans(),
)
def test_no_extra_is_at_the_source(tree, more, ends, follows, exclude, deletes_excluded) -> None:
    """Links, pipes, directories with a file's name, odd orders: what goes is not there, and what is copied is."""
    selection = SelectionSettings(exclude=exclude, follow_symlinks=follows)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        _make(root, tree)
        dest = more | {path + end for path, end in zip(tree, ends, strict=False)}
        judged = _judged(root, dest, selection, deletes_excluded=deletes_excluded)
        extras = [name for name, _ in judged.extras if name not in judged.left_out]
        assert set(extras) <= dest
        _look(root, selection, *extras)
        for name in [name for name, _ in judged.copies] + [name for name, *_ in judged.skips]:
            with pytest.raises(IncompleteListing):
                _look(root, selection, name)
        gone = dest - {name for name, _ in judged.extras}
        if not exclude:
            assert all(_is_protected(root, name) for name in gone)


def _is_protected(root, name):
    """Whether something at the source keeps this name: itself, or whatever it would lie under that is no directory."""
    parts = name.rstrip("/").split("/")
    above = [root.joinpath(*parts[:count]) for count in range(1, len(parts) + 1)]
    return any(path.is_symlink() or (path.exists() and not path.is_dir()) for path in above) or above[-1].is_dir()
