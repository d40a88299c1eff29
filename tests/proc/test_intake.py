"""From what was found to what is to be done: a table of names, and what is refused or left out."""

from __future__ import annotations

import pytest

from orbit_fast.core.hands import Limits
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.limits import MAX_OBJECT_BYTES
from orbit_fast.core.location import LocalDestination
from orbit_fast.core.location import S3Url
from orbit_fast.core.messages import Begin
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Transfer
from orbit_fast.core.model import Entry
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import ObjectSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.core.settings import TransferSettings
from orbit_fast.proc.intake import Destination
from orbit_fast.proc.intake import Intake

MIB = 1 << 20
SOURCE = S3Url("from", "p/")


class Said:
    """What the intake reports."""

    def __init__(self):
        self.failures = []
        self.skips = []

    def failed(self, pair, failure, *, line=0):
        """As `Report.failed`."""
        self.failures.append((pair, failure.code))

    def skipped(self, pair, reason, size=None):
        """As `Report.skipped`."""
        self.skips.append((pair[0], reason, size))


class Bench:
    """An intake, its ledger, and what it said."""

    def __init__(self, destination, *, site=0, many=True, is_directory=True, **groups):
        url, local = None, None
        if isinstance(destination, bytes):
            local = LocalDestination(destination, is_directory)
        else:
            url = S3Url("to", destination)
        settings = JobSettings(**groups)
        self.said = Said()
        self.ledger = Ledger(Limits(depth=1000, concurrency=5))
        self.ledger.worker_ready(0)
        where = Destination(url=url, local=local, site=site, many=many)
        self.intake = Intake(settings, where, self.ledger, self.said)

    def object(self, key, name=None, *, size=10, site=1, restore=None, **changes):
        """Offer an object."""
        self.intake.offer_object(SOURCE, site, Entry(key, size, **changes), key if name is None else name, restore)
        return self

    def file(self, name, *, size=10, mtime_ns=5):
        """Offer a file."""
        self.intake.offer_file(b"src/" + name.encode(), name, size, mtime_ns)
        return self

    @property
    def orders(self):
        """What was added to the ledger."""
        return [order for _, order in self.ledger.deal()]

    @property
    def items(self):
        """The items of it, large ones too."""
        found = []
        for order in self.orders:
            found += order.items if isinstance(order, Transfer) else [order.item]
        return sorted(found, key=lambda item: item.number)


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "many", "name", "key"),
    [
        ("", True, "a/b", "a/b"),
        ("p", True, "a/b", "p/a/b"),
        ("p/", True, "a", "p/a"),
        ("p", False, "a", "p"),
        ("p/", False, "a", "p/a"),
        ("", False, "a", "a"),
    ],
)
def test_a_file_gets_its_key(prefix, many, name, key):
    """Below the prefix, or the key itself."""
    bench = Bench(prefix, many=many).file(name)
    [item] = bench.items
    assert (item.direction, item.key, item.path, item.size, item.mtime_ns) == (
        Direction.UPLOAD,
        key,
        b"src/" + name.encode(),
        10,
        5,
    )
    assert (bench.intake.amount.files, bench.intake.amount.size, bench.intake.found) == (1, 10, 1)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/b", b"out/a/b"),
        ("a", b"out/a"),
        ("d/", b"out/d/"),
        ("d/e/", b"out/d/e/"),
        ("a b%20\\", b"out/a b%20\\"),
        ("é", "out/é".encode()),
    ],
)
def test_an_object_gets_its_path(name, path):
    """Below the directory, byte for byte."""
    entry = {"etag": "e", "mtime_ns": 7, "storage_class": "STANDARD_IA", "version_id": "v"}
    bench = Bench(b"out").object(f"p/{name}", name, **entry)
    [item] = bench.items
    assert (item.direction, item.path, item.root, item.key) == (Direction.DOWNLOAD, path, b"out", f"p/{name}")
    assert (item.etag, item.mtime_ns, item.storage_class, item.version_id, item.site) == ("e", 7, "STANDARD_IA", "v", 1)


def test_one_object_may_be_given_a_files_name():
    """The file that the user named has no root to stay inside."""
    [item] = Bench(b"here/name", many=False, is_directory=False).object("p/k", "k").items
    assert (item.path, item.root) == (b"here/name", b"")


def test_an_object_gets_its_new_key():
    """A copy knows both ends."""
    [item] = Bench("q").object("p/k", "k").items
    assert (item.direction, item.key, item.site, item.source_key, item.source_site) == (
        Direction.COPY,
        "q/k",
        0,
        "p/k",
        1,
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../x", "E_PATH_UNSAFE"),
        ("a/../x", "E_PATH_UNSAFE"),
        ("/x", "E_PATH_UNSAFE"),
        ("a//b", "E_PATH_UNSAFE"),
        ("a//", "E_PATH_UNSAFE"),
        ("/", "E_PATH_UNSAFE"),
        (".", "E_PATH_UNSAFE"),
        ("a\0", "E_PATH_UNSAFE"),
        ("x" * 256, "E_NAME_TOO_LONG"),
    ],
)
def test_a_name_without_a_place_is_refused(name, code):
    """It is reported with both names and counted failed; nothing is tidied."""
    bench = Bench(b"out").object(f"p/{name}", name).object("p/good", "good")
    assert bench.said.failures == [((f"s3://from/p/{name}", b"out/" + name.encode()), code)]
    assert [item.number for item in bench.items] == [1]


def test_a_key_that_is_too_long_is_refused():
    """1,024 bytes at most."""
    bench = Bench("p").file("x" * 1023)
    [(pair, code)] = bench.said.failures
    assert (pair[0], code) == (b"src/" + b"x" * 1023, "E_INVALID_KEY")
    assert bench.items == []


@pytest.mark.parametrize(
    ("names", "failures"),
    [(["a/x", "b/x"], 1), (["a/x", "b/y"], 0), (["a/x", "b/x", "c/x"], 2)],
)
def test_flattened_names_that_meet_are_reported(names, failures):
    """Never silently merged; the first one is copied."""
    for bench in (
        Bench("p", selection=SelectionSettings(flatten=True)),
        Bench(b"out", selection=SelectionSettings(flatten=True)),
    ):
        for name in names:
            if bench.intake._destination.local:
                bench.object(f"p/{name}", name)
            else:
                bench.file(name)
        assert [code for _, code in bench.said.failures] == ["E_NAME_COLLISION"] * failures
        assert len(bench.items) == len(names) - failures


def test_several_sources_may_not_meet():
    """Only where somebody watches: one listing cannot name a key twice."""
    bench = Bench("p")
    bench.intake.watch_collisions()
    bench.file("x").file("x").file("y")
    assert [code for _, code in bench.said.failures] == ["E_NAME_COLLISION"]
    assert len(bench.items) == 2


def test_flattening_leaves_directories_out():
    """Their markers have no base name."""
    bench = Bench(b"out", selection=SelectionSettings(flatten=True)).object("p/d/", "d/").object("p/d/x", "d/x")
    assert [item.path for item in bench.items] == [b"out/x"]


def test_the_prefixs_own_marker_has_no_name():
    """It is the destination directory."""
    bench = Bench(b"out").object("p/", "")
    assert (bench.items, bench.said.failures, bench.intake.found) == ([], [], 1)


# --- what takes part -------------------------------------------------------------------------------------------------


def test_filters_leave_out_in_silence():
    """Names, sizes and ages; what they leave out was found all the same."""
    selection = SelectionSettings(exclude=("*.tmp",), min_size=5, newer_than_ns=3)
    bench = Bench("p", selection=selection)
    bench.file("a.tmp").file("small", size=4).file("old", mtime_ns=3).file("good")
    assert [item.key for item in bench.items] == ["p/good"]
    assert (bench.intake.found, bench.intake.amount.files) == (4, 1)
    assert (bench.said.failures, bench.said.skips) == ([], [])
    bench = Bench(b"out", selection=selection).object("p/a.tmp", "a.tmp", mtime_ns=9).object("p/b", "b", mtime_ns=9)
    assert [item.key for item in bench.items] == ["p/b"]


@pytest.mark.parametrize(
    ("storage_class", "restore", "selection", "is_skipped"),
    [
        ("GLACIER", "", SelectionSettings(), True),
        ("DEEP_ARCHIVE", "", SelectionSettings(), True),
        ("GLACIER_IR", "", SelectionSettings(), False),
        ("GLACIER", 'ongoing-request="false"', SelectionSettings(), False),
        ("GLACIER", 'ongoing-request="true"', SelectionSettings(), True),
        ("GLACIER", "", SelectionSettings(force_glacier_transfer=True), False),
    ],
)
@pytest.mark.parametrize("destination", [b"out", "q"])
def test_what_must_be_restored_first_is_skipped(destination, storage_class, restore, selection, is_skipped):
    """And said."""
    bench = Bench(destination, selection=selection).object("p/k", "k", storage_class=storage_class, restore=restore)
    assert bench.said.skips == ([("s3://from/p/k", "glacier", 10)] if is_skipped else [])
    assert len(bench.items) == (not is_skipped)
    listed = Bench(destination, selection=selection).object("p/k", "k", storage_class=storage_class)
    assert (len(listed.items), listed.said.skips) == (1, [])  # a listing does not tell: who reads it looks


@pytest.mark.parametrize(
    ("options", "selection", "is_refused"),
    [
        (ObjectSettings(), SelectionSettings(), True),
        (ObjectSettings(cache_control="x"), SelectionSettings(), True),
        (ObjectSettings(metadata_directive="REPLACE"), SelectionSettings(), False),
        (ObjectSettings(storage_class="STANDARD_IA"), SelectionSettings(), False),
        (ObjectSettings(sse="AES256"), SelectionSettings(), False),
        (ObjectSettings(), SelectionSettings(version_id="v"), False),
    ],
)
def test_an_object_is_copied_onto_itself_only_to_change_it(options, selection, is_refused):
    """S3 refuses it otherwise, and nothing would come of it."""
    bench = Bench("p", object=options, selection=selection).object("p/k", "k", site=0)
    assert [code for _, code in bench.said.failures] == ["E_SAME_OBJECT"] * is_refused
    assert Bench("p").object("p/k", "k", site=1).said.failures == []  # another bucket's key of the same name


# --- sizes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "size", "is_shared"),
    [
        ("p", 10 * MIB, False),
        ("p", 10 * MIB + 1, True),
        (b"out", 10 * MIB, False),
        (b"out", 10 * MIB + 1, True),
    ],
)
def test_large_objects_are_shared_part_by_part(destination, size, is_shared):
    """Above one part."""
    transfer = TransferSettings(part_size=10 * MIB)
    for groups, shared in [({}, is_shared), ({"output": OutputSettings(dry_run=True)}, False)]:
        bench = Bench(destination, transfer=transfer, **groups)
        if isinstance(destination, bytes):
            bench.object("p/k", "k", size=size)
        else:
            bench.file("k", size=size)
        [order] = bench.orders
        assert isinstance(order, Begin) == shared


@pytest.mark.parametrize(("size", "is_shared"), [(20 * MIB, False), (20 * MIB + 1, True)])
def test_copies_are_cut_above_their_own_limit(size, is_shared):
    """CopyObject takes 5 GiB; part size does not matter below that."""
    transfer = TransferSettings(part_size=5 * MIB, multipart_copy_threshold=20 * MIB)
    [order] = Bench("q", transfer=transfer).object("p/k", "k", size=size).orders
    assert isinstance(order, Begin) == is_shared


def test_a_large_marker_is_not_shared():
    """Its own flow says what is wrong with a directory that holds bytes."""
    [order] = Bench(b"out").object("p/d/", "d/", size=1 << 40).orders
    assert isinstance(order, Transfer)


def test_more_than_s3_can_hold_is_refused():
    """Before a byte is sent."""
    bench = Bench("p").file("x", size=MAX_OBJECT_BYTES + 1)
    assert [code for _, code in bench.said.failures] == ["E_TOO_LARGE"]
