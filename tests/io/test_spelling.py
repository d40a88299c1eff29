"""Names where the file system takes several spellings for one: nothing is replaced that is not spelt as asked."""

from __future__ import annotations

import errno
import os
import shutil
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from orbit_fast.core.errors import NameConflict
from orbit_fast.io import spelling
from orbit_fast.io.files import Landings
from orbit_fast.io.files import temp_run
from orbit_fast.io.spelling import Spellings
from tests.kit.folding import FoldingDirectory

NFC = "caf\u00e9"
NFD = unicodedata.normalize("NFD", NFC)

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the made-up directory needs /proc")


@pytest.fixture
def root(tmp_path):
    """An empty directory."""
    (tmp_path / "root").mkdir()
    return os.fsencode(tmp_path / "root")


@pytest.fixture
def landings():
    """What makes files; at its end no directory is open."""
    landings = Landings(umask=0o027)
    yield landings
    landings.close()
    assert landings.directories.open_count == 0


@pytest.fixture
def folding(root, monkeypatch):
    """The directory, folding case and normal forms."""
    return FoldingDirectory(root, monkeypatch)


def _publish(landings, root, name, content, **options):
    """In steps, as large and special objects are."""
    landing = landings.create(root + b"/" + os.fsencode(name), root=root)
    landing.write_at(content, 0)
    return landing.publish(**options)


def _land(landings, root, name, content):
    """At once, as small objects are."""
    landings.land(root + b"/" + os.fsencode(name), root=root, number=1, data=content, mtime_ns=0)
    return True


def _tree(root):
    """Every file by its path, as it is spelt."""
    found = {}
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            found[os.fsdecode(os.path.relpath(path, root))] = Path(os.fsdecode(path)).read_bytes()
    return found


@pytest.mark.parametrize("make", [_publish, _land], ids=["in steps", "at once"])
@pytest.mark.parametrize(
    ("first", "second"),
    [("Photo.jpg", "photo.JPG"), (NFC, NFD), (NFD, NFC), ("Dir/a", "dir/A"), ("x/\u00c4", "x/\u00e4"), ("a", "A")],
)
@pytest.mark.usefixtures("folding")
def test_the_second_of_two_keys_is_refused(root, landings, make, first, second):
    """The first stays whole, nothing is left, and the first may be written again."""
    make(landings, root, first, b"one")
    with pytest.raises(NameConflict) as caught:
        make(landings, root, second, b"two")
    assert caught.value.code == "E_NAME_COLLISION"
    assert _tree(root) == {first: b"one"}
    make(landings, root, first, b"three")
    assert _tree(root) == {first: b"three"}


@pytest.mark.parametrize("make", [_publish, _land], ids=["in steps", "at once"])
@pytest.mark.usefixtures("folding")
def test_a_directory_in_another_spelling_is_refused(root, landings, make):
    """What would land in it would be called something else; one that is spelt so is entered."""
    make(landings, root, "Dir/a", b"one")
    make(landings, root, "Dir/b", b"two")
    landings.close()
    with pytest.raises(NameConflict, match="'Dir' is there") as caught:
        make(landings, root, "dir/c", b"three")
    assert caught.value.code == "E_NAME_COLLISION"
    make(landings, root, "Dir/d", b"four")
    assert _tree(root) == {"Dir/a": b"one", "Dir/b": b"two", "Dir/d": b"four"}


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [("Photo", "photo", {"Photo": b"one", "photo": b"two"}), (NFC, NFD, {NFC: b"one"})],
)
def test_a_directory_may_fold_normal_forms_alone(root, landings, monkeypatch, first, second, stays):
    """As a case-sensitive disk of macOS does."""
    FoldingDirectory(root, monkeypatch, "forms")
    _land(landings, root, first, b"one")
    if second in stays:
        _land(landings, root, second, b"two")
    else:
        with pytest.raises(NameConflict):
            _land(landings, root, second, b"two")
    assert _tree(root) == stays


@pytest.mark.parametrize("make", [_publish, _land], ids=["in steps", "at once"])
def test_elsewhere_every_spelling_is_a_name(root, landings, make):
    """And what is there is replaced."""
    names = ["Photo.jpg", "photo.JPG", NFC, NFD, "Dir/a", "dir/a"]
    for content in (b"one", b"two"):
        for name in names:
            make(landings, root, name, content)
    assert _tree(root) == dict.fromkeys(names, b"two")


def test_a_name_in_one_spelling_is_renamed_to_as_ever(root, landings, monkeypatch):
    """Where names do not fold, an ASCII name costs one plain rename."""
    monkeypatch.setattr(spelling, "rename_exclusively", None)
    for number in range(3):
        _land(landings, root, f"f{number}", b"x")
        _land(landings, root, f"f{number}", b"x")
    assert len(_tree(root)) == 3


@pytest.mark.parametrize("make", [_publish, _land], ids=["in steps", "at once"])
@pytest.mark.parametrize(
    ("ways", "names", "refused", "stored"),
    [
        ("case,forms,apart", [f"{NFC}/{NFC}", "Dir/x", "\u00e9"], f"{NFC}/{NFC.upper()}", f"{NFD}/{NFD}"),
        ("forms,apart", [f"{NFC}/{NFC}", "Dir/x", "\u00e9"], None, f"{NFD}/{NFD}"),
        ("case,forms,lower", ["Dir/File", "dir2/\u00c9"], None, "dir/file"),
    ],
)
def test_where_names_are_stored_otherwise_they_are_found_again(
    root, landings, monkeypatch, make, ways, names, refused, stored
):
    """What is stored of a key's name is that key's file, in the next run too; a spelling that is kept still counts."""
    FoldingDirectory(root, monkeypatch, ways)
    for content in (b"one", b"two"):
        for name in names:
            make(landings, root, name, content)
        landings.close()
    if refused is not None:
        with pytest.raises(NameConflict):
            make(landings, root, refused, b"three")
    tree = _tree(root)
    assert (len(tree), set(tree.values()), stored in tree) == (len(names), {b"two"}, True)


@pytest.mark.usefixtures("folding")
def test_the_file_that_tells_how_names_are_stored_is_a_temporary_one(root, landings, monkeypatch):
    """Where a crash leaves it, it is no source, and is removed as others of its run are; it is made once a device."""
    made = []
    opened = os.open

    def watched(path, flags, *args, **rest):
        if flags & os.O_CREAT and not path.isascii():
            made.append(path)
        return opened(path, flags, *args, **rest)

    monkeypatch.setattr(os, "open", watched)
    _land(landings, root, "One", b"1")
    for _ in range(2):
        with pytest.raises(NameConflict):
            _land(landings, root, "one", b"2")
    [name] = made
    for form in ("NFC", "NFD"):
        stored = unicodedata.normalize(form, name.decode()).encode()
        assert temp_run(stored).decode() == landings.directories.spellings.run
    assert _tree(root) == {"One": b"1"}


def test_no_clobber_leaves_only_what_is_spelt_so(root, landings, folding):
    """A file in another spelling is no reason to say that this one is there."""
    assert _publish(landings, root, "Photo", b"one", no_clobber=True)
    assert folding.exclusive == 1
    assert not _publish(landings, root, "Photo", b"two", no_clobber=True)
    with pytest.raises(NameConflict):
        _publish(landings, root, "photo", b"two", no_clobber=True)
    assert _tree(root) == {"Photo": b"one"}


@pytest.mark.parametrize("no_clobber", [False, True])
def test_a_name_that_is_taken_meanwhile_is_not_replaced(root, landings, folding, no_clobber):
    """Two workers begin at once; one step decides between them, and the second is told."""
    landing = landings.create(root + b"/Photo", root=root)
    landing.write_at(b"late", 0)
    _land(Landings(umask=0), root, "PHOTO", b"early")
    with pytest.raises(NameConflict, match="'PHOTO' is there"):
        landing.publish(no_clobber=no_clobber)
    assert folding.exclusive == 2
    assert _tree(root) == {"PHOTO": b"early"}


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL])
@pytest.mark.usefixtures("folding")
def test_a_file_system_without_exclusive_renames_and_links(root, landings, monkeypatch, refusal):
    """Then the name is looked at before the rename."""

    def refuse(*_args, **_rest):
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(spelling, "rename_exclusively", refuse)
    monkeypatch.setattr(os, "link", refuse)
    for content in (b"one", b"two"):
        _land(landings, root, "Photo", content)
    with pytest.raises(NameConflict):
        _land(landings, root, "photo", b"three")
    assert _tree(root) == {"Photo": b"two"}


@pytest.mark.usefixtures("folding")
def test_a_directory_in_the_way_is_told_as_ever(root, landings):
    """A directory of this very name is no other spelling."""
    _land(landings, root, "Dir/a", b"one")
    with pytest.raises(NameConflict) as caught:
        _publish(landings, root, "Dir", b"two")
    assert caught.value.code == "E_FILE_DIR_CONFLICT"


def test_a_path_is_checked_name_by_name(root, folding):
    """Whether a file is there in this spelling, directories included; it is spelt as it was made."""
    path = root + b"/Dir/sub/Photo"
    os.makedirs(os.path.dirname(path))
    Path(os.fsdecode(path)).write_bytes(b"x")
    assert os.path.samefile(folding.real(root + b"/DIR/SUB/photo"), path)
    for asked in (b"/DIR/sub/Photo", b"/Dir/SUB/Photo", b"/Dir/sub/photo"):
        with pytest.raises(NameConflict):
            Spellings().check_path(root + asked, root)
    for top in (root, root + b"/"):
        Spellings().check_path(path, top)


@pytest.mark.parametrize(("most", "remembered"), [(0, 0), (2, 0), (4, 4), (100, 8)])
@pytest.mark.usefixtures("folding")
def test_what_is_not_remembered_is_listed_again(root, landings, most, remembered):
    """The answers are the same however little may be remembered."""
    landings.directories.spellings = spellings = Spellings(most)
    for directory in ("a", "b", "a", "b"):
        for name in ("One", "Two", "Three"):
            _land(landings, root, f"{directory}/{name}", b"x")
            _land(landings, root, f"{directory}/{name}", b"y")
            with pytest.raises(NameConflict):
                _land(landings, root, f"{directory}/{name.lower()}", b"z")
    assert set(_tree(root).values()) == {b"y"}
    assert repr(spellings).endswith(f"names={remembered})")  # three files and a temporary one


@pytest.mark.usefixtures("folding")
def test_all_spellings_of_a_directory_are_one(root):
    """As its names are spelt on the disk; what is not there stays as it was given."""
    made = root + b"/Dir/caf\xc3\xa9"
    os.makedirs(made)
    for asked in (b"/Dir/caf\xc3\xa9", b"/dir/CAF\xc3\x89", b"/DIR/cafe\xcc\x81/", b"/dir//caf\xc3\xa9"):
        assert spelling.as_spelt(os.path.normpath(root + asked)) == made
    assert spelling.as_spelt(root + b"/dir/None/x") == root + b"/Dir/None/x"
    assert spelling.as_spelt(b"/") == b"/"


def test_elsewhere_a_directory_has_one_spelling(root):
    """Another one is another directory."""
    for name in (b"/Dir", b"/dir"):
        os.mkdir(root + name)
        assert spelling.as_spelt(root + name) == root + name
    assert spelling.as_spelt(root + b"/DIR") == root + b"/DIR"


def test_many_directories_are_not_all_remembered(root, landings, folding):
    """The last ones are."""
    for number in range(spelling.MAX_DIRECTORIES + 3):
        for content in (b"x", b"y"):
            _land(landings, root, f"d{number}/File", content)
    assert repr(landings.directories.spellings).startswith(f"Spellings(directories={spelling.MAX_DIRECTORIES},")
    assert folding.exclusive == 2 * (spelling.MAX_DIRECTORIES + 3)


@pytest.mark.parametrize(
    ("names", "folds", "elsewhere"),
    [([], False, False), (["1", "2.3"], True, True), (["1", "a"], True, False), (["A", "a"], None, False)],
)
def test_whether_a_directory_seems_to_fold(root, monkeypatch, names, folds, elsewhere):
    """By what is in it; where that does not tell it may; nothing is made."""
    for name in names:
        Path(os.fsdecode(root), name).write_bytes(b"x")
    assert spelling.seems_to_fold(root) == elsewhere
    if folds is not None:
        FoldingDirectory(root, monkeypatch)
        assert spelling.seems_to_fold(root) == folds
    assert sorted(os.listdir(root)) == sorted(map(os.fsencode, names))
    assert not spelling.seems_to_fold(root + b"/missing")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "d/", "D/"]), st.text("aAbB\u00e9e\u0301\u00df\u017fsS", min_size=1, max_size=3)
        ),
        max_size=12,
        unique=True,
    ),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_whatever_keys_come_no_bytes_are_replaced(tmp_path_factory, names, at_once):
    """Each key lands under its own spelling with its own bytes, or is refused; what it is refused for is there."""
    root = os.fsencode(tmp_path_factory.mktemp("fold"))
    make = _land if at_once else _publish
    landed = {}
    with pytest.MonkeyPatch.context() as patch:
        folding = FoldingDirectory(root, patch)
        landings = Landings(umask=0o022)
        for directory, name in names:
            path = directory + name
            try:
                make(landings, root, path, path.encode())
                landed[path] = path.encode()
            except NameConflict:
                assert os.path.lexists(folding.real(root + b"/" + path.encode())) or directory
        landings.close()
    assert _tree(root) == landed
    assert bool(landed) == bool(names)
    shutil.rmtree(root)
