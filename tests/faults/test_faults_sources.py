"""Files that are uploaded: they change meanwhile, go away, may not be read, are no files, or have odd sizes and times.

Rows without a test here:

===  ==================================================================================================================
D7   EIO on a read: only the kernel can give it, so system calls are made to fail, see `tests/inject`.
D8   an empty source and ``--delete``: see `test_faults_sync`.
D15  stdin as a source, and sizes that nobody knows: `tests/e2e/test_pipe.py`. As a name, a FIFO is refused.
===  ==================================================================================================================
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys

import pytest

from orbit_fast.core import layout
from orbit_fast.core.errors import TooLarge
from orbit_fast.core.moments import held
from orbit_fast.core.settings import MIB
from tests.kit import faults_actions as act
from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import LARGE
from tests.kit.fault_run import SMALL
from tests.kit.faults import ALWAYS
from tests.kit.faults import PART
from tests.kit.faults import Rule
from tests.kit.faults_verdict import Aim
from tests.kit.powers import without_root_powers
from tests.kit.trees import content

COMPLETE = "CompleteMultipartUpload"
STREAMED = 4_900_000
"""One PutObject, read piece by piece while it is sent; too much for the buffers of the kernel to take at once."""
GIB = 1024 * MIB
TIB = 1024 * GIB

MOMENTS = {
    "small, stored": (SMALL, act.call, "PutObject", 0),
    "streamed, on its way": (STREAMED, act.call_on_head, "PutObject", 0),
    "streamed, stored": (STREAMED, act.call, "PutObject", 0),
    "parts, created": (LARGE, act.call, "CreateMultipartUpload", 0),
    "parts, first on its way": (LARGE, act.call_on_head, "UploadPart", 1),
    "parts, last stored": (LARGE, act.call, "UploadPart", 3),
}
"""By what the test means: size, how and at which exchange the file is changed, and which part."""


UNSTORED = ("parts, first on its way", "parts, last stored")
"""Moments that come again each time the upload begins anew, and at which nothing is under the key yet."""


def change(lab, moment, edit, later, times=1):
    """Upload a file that `edit` changes in the middle; the content `later` is right then, and no other."""
    size, how, operation, part = MOMENTS[moment]
    lab.file("object", size)
    path = lab.source / "object"
    lab.plan.add(Rule(action=how(run=lambda: edit(path)), operation=operation, part=part, times=times))
    aim = Aim(wanted={"object": later(content(1, size))}, bucket=BUCKET)
    return lab.run(aim, "--concurrency", "1", path, f"s3://{BUCKET}/object")


def _grow(path):
    with path.open("ab") as file:
        file.write(b"more")


def _truncate(path):
    os.truncate(path, 1000)


def _rewrite(path):
    """Other bytes at both ends, the same size, and the same modification time: only ctime tells."""
    facts = path.stat()
    with path.open("r+b") as file:
        file.write(b"HEAD")
        file.seek(-4, os.SEEK_END)
        file.write(b"TAIL")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _replace(path):
    new = path.with_name("new")
    new.write_bytes(content(77, path.stat().st_size))
    new.rename(path)


@pytest.mark.parametrize("moment", MOMENTS)
def test_d1_a_file_that_grows_is_uploaded_anew(lab, moment):
    """Appended to during the upload: in the end the larger file is there."""
    change(lab, moment, _grow, lambda old: old + b"more").right()


@pytest.mark.parametrize("moment", UNSTORED)
def test_d1_a_file_that_never_stops_growing_is_told(lab, moment):
    """Three times it was another one at the end of the upload than at its beginning: nothing is completed."""
    run = change(lab, moment, _grow, lambda _: b"nothing that is ever there", times=ALWAYS)
    run.failed(3, "E_SOURCE_CHANGED")
    assert len(lab.plan.fired) == 3, run.report()
    assert lab.plan.count(COMPLETE) == 0, run.report()


@pytest.mark.parametrize("moment", MOMENTS)
def test_d2_a_file_that_is_cut_is_uploaded_anew(lab, moment):
    """Truncated during the upload: the short read ends it at once, long before any time limit."""
    assert change(lab, moment, _truncate, lambda old: old[:1000]).right().seconds < 25


@pytest.mark.parametrize("moment", MOMENTS)
def test_d3_a_file_that_is_rewritten_in_place_is_never_torn(lab, moment):
    """Both ends rewritten during the upload, its time set back: never some bytes of each version."""
    change(lab, moment, _rewrite, lambda old: b"HEAD" + old[4:-4] + b"TAIL").right()


def test_d3_bytes_that_change_between_two_reads_are_not_stored(lab):
    """Rewritten again and again while it is sent: the sending pass is compared with the checksum that was announced."""
    numbers = iter(range(1000))

    def write(path):
        with path.open("r+b") as file:
            file.seek(-4, os.SEEK_END)
            file.write(b"%04d" % next(numbers))

    run = change(lab, "streamed, on its way", write, lambda _: b"nothing that is ever there", times=ALWAYS)
    run.failed(3, "E_SOURCE_CHANGED")


@pytest.mark.parametrize("moment", MOMENTS)
def test_d4_a_file_that_is_replaced_is_never_mixed(lab, moment):
    """Another file is renamed over it: that one is uploaded."""
    change(lab, moment, _replace, lambda old: content(77, len(old))).right()


@pytest.mark.parametrize("moment", MOMENTS)
def test_d5_a_file_that_is_deleted_is_told(lab, moment):
    """Deleted during the upload: nothing is there, or what one request had stored whole before it was found out."""
    run = change(lab, moment, os.unlink, lambda old: old)
    run.failed(2, "E_VANISHED", unproven=True)
    if moment.startswith("parts"):
        assert lab.server.store.keys(BUCKET) == [], run.report()
        assert lab.plan.count(COMPLETE) == 0, run.report()


def sequence(lab, edit, *options):
    """Upload the files ``a``, ``b`` and ``c`` one after another; `edit` is given ``b`` while ``a`` is stored."""
    files = {name: lab.file(name, SMALL, seed) for seed, name in enumerate("abc")}
    lab.plan.add(Rule(action=act.call(run=lambda: edit(lab.source / "b")), operation="PutObject", key="^a$"))
    aim = Aim(wanted={name: files[name] for name in "ac"}, bucket=BUCKET)
    run = lab.run(aim, "-R", *options, "--workers", "1", lab.source, f"s3://{BUCKET}/")
    assert run.verdict.is_right, run.report()
    assert not run.verdict.litter, run.report()
    return run


def _swap_for(make):
    def swap(path):
        path.unlink()
        make(path)

    return swap


GONE = {
    "deleted": (os.unlink, "E_VANISHED"),
    "a directory": (_swap_for(os.mkdir), "E_SPECIAL"),
    "a FIFO": (_swap_for(os.mkfifo), "E_SPECIAL"),
    "a link": (_swap_for(lambda path: path.symlink_to("c")), "E_SYMLINK"),
}


@pytest.mark.parametrize("kind", GONE)
def test_d6_what_was_listed_and_is_gone_fails_alone(lab, kind):
    """Between the listing and its turn a file vanishes, or becomes something else: told, the others arrive."""
    edit, code = GONE[kind]
    run = sequence(lab, edit)
    assert run.code == 1, run.report()
    assert [event["code"] for event in run.result.failures] == [code], run.report()


@contextlib.contextmanager
def unreadable(path):
    """Nobody may read `path` while the block runs."""
    before = stat.S_IMODE(path.stat().st_mode)
    path.chmod(0)
    try:
        yield
    finally:
        path.chmod(before)


@pytest.mark.parametrize("size", [SMALL, STREAMED, LARGE])
def test_d7_a_file_that_may_not_be_read_fails_alone(lab, size):
    """Mode 000: told with its name; the others arrive."""
    files = {name: lab.file(name, SMALL, seed) for seed, name in enumerate("ac")}
    lab.file("b", size)
    lab.prefix = without_root_powers()
    with unreadable(lab.source / "b"):
        run = lab.run(Aim(wanted=files, bucket=BUCKET), "-R", lab.source, f"s3://{BUCKET}/")
    assert (run.code, run.verdict.is_right) == (1, True), run.report()
    assert run.failure["code"] == "E_SOURCE_UNREADABLE"
    assert run.failure["source"] == str(lab.source / "b")
    assert not run.verdict.uploads, run.report()


def test_d7_a_directory_that_may_not_be_read_is_told(lab):
    """Nothing is known of what is below: that is a failure, not an empty directory."""
    files = {name: lab.file(name, SMALL, seed) for seed, name in enumerate(["a", "z/y"])}
    lab.file("dir/hidden", SMALL)
    lab.prefix = without_root_powers()
    with unreadable(lab.source / "dir"):
        run = lab.run(Aim(wanted=files, bucket=BUCKET), "-R", lab.source, f"s3://{BUCKET}/")
    assert (run.code, run.verdict.is_right) == (1, True), run.report()
    assert run.failure["code"] == "E_SOURCE_UNREADABLE"
    assert run.failure["source"].rstrip("/") == str(lab.source / "dir")


def test_d7_a_root_that_may_not_be_read_ends_the_job(lab):
    """The one directory asked for cannot be listed: the job is not possible."""
    lab.file("a", SMALL)
    lab.prefix = without_root_powers()
    with unreadable(lab.source):
        run = lab.run(Aim(wanted={"a": b"never"}, bucket=BUCKET), "-R", lab.source, f"s3://{BUCKET}/")
    run.failed(2, "E_SOURCE_UNREADABLE")


def test_d8_a_source_that_is_not_there_ends_the_job(lab):
    """A missing root is the user's to hear; nothing is sent."""
    aim = Aim(wanted={"a": b"never"}, bucket=BUCKET)
    lab.run(aim, "-R", lab.source / "nope", f"s3://{BUCKET}/").failed(2, "E_NO_SOURCE")
    assert lab.plan.requests == []


def _links(source):
    outside = source.parent / "outside"
    outside.write_bytes(b"not below the source")
    (source / "loop").symlink_to(".")
    (source / "up").symlink_to("..")
    (source / "dangling").symlink_to("nowhere")
    (source / "itself").symlink_to("itself")
    (source / "out").symlink_to(outside)
    return outside


def left(run):
    """What was left where it is, by name, and why."""
    return {event["source"].rpartition("/")[2]: event["reason"] for event in run.result.skipped}


def test_d9_links_are_not_followed_and_not_kept_quiet(lab):
    """Loops, dangling links and links that lead out are skipped, each named in an event of its own."""
    files = {"file": lab.file("file", SMALL)}
    _links(lab.source)
    run = lab.run(Aim(wanted=files, bucket=BUCKET), "-R", lab.source, f"s3://{BUCKET}/")
    run.right()
    assert left(run) == dict.fromkeys(("loop", "up", "dangling", "itself", "out"), "symlink"), run.report()


def test_d9_links_that_are_followed_end(lab):
    """``--symlink follow``: a loop ends at its first turn, a dangling link is told, and what is meant is copied."""
    files = {"file": lab.file("file", SMALL)}
    outside = _links(lab.source)
    (lab.source / "up").unlink()
    wanted = {**files, "out": outside.read_bytes()}
    run = lab.run(Aim(wanted=wanted, bucket=BUCKET), "-R", "--symlink", "follow", lab.source, f"s3://{BUCKET}/")
    run.right()
    assert left(run) == dict.fromkeys(("loop", "dangling", "itself"), "symlink"), run.report()


def _socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(path.parent, os.O_PATH | os.O_DIRECTORY) if sys.platform == "linux" else -1
        try:
            listener.bind(f"/proc/self/fd/{here}/{path.name}" if here >= 0 else str(path))
        finally:
            if here >= 0:
                os.close(here)


SPECIAL = {"FIFO": os.mkfifo, "socket": _socket}


@pytest.mark.parametrize("kind", SPECIAL)
def test_d10_what_is_no_file_never_blocks(lab, kind):
    """A FIFO nobody writes to and a socket in a tree: told at once, the files arrive."""
    files = {"file": lab.file("file", SMALL)}
    SPECIAL[kind](lab.source / "odd")
    run = lab.run(Aim(wanted=files, bucket=BUCKET), "-R", lab.source, f"s3://{BUCKET}/")
    run.right()
    assert left(run) == {"odd": "special"}, run.report()


@pytest.mark.parametrize("kind", SPECIAL)
def test_d10_what_is_no_file_is_refused_by_its_name_too(lab, kind):
    """Named on the command line it is refused, without waiting."""
    SPECIAL[kind](lab.source / "odd")
    aim = Aim(wanted={"odd": b"never"}, bucket=BUCKET)
    lab.run(aim, lab.source / "odd", f"s3://{BUCKET}/odd").honest(1, 2)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/tty", "/dev/null"])
def test_d10_a_device_is_refused(lab, device):
    """A device has no end, and is no file: refused, without reading it."""
    lab.run(Aim(wanted={"odd": b"never"}, bucket=BUCKET), device, f"s3://{BUCKET}/odd").honest(1, 2)
    assert lab.plan.count("PutObject CreateMultipartUpload") == 0


@pytest.mark.parametrize("size", [300_000, 2 * PART + 5])
def test_d11_holes_are_zeros(lab, size):
    """A sparse file is stored with its zeros."""
    path = lab.source / "object"
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size // 2)
        file.write(b"in the middle")
    data = path.read_bytes()
    lab.run(Aim(wanted={"object": data}, bucket=BUCKET), path, f"s3://{BUCKET}/object").right()


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, PART - 1, PART, PART + 1, 2 * PART - 1, 2 * PART])
def test_d12_sizes_around_the_limits_are_exact(lab, size):
    """Nothing, around what is held in memory, around one part and two: the bytes, and the requests they need."""
    run = lab.upload(size).right()
    parts = -(-size // PART) if size > PART else 0
    assert lab.plan.count("UploadPart") == parts, run.report()
    assert lab.plan.count("PutObject") == (0 if parts else 1), run.report()


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, PART - 1, PART, PART + 1, 2 * PART - 1, 2 * PART])
def test_d12_sizes_around_the_limits_come_back(lab, size):
    """The same on the way down."""
    lab.download(size=size).right()


PLANS = [
    (10_000 * 5 * MIB, 5 * MIB, 5 * MIB, 10_000),
    (10_000 * 5 * MIB + 1, 5 * MIB, 6 * MIB, 8_334),
    (5 * TIB, 50 * MIB, 525 * MIB, 9_987),
    (10_000 * 5 * GIB, 50 * MIB, 5 * GIB, 10_000),
]


@pytest.mark.parametrize(("size", "wanted", "part_size", "count"), PLANS)
def test_d13_parts_grow_rather_than_exceed_ten_thousand(size, wanted, part_size, count):
    """The smallest part size, in whole MiB, with which 10,000 parts are enough."""
    plan = layout.plan_parts(size, wanted)
    assert (plan.part_size, plan.count) == (part_size, count)


def test_d13_the_command_raises_its_part_size(lab):
    """60 GB (a hole) with ``--part-size 5``: the first part that is sent has 6 MiB; refused there, it is abandoned."""
    path = lab.source / "object"
    with path.open("wb") as file:
        file.truncate(60_000_000_000)
    denied = act.answer_early(code="AccessDenied", status=403)
    lab.plan.add(Rule(action=denied, operation="UploadPart", times=ALWAYS))
    lab.run(Aim(wanted={"object": b"never"}, bucket=BUCKET), path, f"s3://{BUCKET}/object").failed(2, "AccessDenied")
    sent = {request.headers["content-length"] for request in lab.plan.requests if request.operation == "UploadPart"}
    assert sent == {str(6 * MIB)}


def test_d14_what_s3_cannot_hold_is_refused_by_the_plan():
    """One byte more than 10,000 parts of 5 GiB."""
    with pytest.raises(TooLarge):
        layout.plan_parts(10_000 * 5 * GIB + 1, 50 * MIB)


def test_d14_what_s3_cannot_hold_is_refused_before_anything_is_sent(lab, mounted):
    """A hole of 49 TiB: refused by the command without a request for it."""
    disk = mounted("size=1m")
    with (disk.path / "object").open("wb") as file:
        file.truncate(49 * TIB)
    lab.prefix = disk.prefix
    aim = Aim(wanted={"object": b"never"}, bucket=BUCKET)
    lab.run(aim, disk.inside / "object", f"s3://{BUCKET}/object").failed(1, "E_TOO_LARGE")
    assert lab.plan.count("PutObject CreateMultipartUpload") == 0


TIMES_NS = {
    "1969": -86_400 * 10**9,
    "1901": -(2**31) * 10**9 + 1,
    "now and a nanosecond": 1_700_000_000_000_000_001,
    "2038": (2**31 + 5) * 10**9,
    "2200": 7_258_118_400 * 10**9 + 999_999_999,
    "2440": 14_831_769_600 * 10**9,
}


@pytest.mark.parametrize("when", TIMES_NS)
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_d16_odd_times_are_kept_as_they_are(lab, when, size):
    """Before 1970, after 2038, in nanoseconds: up and down again, unchanged as far as 64 bits of nanoseconds go."""
    data = lab.file("object", size)
    path = lab.source / "object"
    os.utime(path, ns=(0, TIMES_NS[when]))
    kept_ns = path.stat().st_mtime_ns
    lab.run(Aim(wanted={"object": data}, bucket=BUCKET), "--preserve-metadata", path, f"s3://{BUCKET}/object").right()
    lab.download(data, "--preserve-metadata").right()
    assert (lab.target / "object").stat().st_mtime_ns == held(kept_ns)
