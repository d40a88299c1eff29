"""Finders: what each source argument leads to, slice by slice and page by page."""

from __future__ import annotations

import os

import pytest
from msgspec.structs import replace

from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import ServerFault
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.location import key_source
from orbit_fast.core.location import parse_s3_url
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Found
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import Page
from orbit_fast.core.messages import Stat
from orbit_fast.core.model import Entry
from orbit_fast.proc.finders import SLICE
from orbit_fast.proc.finders import FileFinder
from orbit_fast.proc.finders import ObjectFinder
from orbit_fast.proc.finders import TreeFinder
from orbit_fast.proc.key_stream import Listings


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

    def skip(self, pair, reason, _size=None):
        """As `Intake`."""
        self.skips.append((pair[0], reason))


# --- local -----------------------------------------------------------------------------------------------------------


def test_one_file(tmp_path):
    """Under its own name; a link that the user names is meant as what it leads to, under the link's name."""
    (tmp_path / "f").write_bytes(b"123")
    (tmp_path / "link").symlink_to("f")
    for name in ("f", "link"):
        taken = Taken()
        finder = FileFinder(bytes(tmp_path / name), taken)
        assert (finder.is_done, finder.is_waiting) == (False, False)
        finder.pull()
        assert finder.is_done
        assert taken.files == [(bytes(tmp_path / "f"), name, 3)]


@pytest.mark.parametrize("name", ["missing", "dangling", "f/below"])
def test_a_file_that_is_not_there(tmp_path, name):
    """The source argument is missing: the job cannot be done."""
    (tmp_path / "f").write_bytes(b"")
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(SourceMissing):
        FileFinder(bytes(tmp_path / name), Taken()).pull()


def test_names_that_are_no_keys_are_reported(tmp_path):
    """Bytes that are not UTF-8, in a tree or named."""
    os.close(os.open(bytes(tmp_path) + b"/\xff", os.O_CREAT))
    taken = Taken()
    TreeFinder(bytes(tmp_path), taken, follow_symlinks=False).pull()
    FileFinder(bytes(tmp_path) + b"/\xff", taken).pull()
    assert taken.failures == [(bytes(tmp_path) + b"/\xff", "E_INVALID_KEY")] * 2
    assert taken.files == []


def test_a_tree_and_what_is_left_out_of_it(tmp_path):
    """Links, pipes and unreadable directories are said; our own temporary files are not even that."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x").write_bytes(b"1")
    (tmp_path / "link").symlink_to("d")
    (tmp_path / "to-file").symlink_to("d/x")
    (tmp_path / ".orbit-0123456789abcdef-7.tmp").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    root = bytes(tmp_path) + b"/"
    taken = Taken()
    finder = TreeFinder(bytes(tmp_path), taken, follow_symlinks=False)
    finder.pull()
    assert finder.is_done
    assert taken.files == [(root + b"d/x", "d/x", 1)]
    assert sorted(taken.skips) == [
        (root + b"link", "symlink"),
        (root + b"pipe", "special"),
        (root + b"to-file", "symlink"),
    ]
    followed = Taken()
    TreeFinder(root, followed, follow_symlinks=True).pull()
    assert [name for _, name, _ in followed.files] == ["d/x", "link/x", "to-file"]


def test_a_directory_that_cannot_be_read_fails(tmp_path, monkeypatch):
    """Unknown is not empty."""
    (tmp_path / "d").mkdir()
    true_scandir = os.scandir

    def refuse(path):
        if os.fsencode(path).rstrip(b"/").endswith(b"/d"):
            raise PermissionError(13, "no")
        return true_scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    taken = Taken()
    TreeFinder(bytes(tmp_path), taken, follow_symlinks=False).pull()
    assert [code for _, code in taken.failures] == ["E_SOURCE_UNREADABLE"]


def test_a_large_tree_comes_in_slices(tmp_path):
    """Each pull looks at a few hundred names."""
    for number in range(SLICE + 10):
        (tmp_path / f"{number:04}").touch()
    taken = Taken()
    finder = TreeFinder(bytes(tmp_path), taken, follow_symlinks=False)
    finder.pull()
    assert (len(taken.files), finder.is_done) == (SLICE, False)
    finder.pull()
    assert (len(taken.files), finder.is_done) == (SLICE + 10, True)


@pytest.mark.parametrize("kind", [FileFinder, TreeFinder])
def test_local_finders_ask_nobody(tmp_path, kind):
    """An answer to them is a mistake."""
    more = {"follow_symlinks": False} if kind is TreeFinder else {}
    with pytest.raises(AssertionError):
        kind(bytes(tmp_path), Taken(), **more).answer(Page(1, ()))


# --- S3 --------------------------------------------------------------------------------------------------------------


class Bench:
    """An S3 finder that is answered from a table."""

    def __init__(self, url, *, recursive=False, version_id=""):
        self.taken = Taken()
        self.asked = []
        source = key_source(parse_s3_url(url), recursive=recursive, raw=False)
        self.finder = ObjectFinder(source, 4, self.taken, self._ask, Listings(lambda: 0.0), version_id=version_id)

    def _ask(self, finder, order):
        assert finder is self.finder
        self.asked.append(order)
        return len(self.asked)

    def play(self, *answers):
        """Answer, and pull, until it is done; the failures that came of it."""
        failures = []
        for number, answer in enumerate(answers, start=1):
            while not self.finder.is_waiting:
                self.finder.pull()
            assert len(self.asked) == number
            failure = self.finder.answer(replace(answer, number=number))
            failures += [failure] if failure is not None else []
        while not self.finder.is_done:
            assert not self.finder.is_waiting
            try:
                self.finder.pull()
            except SourceMissing as error:
                failures.append(Failure.of(error))
        assert len(self.asked) == len(answers)
        return failures

    @property
    def names(self):
        """Keys and the names they get."""
        return [(key, name) for _, _, key, name, _ in self.taken.objects]


def page(*keys, token=""):
    """A page of these keys."""
    return Page(0, tuple(Entry(key, 1) for key in keys), next_token=token)


def failed(error, *, kind="page"):
    """A failure as it comes from a worker."""
    return Failed(kind, 0, Failure.of(error))


MISSING = failed(NotFound("b", "k"), kind="stat")


def test_one_key_is_looked_up():
    """One question, whose answer may be archived."""
    bench = Bench("s3://b/a/k", version_id="v")
    assert bench.play(Found(0, Entry("a/k", 5), "restored")) == []
    assert bench.asked == [Stat(0, 4, "a/k", "v")]
    assert bench.taken.objects == [("b", 4, "a/k", "k", "restored")]


def test_a_prefix_is_listed_page_by_page():
    """The next page is asked for where the last one ended."""
    bench = Bench("s3://b/a/", recursive=True)
    assert bench.play(page("a/", "a/1", token="t"), page(token="u"), page("a/d/2")) == []
    assert [(order.prefix, order.token, order.last_key) for order in bench.asked] == [
        ("a/", "", ""),
        ("a/", "t", "a/1"),
        ("a/", "u", "a/1"),
    ]
    assert bench.names == [("a/", ""), ("a/1", "1"), ("a/d/2", "d/2")]


def test_a_tree_is_an_object_of_its_name_and_what_is_under_it():
    """The object is looked up first."""
    bench = Bench("s3://b/a", recursive=True)
    assert bench.play(Found(0, Entry("a", 5)), page("a/1")) == []
    assert [type(order) for order in bench.asked] == [Stat, ListPage]
    assert bench.names == [("a", "a"), ("a/1", "1")]


@pytest.mark.parametrize("answer", [MISSING, failed(AccessDenied("HTTP 403", status=403), kind="stat")])
def test_a_tree_need_not_have_an_object_of_its_name(answer):
    """Nor need we be allowed to know: then S3 says 403 instead of 404."""
    bench = Bench("s3://b/a", recursive=True)
    assert bench.play(answer, page("a/1")) == []
    assert bench.names == [("a/1", "1")]


def test_a_wildcard_takes_what_matches():
    """Among what has its beginning."""
    bench = Bench("s3://b/a/x*.gz")
    assert bench.play(page("a/x.gz", "a/x.txt", "a/xy/z.gz")) == []
    assert bench.asked[0].prefix == "a/x"
    assert bench.names == [("a/x.gz", "x.gz"), ("a/xy/z.gz", "xy/z.gz")]


@pytest.mark.parametrize(
    ("url", "recursive", "answers"),
    [
        ("s3://b/a/", True, [page()]),
        ("s3://b/a", True, [MISSING, page()]),
        ("s3://b/a*", False, [page("ab/", token="t"), page()]),
        ("s3://b/a*z", False, [page("ab")]),
    ],
)
def test_nothing_at_all_is_a_failure_of_the_job(url, recursive, answers):
    """Unless something matched."""
    failures = Bench(url, recursive=recursive).play(*answers)
    if url == "s3://b/a*":
        assert failures == []
    else:
        [failure] = failures
        assert (failure.code, failure.exit_code) == ("E_NO_SOURCE", 2)
        assert url in failure.message


@pytest.mark.parametrize(
    ("url", "recursive", "answers"),
    [
        ("s3://b/k", False, [MISSING]),
        ("s3://b/k", False, [failed(AccessDenied("HTTP 403", status=403), kind="stat")]),
        ("s3://b/a/", True, [failed(BucketNotFound("none"))]),
        ("s3://b/a/", True, [page("a/1", token="t"), failed(ServerFault("down"))]),
        ("s3://b/a", True, [failed(ServerFault("down"), kind="stat")]),
        ("s3://b/a", True, [MISSING, failed(AccessDenied("no", status=403))]),
    ],
)
def test_a_source_that_cannot_be_read_ends_the_job(url, recursive, answers):
    """Exit code 2, whatever the failure would have been for one object; the finder asks no more."""
    [failure] = Bench(url, recursive=recursive).play(*answers)
    assert (failure.exit_code, failure.scope) == (2, Scope.JOB)
