"""--files-from: what a manifest names below the source, and nothing else."""

from __future__ import annotations

import os
import selectors

import pytest

from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import NotFound
from orbit_fast.core.location import parse_s3_url
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Found
from orbit_fast.core.messages import Stat
from orbit_fast.core.model import Entry
from orbit_fast.proc import named as module
from orbit_fast.proc.finders import SLICE
from orbit_fast.proc.named import NamedFiles
from orbit_fast.proc.named import NamedKeys
from orbit_fast.proc.named import named_source
from orbit_fast.proc.named import open_names


class Taken:
    """An intake that only remembers."""

    def __init__(self):
        self.files = []
        self.objects = []
        self.failures = []
        self.skips = []

    def offer_file(self, path, name, size, _mtime_ns):
        """As `Intake`."""
        self.files.append((path, name, size))

    def offer_object(self, url, site, entry, name, restore=""):
        """As `Intake`."""
        self.objects.append((url.bucket, site, entry.key, name, restore))

    def fail(self, pair, error):
        """As `Intake`."""
        self.failures.append((pair[0], error.code))

    def refuse(self, pair, failure):
        """As `Intake`."""
        self.failures.append((pair[0], failure.code))

    def skip(self, pair, reason, _size=None):
        """As `Intake`."""
        self.skips.append((pair[0], reason))


@pytest.fixture
def taken():
    """What was found."""
    return Taken()


@pytest.fixture
def selector():
    """What the job would wait for."""
    with selectors.DefaultSelector() as selector:
        yield selector


@pytest.fixture
def names(tmp_path, selector):
    """Make the names of a manifest of these lines."""

    def make(*lines):
        (tmp_path / "list").write_bytes(b"\n".join(lines) + b"\n")
        return open_names(str(tmp_path / "list"), selector)

    return make


class Asked:
    """Numbers questions, as the job does."""

    def __init__(self):
        self.orders = {}

    def __call__(self, _finder, order):
        """As `Questions.ask`."""
        number = len(self.orders) + 1
        self.orders[number] = order
        return number


# --- files -----------------------------------------------------------------------------------------------------------


def test_files_by_name(tmp_path, names, taken):
    """Each by its relative name, and whatever cannot be taken is said, each in its own way."""
    root = tmp_path / "tree"
    (root / "d").mkdir(parents=True)
    (root / "d" / "x").write_bytes(b"12")
    (root / "not named").write_bytes(b"")
    (root / "link").symlink_to("d")
    (root / "to-file").symlink_to("d/x")
    os.mkfifo(root / "pipe")
    base = bytes(root) + b"/"
    lines = [
        b"d/x",
        b"./d/x",
        base + b"d/x",
        b"d",
        b"gone",
        b"d/x/y",
        b"../list",
        b"link/x",
        b"to-file",
        b"pipe",
        b"\xff",
    ]
    finder = NamedFiles(bytes(root), names(*lines), taken, follow_symlinks=False)
    assert not finder.is_waiting
    finder.pull()
    assert finder.is_done
    assert taken.files == [(base + b"d/x", "d/x", 2)] * 3
    assert taken.failures == [
        (base + b"d", "E_NO_SOURCE"),
        (base + b"gone", "E_NO_SOURCE"),
        (base + b"d/x/y", "E_NO_SOURCE"),
        (b"../list", "E_PATH_UNSAFE"),
        (base + b"\xff", "E_NO_SOURCE"),
    ]
    assert taken.skips == [(base + b"link/x", "symlink"), (base + b"to-file", "symlink"), (base + b"pipe", "special")]


def test_links_that_are_followed(tmp_path, names, taken):
    """With --symlink follow, a name may go through them."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x").write_bytes(b"12")
    (tmp_path / "link").symlink_to("d")
    NamedFiles(bytes(tmp_path), names(b"link/x"), taken, follow_symlinks=True).pull()
    assert [name for _, name, _ in taken.files] == ["link/x"]


def test_a_link_beside_a_directory_that_was_looked_at(tmp_path, names, taken):
    """What is known of one directory is not believed of another."""
    for name in ("a/b", "c"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "x").touch()
    (tmp_path / "a" / "l").symlink_to("b")
    NamedFiles(bytes(tmp_path), names(b"a/b/x", b"a/b/x", b"a/l/x", b"c/x"), taken, follow_symlinks=False).pull()
    assert [name for _, name, _ in taken.files] == ["a/b/x", "a/b/x", "c/x"]
    assert [reason for _, reason in taken.skips] == ["symlink"]


def test_many_names_come_in_slices(tmp_path, names, taken):
    """Each pull looks at a few hundred."""
    (tmp_path / "x").touch()
    finder = NamedFiles(bytes(tmp_path), names(*[b"x"] * (SLICE + 1)), taken, follow_symlinks=False)
    finder.pull()
    assert (len(taken.files), finder.is_done) == (SLICE, False)
    finder.pull()
    assert (len(taken.files), finder.is_done) == (SLICE + 1, True)


def test_a_line_that_cannot_be_read_ends_the_job(tmp_path, names, taken):
    """Its file and number are told."""
    finder = NamedFiles(bytes(tmp_path), names(b'{"key":"a"}', b"{"), taken, follow_symlinks=False)
    with pytest.raises(InvalidConfig, match=r"/list:2: not an event in JSON"):
        finder.pull()


def test_a_manifest_that_is_not_there(selector):
    """It is said before anything is done."""
    with pytest.raises(InvalidConfig, match=r"cannot read --files-from /no/where: No such file"):
        open_names("/no/where", selector)


def test_names_from_a_pipe_are_not_waited_for(tmp_path, taken, selector):
    """The finder waits while the writer has written nothing, goes on when it has, and ends when it has closed."""
    (tmp_path / "x").touch()
    read_fd, write_fd = os.pipe()
    finder = NamedFiles(bytes(tmp_path), open_names(f"/dev/fd/{read_fd}", selector), taken, follow_symlinks=False)
    os.close(read_fd)
    finder.pull()
    assert (finder.is_waiting, finder.is_done, taken.files) == (True, False, [])
    for text, count in ((b"x\nx", 1), (b"\n", 2), (b"", 2)):
        if text:
            os.write(write_fd, text)
        else:
            os.close(write_fd)
        for key, _ in selector.select(10):
            key.data()
        assert not finder.is_waiting
        finder.pull()
        assert len(taken.files) == count
    assert finder.is_done
    assert not finder.is_waiting


# --- objects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "root"), [("s3://b", "s3://b/"), ("s3://b/p", "s3://b/p/"), ("s3://b/p*/", "s3://b/p*/")]
)
def test_the_prefix_that_names_are_below(text, root):
    """It ends at a slash, and holds no wildcard."""
    assert str(named_source(parse_s3_url(text)).url) == root


def test_keys_are_looked_up(names, taken):
    """Each by itself; the answers may come in any order."""
    asked = Asked()
    listed = names(b"a", b"s3://b/p/d/b", b"s3://b/q/c", b"gone", b"secret", b"\xff", b"k" * 1024)
    finder = NamedKeys(named_source(parse_s3_url("s3://b/p")), 3, listed, taken, asked)
    assert not finder.is_waiting
    finder.pull()
    assert list(asked.orders.values()) == [Stat(0, 3, key) for key in ("p/a", "p/d/b", "p/gone", "p/secret")]
    assert (finder.is_waiting, finder.is_done) == (True, False)
    assert finder.answer(Failed("stat", 4, Failure.of(AccessDenied("no")))) is None
    assert finder.answer(Failed("stat", 3, Failure.of(NotFound("b", "p/gone")))) is None
    assert finder.answer(Found(2, Entry("p/d/b", 1), "")) is None
    assert not finder.is_done
    assert finder.answer(Found(1, Entry("p/a", 1), "ongoing")) is None
    assert finder.is_done
    assert taken.objects == [("b", 3, "p/d/b", "d/b", ""), ("b", 3, "p/a", "a", "ongoing")]
    assert taken.failures == [
        (b"s3://b/q/c", "E_PATH_UNSAFE"),
        (b"s3://b/p/\xff", "E_INVALID_KEY"),
        ("s3://b/p/" + "k" * 1024, "E_INVALID_KEY"),
        ("s3://b/p/secret", "AccessDenied"),
        ("s3://b/p/gone", "NoSuchKey"),
    ]


def test_no_more_keys_at_once_than_may_be(names, taken, monkeypatch):
    """An answer makes room for the next."""
    monkeypatch.setattr(module, "LOOKUPS", 2)
    asked = Asked()
    finder = NamedKeys(named_source(parse_s3_url("s3://b")), 0, names(b"a", b"b", b"c"), taken, asked)
    finder.pull()
    assert (len(asked.orders), finder.is_waiting) == (2, True)
    finder.answer(Found(1, Entry("a", 1), ""))
    assert not finder.is_waiting
    finder.pull()
    assert [order.key for order in asked.orders.values()] == ["a", "b", "c"]
    finder.answer(Found(2, Entry("b", 1), ""))
    finder.pull()
    assert finder.is_waiting
    finder.answer(Found(3, Entry("c", 1), ""))
    assert finder.is_done


def test_a_bucket_that_is_not_there_ends_the_job(names, taken):
    """No other key can be looked up either."""
    finder = NamedKeys(named_source(parse_s3_url("s3://b")), 0, names(b"a"), taken, Asked())
    finder.pull()
    failure = finder.answer(Failed("stat", 1, Failure.of(BucketNotFound("b"))))
    assert failure is not None
    assert failure.exit_code == 2
