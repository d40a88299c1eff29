"""Files that are downloaded: full and read-only disks, what stands in the way, who else writes there, what is seen.

Rows without a test here:

===  ==================================================================================================================
E1   no space at close, fsync or rename; E2 EIO, EDQUOT, EMFILE: only the kernel can give them, so system calls are made
     to fail, see `tests/inject`.
E4   litter after a crash: `tests/e2e/test_resume.py`, `tests/crash`. That litter is never a source is tested here.
E5   power cuts: `tests/crash/test_power_cuts.py`.
E11  ``--backup-dir``: not an option.
E13  file systems that fold names: none can be made here, and none is looked for; see the page's last section.
===  ==================================================================================================================
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.kit import faults_actions as act
from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import LARGE
from tests.kit.fault_run import SMALL
from tests.kit.faults import Rule
from tests.kit.faults_verdict import Aim
from tests.kit.faults_verdict import read_files
from tests.kit.powers import without_root_powers
from tests.kit.trees import content

GET = "GetObject"
MEDIUM = 2_000_000
SIZES = pytest.mark.parametrize("size", [SMALL, MEDIUM, LARGE], ids=["small", "streamed", "parts"])
TEMPORARY = re.compile(r"\.orbit-[0-9a-f]{16}-[0-9]+\.tmp")
BEFORE = b"what was here before"


@contextlib.contextmanager
def paused(lab, work, *, part=0):
    """Run `work` in a thread, and the block while it waits for the bytes of an object; then go on to its end.

    What the block gets is a list that holds the run once the block has ended.
    """
    arrived, until = threading.Event(), threading.Event()
    lab.plan.add(Rule(action=act.pause(arrived=arrived, until=until), operation=GET, part=part))
    found = []
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(work)
        try:
            assert arrived.wait(60)
            yield found
        finally:
            until.set()
        found.append(future.result())


def last_part(size):
    """The part whose bytes are held back, so that the others have landed."""
    return 3 if size == LARGE else 0


# --- full, read-only, forbidden ---------------------------------------------------------------------------------------


def on_disk(lab, disk, data, *arguments):
    """Download the object ``object`` to a small file system that holds an older one; the run and what lies there."""
    lab.put("object", data)
    (disk.path / "object").write_bytes(BEFORE)
    lab.prefix = disk.prefix
    aim = Aim(wanted={"object": data}, before={"object": BEFORE}, directory=disk.path)
    return lab.run(aim, *arguments, f"s3://{BUCKET}/object", f"{disk.inside}/object")


@SIZES
def test_e1_a_full_disk_ends_the_job_and_keeps_what_was_there(lab, mounted, size):
    """No space for the bytes: one failure, no second try, no litter, the old file as it was."""
    disk = mounted("size=1m")
    with (disk.path / "filler").open("wb") as file, contextlib.suppress(OSError):
        file.write(b"x" * 1_040_000)
    (disk.path / "filler").unlink()
    filler = (disk.path / "filler").open("wb")
    with filler:
        facts = os.statvfs(disk.path)
        filler.write(b"x" * (facts.f_frsize * (facts.f_bavail - 1)))  # one block stays for the older file
    data = content(7, size)
    lab.put("object", data)
    (disk.path / "object").write_bytes(BEFORE)
    lab.prefix = disk.prefix
    filled = (disk.path / "filler").read_bytes()
    aim = Aim(wanted={"object": data}, before={"object": BEFORE, "filler": filled}, directory=disk.path)
    run = lab.run(aim, f"s3://{BUCKET}/object", f"{disk.inside}/object").failed(2, "E_NO_SPACE")
    assert run.result.summary["retries"] == 0
    assert lab.plan.count(GET) <= 4


def test_e1_a_disk_that_fills_up_ends_the_job(lab, mounted):
    """Many files of which some fit: those are right, the others are as they were, and the work stops."""
    disk = mounted("size=2m")
    data = {f"f{number:03}": content(number, 50_000) for number in range(100)}
    for name, one in data.items():
        lab.put(f"p/{name}", one)
    lab.prefix = disk.prefix
    aim = Aim(wanted=data, directory=disk.path)
    options = ("-R", "--workers", "4", f"s3://{BUCKET}/p/", f"{disk.inside}/")
    run = lab.run(aim, *options).failed(2, "E_NO_SPACE", "E_CANCELLED")
    assert len(run.result.done) > 10, run.report()
    assert lab.plan.count(GET) < 90, run.report()


def test_e1_room_for_the_parts_is_asked_for_before_they_are_fetched(lab, mounted):
    """A file that cannot fit: not one byte of it is asked for beyond what tells its size."""
    data = content(7, LARGE)
    on_disk(lab, mounted("size=8m"), data).failed(2, "E_NO_SPACE")
    assert lab.plan.count(GET) <= 1


@SIZES
def test_e2_a_read_only_disk_ends_the_job(lab, mounted, size):
    """EROFS: told before anything is fetched, or by the first file; never tried again."""
    disk = mounted("size=30m")
    data = content(7, size)
    lab.put("object", data)
    (disk.path / "object").write_bytes(BEFORE)
    disk.remount("ro")
    lab.prefix = disk.prefix
    aim = Aim(wanted={"object": data}, before={"object": BEFORE}, directory=disk.path)
    run = lab.run(aim, f"s3://{BUCKET}/object", f"{disk.inside}/object").failed(2, "E_READ_ONLY", "E_IO")
    assert run.result.summary["retries"] == 0


def test_e2_a_directory_that_may_not_be_written_fails_what_is_for_it(lab):
    """EACCES in one directory of several: what is for it fails, the others arrive."""
    data = {name: content(seed, SMALL) for seed, name in enumerate(["a", "z/y"])}
    for name, one in data.items():
        lab.put(f"p/{name}", one)
    lab.put("p/closed/b", b"never")
    closed = lab.target / "closed"
    closed.mkdir(mode=0o555)
    lab.prefix = without_root_powers()
    run = lab.run(Aim(wanted=data, directory=lab.target), "-R", f"s3://{BUCKET}/p/", f"{lab.target}/")
    assert (run.code, run.verdict.is_right, run.verdict.litter) == (1, True, ()), run.report()
    assert "Permission denied" in run.failure["error"]


@SIZES
def test_e2_a_file_size_limit_is_no_success(lab, size):
    """The limit of the process (``ulimit -f``) is met: a failure, and what was there stays."""
    if shutil.which("prlimit") is None:
        pytest.skip("there is no prlimit")
    lab.prefix = ("prlimit", "--fsize=2048")
    lab.download(size=size).honest(1, 2)


# --- what is seen meanwhile -------------------------------------------------------------------------------------------


@SIZES
def test_e3_a_partial_file_is_never_seen(lab, size):
    """As long as bytes are missing the name holds the old file, and the temporary one is its owner's alone."""
    seen = []
    with paused(lab, lambda: lab.download(size=size), part=last_part(size)) as runs:
        for _ in range(50):
            seen.append({path.name: path.stat() for path in lab.target.iterdir()})
            assert (lab.target / "object").read_bytes() == BEFORE
    runs[0].right()
    others = {name for names in seen for name in names} - {"object"}
    assert all(TEMPORARY.fullmatch(name) for name in others), others
    assert all(stat.S_IMODE(names[name].st_mode) == 0o600 for names in seen for name in names if name in others)
    assert size != LARGE or others, "the parts that had landed were not beside their name"
    assert [path.name for path in lab.target.iterdir()] == ["object"]


def test_e3_a_download_that_fails_shows_nothing(lab):
    """Two parts landed, the third fails for good: the temporary file is gone, the old one is there."""
    denied = act.error(code="AccessDenied", status=403)
    lab.plan.add(Rule(action=denied, operation=GET, part=3, times=9))
    lab.download(size=LARGE).failed(2, "AccessDenied")


def test_e4_litter_is_no_source(lab):
    """What an unfinished download left behind is not uploaded."""
    files = {"file": lab.file("file", SMALL), ".orbit-notes": lab.file(".orbit-notes", SMALL)}
    lab.file(f"dir/.orbit-{'0123456789abcdef'}-17.tmp", SMALL)
    aim = Aim(wanted=files, bucket=BUCKET)
    lab.run(aim, "-R", lab.source, f"s3://{BUCKET}/").right()


# --- what stands in the way -------------------------------------------------------------------------------------------


def fetch(lab, names, bad, *codes, size=SMALL):
    """Download `names` and `bad` from below ``p/``; `bad` fails alone, with one of `codes`."""
    data = {name: content(seed, size) for seed, name in enumerate(names)}
    for name in (*names, bad):
        lab.put(f"p/{name}", data.get(name) or content(9, size))
    run = lab.run(Aim(wanted=data, directory=lab.target), "-R", f"s3://{BUCKET}/p/", f"{lab.target}/")
    assert (run.code, run.verdict.is_right) == (1, True), run.report()
    assert run.failure["code"] in codes, run.report()
    assert run.failure["source"] == f"s3://{BUCKET}/p/{bad}"
    return run


@SIZES
def test_e6_a_directory_in_the_way_stays(lab, size):
    """A directory has the file's name: that file fails, the directory and what is in it stay."""
    (lab.target / "taken").mkdir()
    (lab.target / "taken" / "mine").write_bytes(b"mine")
    run = fetch(lab, ["a", "z"], "taken", "E_FILE_DIR_CONFLICT", size=size)
    assert run.verdict.litter == ("taken/mine",)
    assert (lab.target / "taken" / "mine").read_bytes() == b"mine"


@SIZES
def test_e6_a_file_in_place_of_a_directory_stays(lab, size):
    """A file has the directory's name: what is below fails, the file stays."""
    (lab.target / "dir").write_bytes(b"mine")
    run = fetch(lab, ["a", "z"], "dir/file", "E_FILE_DIR_CONFLICT", size=size)
    assert run.verdict.litter == ("dir",)
    assert (lab.target / "dir").read_bytes() == b"mine"


@SIZES
def test_e6_a_directory_that_appears_meanwhile_stays(lab, size):
    """It is made while the bytes come: the rename is refused, nothing is lost or left."""

    def make():
        (lab.target / "object").unlink()
        (lab.target / "object").mkdir()

    with paused(lab, lambda: lab.download(size=size), part=last_part(size)) as runs:
        make()
    run = runs[0]
    assert run.code in {1, 2}, run.report()
    assert run.failure["code"] == "E_FILE_DIR_CONFLICT"
    assert read_files(lab.target) == {}
    assert (lab.target / "object").is_dir()


@SIZES
def test_e7_a_link_is_replaced_and_not_written_through(lab, size):
    """The destination is a symbolic link: the link goes, what it points to stays."""
    outside = lab.directory / "outside"
    outside.write_bytes(b"mine")
    data = content(7, size)
    lab.put("object", data)
    (lab.target / "object").symlink_to(outside)
    aim = Aim(wanted={"object": data}, directory=lab.target)
    lab.run(aim, f"s3://{BUCKET}/object", f"{lab.target}/object").right()
    assert outside.read_bytes() == b"mine"


@SIZES
def test_e7_a_link_for_a_directory_is_refused(lab, size):
    """Below the destination of a recursive download a link to a directory leads nowhere."""
    outside = lab.directory / "outside"
    outside.mkdir()
    (lab.target / "dir").symlink_to(outside)
    fetch(lab, ["a", "z"], "dir/file", "E_PATH_UNSAFE", size=size)
    assert list(outside.iterdir()) == []


@SIZES
def test_e7_a_link_that_is_planted_meanwhile_leads_nowhere(lab, size):
    """A directory is replaced by a link while its file's bytes come: nothing arrives where the link leads."""
    outside = lab.directory / "outside"
    outside.mkdir()
    data = content(7, size)
    lab.put("p/dir/object", data)
    aim = Aim(wanted={"dir/object": data}, directory=lab.target)
    (lab.target / "dir").mkdir()
    work = lambda: lab.run(aim, "-R", f"s3://{BUCKET}/p/", f"{lab.target}/")  # noqa: E731 - given on at once
    with paused(lab, work, part=last_part(size)) as runs:
        (lab.target / "dir").rename(lab.directory / "moved")
        (lab.target / "dir").symlink_to(outside)
    assert list(outside.iterdir()) == []
    moved = read_files(lab.directory / "moved")
    if runs[0].code == 0:  # the directory that was open is the one that was moved
        assert moved == {"object": data}
    else:
        assert {event["code"] for event in runs[0].result.failures} <= {"E_PATH_UNSAFE"}, runs[0].report()


def test_e7_the_root_may_be_a_link(lab):
    """The directory that the user names is his own word: a link to one is followed."""
    real = lab.directory / "real"
    real.mkdir()
    (lab.directory / "link").symlink_to(real)
    data = {"a/b": content(1, SMALL)}
    lab.put("p/a/b", data["a/b"])
    lab.run(Aim(wanted=data, directory=real), "-R", f"s3://{BUCKET}/p/", lab.directory / "link").right()


@pytest.mark.parametrize("length", [255, 256])
@SIZES
def test_e8_names_as_long_as_the_disk_takes_them(lab, length, size):
    """255 bytes are a name like another, temporary name and all; 256 fail alone."""
    name = "n" * length
    if length == 255:
        data = content(7, size)
        lab.put(f"p/{name}", data)
        lab.download_all({name: data}, prefix="p/").right()
    else:
        fetch(lab, ["a", "z"], name, "E_NAME_TOO_LONG", size=size)


def test_e8_a_path_beyond_the_limit_is_written_or_told(lab):
    """A destination so deep that the whole path exceeds 4,096 bytes: the file is there, or it failed."""
    deep = lab.target
    while len(str(deep)) < 3_800:
        deep /= "d" * 230
    data = content(7, SMALL)
    name = f"{'k' * 230}/{'l' * 230}"
    lab.put(f"p/{name}", data)
    run = lab.run(Aim(wanted={}), "-R", f"s3://{BUCKET}/p/", f"{deep}/")
    assert run.code in {0, 1, 2}, run.report()
    assert {event["code"] for event in run.result.failures} <= {"E_NAME_TOO_LONG", "E_IO"}, run.report()
    assert run.code != 0 or _read_far(deep, name) == data


def _read_far(directory, name):
    """A file whose path is too long for one call."""
    here = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with open(name, "rb", opener=lambda path, flags: os.open(path, flags, dir_fd=here)) as file:
            return file.read()
    finally:
        os.close(here)


# --- others who write there -------------------------------------------------------------------------------------------


@SIZES
def test_e11_a_file_that_appears_meanwhile_is_not_clobbered(lab, size):
    """``--no-clobber`` and another program makes the file while the bytes come: theirs stays, ours is skipped."""
    data = content(7, size)
    lab.put("object", data)
    aim = Aim(wanted={"object": b"theirs"}, directory=lab.target)
    target = lab.target / "object"
    work = lambda: lab.run(aim, "--no-clobber", f"s3://{BUCKET}/object", target)  # noqa: E731 - given on at once
    with paused(lab, work, part=last_part(size)) as runs:
        target.write_bytes(b"theirs")
    runs[0].right()
    assert [event["reason"] for event in runs[0].result.skipped] == ["exists"]


@SIZES
def test_e12_a_hard_link_is_broken_and_not_written_through(lab, size):
    """The other name of the destination keeps its bytes."""
    data = content(7, size)
    lab.put("object", data)
    other = lab.directory / "other"
    other.write_bytes(b"mine")
    (lab.target / "object").hardlink_to(other)
    aim = Aim(wanted={"object": data}, directory=lab.target)
    lab.run(aim, f"s3://{BUCKET}/object", lab.target / "object").right()
    assert other.read_bytes() == b"mine"
    assert other.stat().st_nlink == 1


@SIZES
def test_e14_a_file_that_another_program_writes_meanwhile_is_replaced_whole(lab, size):
    """Somebody rewrites the destination while the bytes come: in the end it is the object, not some of each."""
    with paused(lab, lambda: lab.download(size=size), part=last_part(size)) as runs:
        (lab.target / "object").write_bytes(b"theirs" * 10_000)
    runs[0].right()


@SIZES
def test_e14_a_directory_that_vanishes_meanwhile_is_no_success_without_the_file(lab, size):
    """The destination directory is removed while the bytes come: the file is there in the end, or it failed."""
    data = content(7, size)
    lab.put("p/dir/object", data)
    (lab.target / "dir").mkdir()
    aim = Aim(wanted={"dir/object": data}, directory=lab.target)
    work = lambda: lab.run(aim, "-R", f"s3://{BUCKET}/p/", f"{lab.target}/")  # noqa: E731 - given on at once
    with paused(lab, work, part=last_part(size)) as runs:
        shutil.rmtree(lab.target / "dir")
    runs[0].honest(0, 1, 2)


@SIZES
def test_e14_a_temporary_file_that_vanishes_is_no_success_without_the_file(lab, size):
    """Somebody tidies up and removes the temporary file: the file is there in the end, or it failed."""
    with paused(lab, lambda: lab.download(size=size), part=last_part(size)) as runs:
        for path in lab.target.glob(".orbit-*"):
            path.unlink()
    runs[0].honest(0, 1, 2)


def test_e14_a_temporary_file_that_becomes_a_link_is_not_written_through(lab):
    """Somebody puts a link in the place of the temporary file: what it points to stays, and nothing is a success."""
    outside = lab.directory / "outside"
    outside.write_bytes(b"mine")
    with paused(lab, lambda: lab.download(size=LARGE), part=3) as runs:
        for path in lab.target.glob(".orbit-*"):
            path.unlink()
            path.symlink_to(outside)
    run = runs[0]
    assert outside.read_bytes() == b"mine"
    assert run.code != 0, run.report()
    assert (lab.target / "object").read_bytes() == BEFORE
