"""What goes to stdout: JSON Lines with the summary last, whatever reads them, and an exit code that tells of a loss."""

from __future__ import annotations

import json
import os
import subprocess
import threading

import pytest

from tests.kit.buckets import objects_of
from tests.kit.command import finish
from tests.kit.event_schema import validated
from tests.kit.trees import content
from tests.kit.trees import make_tree

pytestmark = pytest.mark.slow

COUNT = 1500
"""Events of so many objects are more than a pipe holds (64 KiB) and more than one write."""


@pytest.fixture
def many(tmp_path):
    """A tree of many tiny files, and what is in them."""
    files = {f"{number % 10}/file {number:05} é": b"%d" % number for number in range(COUNT)}
    return make_tree(tmp_path / "src", files), files


def stored(server):
    """What the server's store holds under ``p/``."""
    return {key.removeprefix("p/"): server.store.read("bkt", key) for key in server.store.keys("bkt")}


def whole_lines(data):
    """The events in what was written, all lines whole, each valid."""
    assert data.endswith(b"\n")
    return validated(data)


def lost(reason):
    """What stderr says when stdout did not take the report."""
    return f'ERROR "cp": E_REPORT_LOST: cannot write to stdout: {reason}\n'.encode()


def test_json_lines(orbit, server, many):
    """Every object once, the summary last and only last, nothing on stderr."""
    source, files = many
    result = orbit("cp", "-R", "--json", source, "s3://bkt/p").expect(0)
    assert sorted(event["destination"] for event in result.done) == sorted(f"s3://bkt/p/{name}" for name in files)
    assert {event["source"] for event in result.done} == {f"{source}/{name}" for name in files}
    summary = result.summary
    assert (summary["files_copied"], summary["bytes_copied"]) == (COUNT, sum(map(len, files.values())))
    assert summary["success"] is True
    assert len(result.out.splitlines()) == COUNT + 1
    assert stored(server) == files


def test_slow_reader_loses_nothing(orbit, server, many):
    """A reader that takes a few bytes at a time gets every line whole, and the job waits for it instead of dying."""
    source, files = many
    read, write = os.pipe()
    with orbit.start("cp", "-R", "--json", source, "s3://bkt/p", stdout=write) as process:
        os.close(write)
        pieces = []
        while piece := os.read(read, 997):
            pieces.append(piece)
            if len(pieces) < 200:
                threading.Event().wait(0.005)
        os.close(read)
        result = finish(process).expect(0)
    events = whole_lines(b"".join(pieces))
    assert [event["operation"] for event in events[-2:]] == ["cp", "summary"]
    assert len(events) == COUNT + 1
    assert result.code == events[-1]["exit_code"] == 0
    assert stored(server) == files


def test_reader_that_never_reads_is_waited_for(orbit, many):
    """With a full pipe the job stands still; once somebody reads, it goes on to its end."""
    source, _ = many
    read, write = os.pipe()
    with orbit.start("cp", "-R", "--json", source, "s3://bkt/p", stdout=write) as process:
        os.close(write)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.5)
        with open(read, "rb") as file:
            data = file.read()
        assert process.wait(60) == 0
    assert len(whole_lines(data)) == COUNT + 1


@pytest.mark.parametrize("form", ["--json", "--no-progress"])
def test_closed_pipe(form, orbit, server, many):
    """A reader that goes away in mid-job: whole lines until then, all the work done, exit 1, and one line says so."""
    source, files = many
    read, write = os.pipe()
    with orbit.start("cp", "-R", form, source, "s3://bkt/p", stdout=write) as process:
        os.close(write)
        first = os.read(read, 4096)
        os.close(read)
        result = finish(process)
    result.expect(1, err=lost("Broken pipe"))
    whole = first[: first.rindex(b"\n") + 1]
    if form == "--json":
        whole_lines(whole)
    else:
        assert all(line.startswith(f"cp {source}/".encode()) for line in whole.splitlines())
    assert stored(server) == files


def test_pipe_closed_from_the_start(orbit, judge, tmp_path):
    """Nobody ever read: the file is copied, and the exit code says that the report was lost."""
    source = make_tree(tmp_path / "src", {"a": b"1"})
    read, write = os.pipe()
    os.close(read)
    with orbit.start("cp", "-R", "--json", source, "s3://bkt/", stdout=write) as process:
        os.close(write)
        finish(process).expect(1, err=lost("Broken pipe"))
    assert objects_of(judge, "bkt") == {"a": b"1"}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux only")
@pytest.mark.parametrize("form", ["--json", "--no-progress"])
def test_full_disk_under_stdout(form, orbit, judge, tmp_path):
    """``> /dev/full``: the work is done, the loss is told on stderr, exit 1."""
    source = make_tree(tmp_path / "src", {"a": b"1", "b": b"2"})
    with (
        open("/dev/full", "wb") as full,
        orbit.start("cp", "-R", form, source, "s3://bkt/", stdout=full) as process,
    ):
        finish(process).expect(1, err=lost("No space left on device"))
    assert objects_of(judge, "bkt") == {"a": b"1", "b": b"2"}


def test_stdout_closed_before_the_start(orbit, judge, tmp_path):
    """``>&-``: no file of the job is taken for stdout."""
    source = make_tree(tmp_path / "src", {"a": b"1"})
    script = 'exec "$0" "$@" >&-'
    closed = orbit.with_prefix("sh", "-c", script)
    result = closed("cp", "-R", "--json", source, "s3://bkt/")
    assert result.code != 0
    assert objects_of(judge, "bkt") == {"a": b"1"}
    assert (source / "a").read_bytes() == b"1"


def test_stdout_is_a_file(orbit, tmp_path, many):
    """Redirected into a file: the same lines, all of them."""
    source, _ = many
    path = tmp_path / "report.jsonl"
    with open(path, "wb") as file, orbit.start("cp", "-R", "--json", source, "s3://bkt/p", stdout=file) as process:
        finish(process)
    assert len(whole_lines(path.read_bytes())) == COUNT + 1


def test_progress_events(orbit, gate, tmp_path):
    """``--json --progress``: progress events come at most once a second and are valid; without it there are none."""
    source = make_tree(tmp_path / "src", {f"f{number}": content(number, 10) for number in range(5)})
    hold = gate.hold("PutObject")
    with orbit.start("cp", "-R", "--json", "--progress", source, "s3://bkt/") as process:
        hold.wait_for(5)
        threading.Timer(1.2, gate.open).start()
        result = finish(process).expect(0)
    progress = [event for event in result.events if event["operation"] == "progress"]
    assert 1 <= len(progress) <= 3
    assert progress[-1]["files_total"] == 5
    assert not [event for event in orbit("cp", "-R", "--json", source, "s3://bkt/").events if "rate_bps" in event]


def test_names_in_json_are_exact(orbit, tmp_path):
    """Control characters, quotes and emoji in names are JSON's business, not the reader's."""
    name = 'a"b\\c\nd\te\u0085\U0001f600'
    source = make_tree(tmp_path / "src", {name: b"1"})
    result = orbit("cp", "-R", "--json", source, "s3://bkt/").expect(0)
    assert [event["destination"] for event in result.done] == [f"s3://bkt/{name}"]
    assert json.loads(result.out.split(b"\n")[0])["source"] == f"{source}/{name}"


def test_names_in_text_stay_on_their_line(orbit, tmp_path):
    """In text a name forges neither a second line nor a terminal's command."""
    source = make_tree(tmp_path / "src", {"a\nERROR forged\x1b[31m": b"1"})
    result = orbit("cp", "-R", source, "s3://bkt/").expect(0)
    assert result.lines == [rf"cp {source}/a\x0aERROR forged\x1b[31m s3://bkt/a\x0aERROR forged\x1b[31m"]
