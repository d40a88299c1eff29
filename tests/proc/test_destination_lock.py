"""One sync at a time for one destination, and for what lies in it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading

import pytest

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.location import S3Url
from orbit_fast.proc.destination_lock import DestinationLock
from orbit_fast.proc.destination_lock import place_of
from tests.kit.folding import FoldingDirectory

PLACE = S3Url("b", "p/")
ME = os.getpid()


def _lock(directory, url="p/", logs=None):
    place = url if isinstance(url, bytes) else S3Url("b", url)
    log = [].append if logs is None else logs.append
    what = f"s3://b/{url}" if isinstance(url, str) else os.fsdecode(url)
    return DestinationLock(str(directory) if directory else "", place_of(place, "", {}), what, log=log)


def _claims(directory):
    return list((directory / "locks").iterdir())


def test_destinations_are_told_apart(tmp_path):
    """By service, bucket and prefix, or by the real directory; however they are written."""
    (tmp_path / "d").mkdir()
    (tmp_path / "link").symlink_to("d")
    path = bytes(tmp_path)
    places = {
        place_of(PLACE, "", {}),
        place_of(PLACE, "http://h:1", {}),
        place_of(S3Url("b", "q/"), "", {}),
        place_of(S3Url("c", "p/"), "", {}),
        place_of(path + b"/d/", "", {}),
        place_of(path + b"/e/", "", {}),
    }
    assert len(places) == 6
    assert place_of(path + b"/link/", "", {}) == place_of(path + b"/d/", "", {})
    assert place_of(PLACE, "HTTP://h:1/", {}) == place_of(PLACE, "", {"AWS_ENDPOINT_URL": "http://h:1"})
    both = {"AWS_ENDPOINT_URL": "http://other", "AWS_ENDPOINT_URL_S3": "http://h:1"}
    assert place_of(PLACE, "", both) == place_of(PLACE, "http://h:1", {})
    assert place_of(b"/", "", {}) == b"local /"


def test_the_second_is_refused_until_the_first_is_done(tmp_path):
    """It is told the process that has it; other destinations are free; nothing is left behind."""
    first, second, other = _lock(tmp_path), _lock(tmp_path), _lock(tmp_path, "q/")
    first.take()
    [path] = _claims(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    other.take()
    with pytest.raises(InvalidConfig) as caught:
        second.take()
    assert caught.value.message.startswith(f"another sync is writing to s3://b/p/: process {ME} (--wait ")
    assert (caught.value.code, caught.value.exit_code) == ("E_LOCKED", 2)
    second.release()
    first.release()
    second.take()
    second.release()
    other.release()
    assert _claims(tmp_path) == []


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ("x/", "x/y/", "what s3://b/x/y/ is a part of"),
        ("x/y/", "x/", "a part of s3://b/x/"),
        ("", "x/y/z/", "what s3://b/x/y/z/ is a part of"),
        ("x/y/z/", "", "a part of s3://b/"),
        (b"/no/d/", b"/no/d/e/", "what /no/d/e/ is a part of"),
        (b"/no/d/e/", b"/no/", "a part of /no/"),
        (b"/", b"/no/d/", "what /no/d/ is a part of"),
    ],
)
def test_one_that_lies_in_the_other(tmp_path, one, other, words):
    """Whichever was first: what one copies would be an extra of the other's."""
    first, second = _lock(tmp_path, one), _lock(tmp_path, other)
    first.take()
    with pytest.raises(InvalidConfig) as caught:
        second.take()
    assert caught.value.message.startswith(f"another sync is writing to {words}: process {ME} (")
    first.release()
    second.take()
    second.release()
    assert _claims(tmp_path) == []


@pytest.mark.parametrize(
    "places", [["x/y/", "x/z/", "x/y2/", "z/"], ["x/", "x2/", "y/x/"], [b"/no/a/", b"/no/b/", b"/no/a.b/", "no/a/"]]
)
def test_neighbours_go_side_by_side(tmp_path, places):
    """What only begins with the same letters, or has the same parent, is another destination."""
    locks = [_lock(tmp_path, place) for place in places]
    for lock in locks:
        lock.take()
    assert len(_claims(tmp_path)) == len(locks)
    for lock in locks:
        lock.release()


def test_one_that_waits_gets_it_in_its_turn(tmp_path):
    """When all that stood in its way are done: those of its parts one after another."""
    parts, whole, last = [_lock(tmp_path, "p/x/"), _lock(tmp_path, "p/y/")], _lock(tmp_path), _lock(tmp_path)
    for part in parts:
        part.take()
    told: list[str] = []
    waits = threading.Semaphore(0)
    waiter = threading.Thread(target=whole.take, args=(lambda text: (told.append(text), waits.release()),))
    waiter.start()
    assert waits.acquire(timeout=60)
    parts[0].release()
    parts[1].release()
    waiter.join(60)
    assert not waiter.is_alive()
    assert set(told) == {f"another sync is writing to a part of s3://b/p/: process {ME}"}
    with pytest.raises(InvalidConfig):
        last.take()
    whole.release()
    assert _claims(tmp_path) == []


def test_many_take_turns(tmp_path):
    """Eight at once, of nested places: never two that overlap, and nobody waits for ever."""
    places = ["p/", "p/a/", "p/a/b/", "p/c/", "", "p/a/", "q/", "p/"]
    held: list[str] = []
    clashes: list[str] = []
    done: list[str] = []
    guard = threading.Lock()
    ready = threading.Barrier(len(places))

    def take(place):
        ready.wait(60)
        for _ in range(5):
            lock = _lock(tmp_path, place)
            lock.take(lambda _: None)
            with guard:
                clashes.extend(one for one in held if one.startswith(place) or place.startswith(one))
                held.append(place)
            with guard:
                held.remove(place)
            lock.release()
        done.append(place)

    threads = [threading.Thread(target=take, args=(place,)) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done) == sorted(places)
    assert clashes == []
    assert _claims(tmp_path) == []


def test_the_claim_of_a_dead_process_is_none(tmp_path):
    """However it died: its file is found and removed."""
    program = (
        "import os, signal, sys\n"
        "from orbit_fast.proc.destination_lock import DestinationLock\n"
        "DestinationLock(sys.argv[1], b's3  s3://b/p/x/', 'x', log=print).take()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, timeout=60)
    assert len(_claims(tmp_path)) == 1
    lock = _lock(tmp_path)
    lock.take()
    [claim] = _claims(tmp_path)
    assert claim.read_bytes() == b"%d\ns3  s3://b/p/" % ME
    lock.release()


def test_a_file_that_was_removed_locks_nothing(tmp_path):
    """Somebody cleans up, and a third sync makes a new file: that one counts, and whoever waited waits for it too."""
    first, second, third = (_lock(tmp_path) for _ in range(3))
    first.take()
    told: list[str] = []
    waits = threading.Semaphore(0)
    waiter = threading.Thread(target=second.take, args=(lambda text: (told.append(text), waits.release()),))
    waiter.start()
    assert waits.acquire(timeout=60)
    _claims(tmp_path)[0].unlink()
    third.take()
    first.release()
    assert waits.acquire(timeout=60)
    assert waiter.is_alive()
    third.release()
    waiter.join(60)
    assert (waiter.is_alive(), len(told)) == (False, 2)
    second.release()


def test_without_a_state_directory_nothing_is_locked(tmp_path):
    """No home, or one that cannot be written: it is logged, and no failure."""
    (tmp_path / "file").touch()
    for directory, words in ((None, "no home directory"), (tmp_path / "file" / "x", "Not a directory")):
        logs: list[str] = []
        locks = [_lock(directory, logs=logs) for _ in range(2)]
        for lock in locks:
            lock.take()
            lock.release()
        assert len(logs) == 2
        assert words in logs[0]


def test_a_disk_that_takes_no_claim_locks_nothing(tmp_path, monkeypatch):
    """A claim that says nothing would keep everybody out: it is taken back."""

    def refuse(*_):
        raise OSError(28, "No space left on device")

    logs: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", refuse)
        _lock(tmp_path, logs=logs).take()
    assert "No space left" in logs[0]
    assert _claims(tmp_path) == []


def test_spellings_of_one_directory_are_one_place(tmp_path, monkeypatch):
    """Where the disk folds names; elsewhere they are two."""
    (tmp_path / "Dir").mkdir()
    asked = [bytes(tmp_path / name) for name in ("Dir", "dir", "DIR")]
    assert len({place_of(path, "", {}) for path in asked}) == 3
    FoldingDirectory(bytes(tmp_path), monkeypatch)
    assert {place_of(path, "", {}) for path in asked} == {b"local " + bytes(tmp_path.resolve()) + b"/Dir/"}
