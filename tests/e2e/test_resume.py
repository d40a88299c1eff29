"""Interrupted, and run again: only what was missing is moved, by the server's own count; and nothing is left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess

import pytest

from orbit_fast.core.settings import MIB
from tests.e2e.conftest import BUCKET
from tests.e2e.test_processes import wait_until
from tests.kit.command import descendants
from tests.kit.command import finish
from tests.kit.command import wait_until_gone
from tests.kit.mounts import mount

PART = 5 * MIB
PARTS = 40
LARGE = b"".join(bytes([number]) * 16 + os.urandom(1024) * (PART // 1024) for number in range(PARTS))[
    : PARTS * PART - 3
]
SOME = LARGE[: 3 * PART + 1]
LIMITS = ("--json", "--part-size", "5", "--concurrency", "4", "--processes", "2")
pytestmark = pytest.mark.slow


@pytest.fixture
def state(tmp_path):
    """Where journals are."""
    return tmp_path / "state"


@pytest.fixture
def orbit(orbit, state, tmp_path):
    """The command, with a place for journals, in a directory of its own."""
    (tmp_path / "here").mkdir()
    return orbit.with_environment(XDG_STATE_HOME=str(state)).with_directory(tmp_path / "here")


@pytest.fixture
def here(tmp_path, orbit):
    """Where it runs."""
    return tmp_path / "here"


def journals(state):
    """The journals that there are."""
    return list(state.rglob("*.journal"))


def counted(server, operation):
    """How many requests of this kind the server has answered well."""
    return sum(entry.operation == operation and entry.status < 300 for entry in server.store.log)


def parts_in(state):
    """How many parts the journals speak of."""
    return sum(path.read_bytes().count(b'"type":"part"') for path in journals(state))


def settle(server):
    """Wait until nothing is done any more for requests of who has gone: those that were held go on without him."""
    coros = "HttpConnection._answer_all"
    wait_until(
        lambda: not any(task.get_coro().__qualname__ == coros for task in asyncio.all_tasks(server._loop)),
        "the end of all requests",
    )


def interrupted(server, orbit, hold, number, *arguments, by=signal.SIGINT, stdin=subprocess.DEVNULL, noted=(0, None)):
    """Run the command until `hold` holds `number` requests back, then end it; what came of it.

    Before that so many parts stand in the journals below a directory, as `noted` says: what is killed has not always
    written down all that it has heard of.
    """
    with orbit.start(*arguments, stdin=stdin) as process:
        hold.wait_for(number)
        wait_until(lambda: not noted[0] or parts_in(noted[1]) >= noted[0], "the journal's lines")
        family = descendants(process.pid)
        process.send_signal(by)
        if by != signal.SIGKILL:
            hold.release()
        result = finish(process)
        hold.release()
        wait_until_gone(family)
    settle(server)
    return result


def test_an_interrupted_upload_and_download_send_only_what_was_missing(server, gate, orbit, here, state):
    """40 parts: a terminal's Ctrl-C in the middle of the upload, SIGKILL in the middle of the download."""
    (here / "large").write_bytes(LARGE)
    up = ("cp", "large", f"s3://{BUCKET}/dir/large", *LIMITS)
    result = interrupted(server, orbit, gate.hold("UploadPart", after=17), 1, *up)
    assert result.code == 130
    told = result.err.decode()
    assert "kept: s3://bkt/dir/large (" in told
    assert "the same command goes on from there" in told
    assert "orbit uploads s3://bkt/dir/large --abort" in told
    assert len(server.store.unfinished_uploads()) == len(journals(state)) == 1
    landed = len(server.store.unfinished_uploads()[0].parts)
    assert 17 <= landed < PARTS
    before = counted(server, "UploadPart")
    again = orbit(*up, "--part-size", "9").expect(0)  # the parts keep the size that they had
    assert counted(server, "UploadPart") - before == PARTS - landed
    assert (again.done[0]["parts"], again.done[0]["resumed_bytes"]) == (PARTS, len(LARGE) - _rest(landed))
    assert server.store.bucket(BUCKET).current("dir/large").content.read() == LARGE

    down = ("cp", f"s3://{BUCKET}/dir/large", "back", *LIMITS)
    before = counted(server, "GetObject")
    result = interrupted(server, orbit, gate.hold("GetObject", after=15), 4, *down, by=signal.SIGKILL, noted=(8, state))
    assert result.code == -signal.SIGKILL
    assert not (here / "back").exists()
    before = counted(server, "GetObject")
    again = orbit(*down).expect(0)
    fetched = counted(server, "GetObject") - before
    assert PARTS - 15 <= fetched <= PARTS - 8
    assert again.done[0]["resumed_bytes"] == len(LARGE) - _rest(PARTS - fetched)
    assert (here / "back").read_bytes() == LARGE
    assert sorted(os.listdir(here)) == ["back", "large"]
    assert journals(state) == []


def _rest(landed):
    """Bytes of the parts that are missing, when the last one is among them."""
    return (PARTS - landed) * PART - 3


def test_without_resume_nothing_is_kept_and_nothing_is_read(server, gate, orbit, here, state):
    """--no-resume: an interrupted upload is aborted; a journal that there is stays as it is."""
    (here / "f").write_bytes(SOME)
    up = ("cp", "f", f"s3://{BUCKET}/f", *LIMITS)
    result = interrupted(server, orbit, gate.hold("UploadPart", after=1), 1, *up, "--no-resume").expect(130)
    assert result.failures == []
    assert server.store.unfinished_uploads() == []
    assert not state.exists()
    interrupted(server, orbit, gate.hold("UploadPart", after=1), 1, *up)
    [journal] = journals(state)
    kept = journal.read_bytes()
    [done] = orbit(*up, "--no-resume").expect(0).done
    assert "resumed_bytes" not in done
    assert journal.read_bytes() == kept
    orbit(*up).expect(0)
    assert journals(state) == []


@pytest.mark.parametrize("change", ["content", "gone"])
def test_a_source_that_changed_starts_over(server, gate, orbit, here, state, change):
    """What was kept of it is aborted; so it is where the source is gone, or is not among those of the command."""
    (here / "src").mkdir()
    (here / "src" / "f").write_bytes(SOME)
    up = ("cp", "-R", "src", f"s3://{BUCKET}/p", *LIMITS)
    interrupted(server, orbit, gate.hold("UploadPart", after=1), 1, *up)
    if change == "content":
        (here / "src" / "f").write_bytes(SOME[::-1])
    else:
        (here / "src" / "f").unlink()
    result = orbit(*up).expect(0)
    assert [event.get("resumed_bytes") for event in result.done] == ([None] if change == "content" else [])
    assert server.store.unfinished_uploads() == []
    assert journals(state) == []


def test_an_object_that_was_replaced_is_fetched_anew(server, gate, orbit, here, state):
    """Its ETag is another one: no range of the old one gets into the file."""
    server.store.put(BUCKET, "k", SOME)
    down = ("cp", f"s3://{BUCKET}/k", "f", *LIMITS)
    interrupted(server, orbit, gate.hold("GetObject", after=2), 1, *down, by=signal.SIGKILL)
    server.store.put(BUCKET, "k", SOME[::-1])
    [done] = orbit(*down).expect(0).done
    assert "resumed_bytes" not in done
    assert (here / "f").read_bytes() == SOME[::-1]
    assert (journals(state), os.listdir(here)) == ([], ["f"])


def test_litter_of_a_killed_run_is_removed_by_the_next(server, gate, orbit, here, state):
    """Temporary files of small downloads too; those of other runs are theirs."""
    for number in range(8):
        server.store.put(BUCKET, f"p/deep/{number}", bytes(2 * MIB))
    foreign = here / "out" / "deep" / ".orbit-ffffffffffffffff-1.tmp"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"somebody's")
    dead = here / "out" / "deep" / ".orbit-0000000000000000-9.tmp"
    down = ("cp", "-R", f"s3://{BUCKET}/p/", "out", "--json")
    interrupted(server, orbit, gate.hold("GetObject", after=5), 3, *down, by=signal.SIGKILL)
    [journal] = journals(state)
    run = journal.read_bytes().split(b'"run":"')[1][:16].decode()
    dead = dead.with_name(f".orbit-{run}-9.tmp")
    dead.write_bytes(b"half of it")
    orbit(*down).expect(0)
    assert sorted(os.listdir(foreign.parent)) == [foreign.name, *"01234567"]
    assert journals(state) == []
    foreign.unlink()


def test_a_place_that_cannot_be_written_is_no_failure(server, gate, orbit, here, state):
    """Without a journal an interrupted upload is aborted; -v says why there is none."""
    state.write_bytes(b"a file")
    (here / "f").write_bytes(SOME)
    up = ("cp", "f", f"s3://{BUCKET}/f", *LIMITS)
    result = interrupted(server, orbit, gate.hold("UploadPart", after=1), 1, *up, "-v")
    assert result.code == 130
    assert b"no journal is kept" in result.err
    assert server.store.unfinished_uploads() == []
    orbit(*up).expect(0)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_a_disk_that_fills_up_under_the_journal_stops_nothing(server, gate, orbit, here, tmp_path, by):
    """It is told, once; what is interrupted then is cleaned up, what is killed is gone on with or aborted."""
    file = here.joinpath(*["long" * 50] * 5, "f")  # its path alone takes most of the disk
    file.parent.mkdir(parents=True)
    file.write_bytes(LARGE[: 14 * PART])
    (tmp_path / "full").mkdir()
    up = ("cp", file, f"s3://{BUCKET}/f", *LIMITS)
    with mount(tmp_path / "full", "size=4k") as disk:
        full = orbit.with_environment(XDG_STATE_HOME=str(disk.inside)).with_prefix(*disk.prefix)
        result = interrupted(server, full, gate.hold("UploadPart", after=13), 1, *up, by=by)
        told = result.err.count(b"orbit: warning: no journal is kept in ")
        assert told == result.err.count(b"No space left on device")
        assert told == 1 or (told == 0 and by == signal.SIGKILL)  # what is killed has not always told all it knew
        assert len(server.store.unfinished_uploads()) == (by == signal.SIGKILL)
        [done] = full(*up).done
        assert ("resumed_bytes" in done) == (by == signal.SIGKILL)
        assert server.store.read(BUCKET, "f") == LARGE[: 14 * PART]
        assert server.store.unfinished_uploads() == []
        disk.remount("size=1m")
        full(*up).expect(0)
        assert journals(disk.path) == []


def test_an_upload_that_was_given_up_is_aborted(server, gate, orbit, here, state):
    """Its own permanent failure: nobody will go on with it."""
    (here / "f").write_bytes(SOME)
    gate.refuse("UploadPart", "AccessDenied", after=1)
    orbit("cp", "f", f"s3://{BUCKET}/f", *LIMITS).expect(2)
    assert server.store.unfinished_uploads() == []
    assert journals(state) == []


def test_two_runs_of_one_command_at_once(server, gate, orbit, here, state):
    """The second one does not touch what the first one has under way: both upload, both end well."""
    (here / "f").write_bytes(SOME)
    up = ("cp", "f", f"s3://{BUCKET}/f", *LIMITS)
    hold = gate.hold("UploadPart", after=1)
    with orbit.start(*up) as first:
        hold.wait_for(1)
        with orbit.start(*up, "-v") as second:
            hold.wait_for(7)  # three of the first one's, all four of the second one's
            hold.release()
            result = finish(second)
        assert finish(first).expect(0).done
    assert result.code == 0
    assert b"another run of the same command" in result.err
    assert counted(server, "UploadPart") == 8
    assert journals(state) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_stream_that_was_cut_off_leaves_no_upload_for_long(server, gate, orbit, state, number):
    """SIGKILL in the middle of ``pipe``: nobody can go on with it, so the next run of the same command aborts it."""
    pipe = ("pipe", f"s3://{BUCKET}/k", "--json", "--processes", "2")
    hold = gate.hold("UploadPart", after=1)
    with orbit.start(*pipe, stdin=subprocess.PIPE) as process:
        process.stdin.write(LARGE[: 30 * MIB])
        process.stdin.flush()
        hold.wait_for(1)
        family = descendants(process.pid)
        process.send_signal(number)
        if number != signal.SIGKILL:
            hold.release()
        finish(process)
        hold.release()
        wait_until_gone(family)
    settle(server)
    is_left = number == signal.SIGKILL
    assert len(server.store.unfinished_uploads()) == len(journals(state)) == is_left
    orbit("pipe", f"s3://{BUCKET}/other", fed=b"another command").expect(0)
    assert len(server.store.unfinished_uploads()) == is_left
    orbit(*pipe, fed=LARGE[: 20 * MIB]).expect(0)
    assert server.store.unfinished_uploads() == []
    assert journals(state) == []
    assert server.store.bucket(BUCKET).current("k").content.read() == LARGE[: 20 * MIB]


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_a_script_goes_on_with_what_its_lines_had_under_way(server, gate, orbit, here, state, by):
    """Up, and down; lines that were done are done again, and a line whose options are others begins anew."""
    (here / "f").write_bytes(SOME)
    server.store.put(BUCKET, "from", LARGE[: 4 * PART])
    (here / "up").write_text(f"cp --part-size 5 f s3://{BUCKET}/f\nrm s3://{BUCKET}/nothing*\n")
    result = interrupted(server, orbit, gate.hold("UploadPart", after=1), 1, "run", "--concurrency", "1", "up", by=by)
    assert (b"kept: s3://bkt/f (" in result.err) == (by == signal.SIGINT)
    assert len(journals(state)) == 1
    (here / "up").write_text(f"cp --part-size 5 f s3://{BUCKET}/f\n")
    [done] = orbit("run", "--json", "up").expect(0).done
    assert done["resumed_bytes"] in {PART, 2 * PART}  # the one that was held back may still have arrived
    assert counted(server, "CreateMultipartUpload") == 1
    assert server.store.read(BUCKET, "f") == SOME
    assert (server.store.unfinished_uploads(), journals(state)) == ([], [])

    (here / "down").write_text(f"cp --part-size 5 s3://{BUCKET}/from s3-from\n")
    line = ("run", "--concurrency", "1", "down")
    interrupted(server, orbit, gate.hold("GetObject", after=2), 1, *line, by=by, noted=(1, state))
    [done] = orbit("run", "--json", "down").expect(0).done
    assert done["resumed_bytes"] >= PART
    assert (here / "s3-from").read_bytes() == LARGE[: 4 * PART]
    assert sorted(os.listdir(here)) == ["down", "f", "s3-from", "up"]

    interrupted(server, orbit, gate.hold("UploadPart", after=1), 1, "run", "--concurrency", "1", "up", by=by)
    (here / "up").write_text(f"cp --part-size 5 --content-type text/x f s3://{BUCKET}/f\n")
    before = counted(server, "CreateMultipartUpload")
    [done] = orbit("run", "--json", "up").expect(0).done
    assert ("resumed_bytes" in done, counted(server, "CreateMultipartUpload") - before) == (False, 1)
    assert server.store.bucket(BUCKET).current("f").attributes.headers["content-type"] == "text/x"
    assert (server.store.unfinished_uploads(), journals(state)) == ([], [])


@pytest.mark.parametrize("how", ["stdin", "--no-resume"])
def test_what_a_killed_script_leaves_is_listed_and_can_be_aborted(server, gate, orbit, here, state, how):
    """A script on stdin has no name and no journal: ``uploads`` shows what SIGKILL has left of it, and aborts it."""
    (here / "f").write_bytes(SOME)
    (here / "script").write_text(f"cp --part-size 5 f s3://{BUCKET}/f\n")
    with (here / "script").open("rb") as lines:
        named = ("run",) if how == "stdin" else ("run", "--no-resume", "script")
        hold = gate.hold("UploadPart", after=1)
        result = interrupted(server, orbit, hold, 1, *named, by=signal.SIGKILL, stdin=lines)
    assert (result.code, journals(state)) == (-signal.SIGKILL, [])
    assert [line.split()[-1] for line in orbit("uploads", f"s3://{BUCKET}").expect(0).lines] == [f"s3://{BUCKET}/f"]
    orbit("uploads", "--abort", f"s3://{BUCKET}").expect(0)
    assert server.store.unfinished_uploads() == []
