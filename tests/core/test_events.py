"""Lines of JSON and of text, and the schema that describes them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.console import Snapshot
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import S3Error
from orbit_fast.core.event_text import statistics
from orbit_fast.core.events import Landed
from orbit_fast.core.events import Lines
from orbit_fast.core.events import SkipReason
from orbit_fast.core.events import Totals
from orbit_fast.core.events import new_renderer
from orbit_fast.core.events import pair_of
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.settings import SelectionSettings
from tests.kit.event_schema import is_valid
from tests.kit.event_schema import validated

PAIR = ("s3://b/k", b"/tmp/k")


def renderer(*, process=None, glacier=False, **output):
    """A renderer with these output settings."""
    settings = JobSettings(
        output=OutputSettings(**output), selection=SelectionSettings(ignore_glacier_warnings=glacier)
    )
    return new_renderer(settings, operation="cp", process=process)


def only(lines):
    """The one event of `lines`, with nothing on stderr."""
    assert lines.err == b""
    (event,) = validated(lines.out)
    return event


@given(st.text())
def test_json_drives_no_terminal(name):
    """Control characters and directions are escapes in JSON too; what a program reads is the exact name."""
    line = renderer(json=True).done((f"s3://b/\x7f\x9b\u202e{name}", b"/k"), Landed(size=1)).out
    assert not [
        one for one in line[:-1].decode() if one < " " or "\x7f" <= one <= "\x9f" or one in "\u2028\u202e\u2066"
    ]
    assert only(Lines(line))["source"] == f"s3://b/\x7f\x9b\u202e{name}"


FULL = Landed(
    size=0,
    etag="0123",
    version_id="v1",
    checksum=Checksum("CRC32C", "AAAAAA==-2", "COMPOSITE"),
    verified=Verified.CHECKSUM,
    content_type="text/plain",
    storage_class="STANDARD_IA",
    parts=2,
    attempts=1,
    resumed_bytes=7,
    duration_ms=0,
)


def test_done_carries_every_known_field():
    """A finished object's event has all that is known of it, zeros included."""
    assert only(renderer(json=True, process=0).done(PAIR, FULL)) == {
        "operation": "cp",
        "success": True,
        "source": "s3://b/k",
        "destination": "/tmp/k",
        "size": 0,
        "etag": "0123",
        "version_id": "v1",
        "checksum": {"algorithm": "CRC32C", "value": "AAAAAA==-2", "type": "COMPOSITE"},
        "verified": "checksum",
        "content_type": "text/plain",
        "storage_class": "STANDARD_IA",
        "parts": 2,
        "attempts": 1,
        "resumed_bytes": 7,
        "duration_ms": 0,
        "process": 0,
    }


def test_done_leaves_out_what_is_unknown():
    """Fields without a value are absent, not null or empty."""
    event = only(renderer(json=True).done(PAIR, Landed(size=5)))
    assert event == {
        "operation": "cp",
        "success": True,
        "source": "s3://b/k",
        "destination": "/tmp/k",
        "size": 5,
        "attempts": 1,
    }


def test_names_that_are_not_utf8_are_exact_in_base64():
    """A lossy name has its exact bytes beside it, for the source and for the destination."""
    event = only(renderer(json=True).done((b"/a/\xff\n", "s3://b/\udcfe"), Landed(size=1)))
    assert event["source"] == "/a/\ufffd\n"
    assert base64.b64decode(event["source_b64"]) == b"/a/\xff\n"
    assert base64.b64decode(event["destination_b64"]) == b"s3://b/\xfe"


@given(name=st.one_of(st.binary(min_size=1), st.text(min_size=1)), is_json=st.booleans())
def test_any_name_makes_one_line(name, is_json):
    """Whatever a name holds, its event is one line: valid JSON, or text of printable characters."""
    lines = renderer(json=is_json).done((name, "s3://b/k"), Landed(size=1))
    assert lines.out.count(b"\n") == 1
    if is_json:
        (event,) = validated(lines.out)
        raw = base64.b64decode(event["source_b64"]) if "source_b64" in event else event["source"].encode()
        expected = name if isinstance(name, bytes) else name.encode("utf-8", "surrogatepass")
        assert raw == expected
    else:
        text = lines.out.decode()
        assert text.startswith("cp ")
        assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text[:-1])


@pytest.mark.parametrize("reason", list(SkipReason))
def test_skipped_event(reason):
    """A skip is an event with its reason; ``identical`` needs ``-v``."""
    lines = renderer(json=True).skipped(PAIR, reason, 3)
    if reason is SkipReason.IDENTICAL:
        assert lines == Lines()
        lines = renderer(json=True, verbose=1).skipped(PAIR, reason, 3)
    event = only(lines)
    assert (event["skipped"], event["reason"], event["success"], event["size"]) == (True, reason, True, 3)


@pytest.mark.parametrize(
    ("reason", "output", "glacier", "out", "err"),
    [
        ("exists", {}, False, b"", b""),
        ("exists", {"verbose": 1}, False, b"skip cp s3://b/k /tmp/k: exists\n", b""),
        ("same-size", {"verbose": 1}, False, b"skip cp s3://b/k /tmp/k: same-size\n", b""),
        ("not-newer", {"verbose": 1}, False, b"skip cp s3://b/k /tmp/k: not-newer\n", b""),
        ("symlink", {}, False, b"", b'WARNING "cp s3://b/k /tmp/k": skipped: symlink\n'),
        ("vanished", {"quiet": True}, False, b"", b'WARNING "cp s3://b/k /tmp/k": skipped: vanished\n'),
        ("glacier", {}, False, b"", b'WARNING "cp s3://b/k /tmp/k": skipped: glacier\n'),
        ("glacier", {}, True, b"", b""),
    ],
)
def test_skipped_text(reason, output, glacier, out, err):
    """Wished skips are silent unless verbose; skips that leave something undone are warned of."""
    assert renderer(glacier=glacier, **output).skipped(PAIR, reason, 3) == (out, err)


def test_planned():
    """A dry run says what would be done, as an event or as text."""
    event = only(renderer(json=True, dry_run=True).planned(PAIR, 9))
    assert (event["dry_run"], event["size"], event["success"]) == (True, 9, True)
    assert renderer(dry_run=True).planned(PAIR, 9).out == b"(dry run) cp s3://b/k /tmp/k\n"


def test_failure_event():
    """A failure is an event on stdout with what the service said."""
    failure = Failure.of(NotFound("b", "k", request_id="R1"))
    assert only(renderer(json=True, process=2).failed(PAIR, failure, 3)) == {
        "operation": "cp",
        "success": False,
        "source": "s3://b/k",
        "destination": "/tmp/k",
        "error": "no such object: s3://b/k",
        "code": "NoSuchKey",
        "status": 404,
        "request_id": "R1",
        "retryable": False,
        "attempts": 3,
        "process": 2,
    }


def test_failure_of_the_command_names_no_object():
    """With an empty pair the failure belongs to the command."""
    failure = Failure.of(S3Error("bad", code="E_USAGE"))
    event = only(renderer(json=True).failed(("", ""), failure))
    assert "source" not in event
    assert "destination" not in event
    assert "attempts" not in event
    assert renderer().failed(("", ""), failure) == (b"", b'ERROR "cp": E_USAGE: bad\n')


@pytest.mark.parametrize(
    ("message", "code", "shown"),
    [
        ("no such object", "NoSuchKey", "NoSuchKey: no such object"),
        ("AccessDenied: Access Denied", "AccessDenied", "AccessDenied: Access Denied"),
        ("two\n  lines\tand\x1b[31m red", "E_IO", "E_IO: two lines and\\x1b[31m red"),
        ("url http://h/?X-Amz-Signature=abc&x=1", "E_IO", "E_IO: url http://h/?X-Amz-Signature=REDACTED&x=1"),
        ("bad \udcff name", "E_IO", "E_IO: bad \ufffd name"),
    ],
)
def test_failure_text(message, code, shown):
    """An error is one clean line on stderr: its code once, no control character, no secret."""
    lines = renderer().failed(PAIR, Failure(message, code))
    assert lines == (b"", f'ERROR "cp s3://b/k /tmp/k": {shown}\n'.encode())


def test_failure_shows_no_secret_in_json():
    """The redactor stands before the JSON form as well."""
    lines = renderer(json=True).failed(PAIR, Failure("Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x", "E_IO"))
    assert b"AKIA" not in lines.out
    assert "REDACTED" in only(lines)["error"]


@pytest.mark.parametrize("is_json", [True, False])
def test_quiet_keeps_failures_and_drops_successes(is_json):
    """``-q`` says only what went wrong (and the JSON summary)."""
    quiet = renderer(json=is_json, quiet=True)
    assert quiet.done(PAIR, FULL) == Lines()
    assert quiet.skipped(PAIR, "exists") == Lines()
    assert quiet.failed(PAIR, Failure("x", "E_IO")) != Lines()
    assert bool(quiet.summary(Totals(command="cp")).out) is is_json


def test_text_of_done():
    """A success line is the command that was done."""
    assert renderer().done((b"a\xffb\n", "s3://b/\u202ek"), FULL) == (b"cp a\\xffb\\x0a s3://b/\\u202ek\n", b"")


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        (Snapshot(), {"bytes_done": 0, "files_done": 0, "rate_bps": 0}),
        (
            Snapshot(bytes_done=50, bytes_total=150, files_done=1, files_total=3, rate_bps=49.6),
            {"bytes_done": 50, "bytes_total": 150, "files_done": 1, "files_total": 3, "rate_bps": 49, "eta_secs": 2},
        ),
    ],
)
def test_progress_event(snapshot, expected):
    """Progress is an event under ``--json --progress``, with an ETA when it can be known."""
    assert only(renderer(json=True, progress=True).progress(snapshot)) == {"operation": "progress", **expected}


@pytest.mark.parametrize("output", [{"json": True}, {"json": True, "progress": False}, {"progress": True}])
def test_progress_is_no_event_unless_asked_for(output):
    """Without both ``--json`` and ``--progress`` there is no progress line."""
    assert renderer(**output).progress(Snapshot()) == Lines()


TOTALS = Totals(
    command="cp",
    files_copied=140,
    files_failed=2,
    bytes_copied=16_428_259_328,
    duration_s=12.4,
    retries=5,
    unverified=1,
    exit_code=1,
)


def test_summary_event():
    """The summary has every field, always."""
    assert only(renderer(json=True).summary(TOTALS)) == {
        "operation": "summary",
        "command": "cp",
        "success": False,
        "files_copied": 140,
        "files_skipped": 0,
        "files_failed": 2,
        "files_deleted": 0,
        "bytes_copied": 16_428_259_328,
        "duration_secs": 12.4,
        "throughput_bps": 1_324_859_623,
        "retries": 5,
        "unverified": 1,
        "exit_code": 1,
        "interrupted": False,
    }


def test_summary_of_nothing_has_no_throughput():
    """A job that took no time moved nothing per second, and succeeded."""
    event = only(renderer(json=True).summary(Totals(command="cp")))
    assert (event["throughput_bps"], event["success"]) == (0, True)


def test_statistics_for_people():
    """``--stat -H`` prints the block with IEC sizes."""
    assert statistics(TOTALS, is_human=True).decode() == (
        "  Execution Statistics\n"
        "  - Operation: Copy\n"
        "  - Total files: 142\n"
        "  - Succeeded: 140\n"
        "  - Failed: 2\n"
        "  - Total size: 15.3 GiB\n"
        "  - Elapsed: 12.4s\n"
        "  - Throughput: 1.2 GiB/s\n"
    )


def test_statistics_count_the_skipped():
    """Skipped objects have a line of their own, so that the numbers add up."""
    block = statistics(Totals(command="cp", files_copied=1, files_skipped=2), is_human=False).decode()
    assert "Total files: 3\n" in block
    assert "Skipped: 2\n" in block
    assert "Total size: 0\n" in block


@pytest.mark.parametrize(
    ("output", "out", "err"),
    [
        ({}, False, False),
        ({"stat": True}, True, False),
        ({"stat": True, "json": True}, False, True),
    ],
)
def test_statistics_keep_out_of_json(output, out, err):
    """The block goes to stdout, but under ``--json`` to stderr."""
    lines = renderer(**output).summary(TOTALS)
    assert (b"Execution Statistics" in lines.out, b"Execution Statistics" in lines.err) == (out, err)
    if output.get("json"):
        validated(lines.out)


def test_interrupted_text_says_what_was_finished():
    """An interrupted job tells on stderr how far it came."""
    lines = renderer().summary(Totals(command="cp", files_copied=3, exit_code=130, interrupted=True))
    assert lines == (b"", b'ERROR "cp": interrupted: 3 copied, 0 skipped, 0 failed\n')


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (Item(number=1, direction=Direction.UPLOAD, site=0, key="k", path=b"f"), (b"f", "s3://one/k")),
        (Item(number=1, direction=Direction.DOWNLOAD, site=1, key="/k", path=b"f"), ("s3://two//k", b"f")),
        (
            Item(number=1, direction=Direction.COPY, site=1, key="k", source_site=0, source_key="s"),
            ("s3://one/s", "s3://two/k"),
        ),
    ],
)
def test_pair_of(item, expected):
    """Source and destination follow the direction."""
    assert pair_of(item, ["one", "two"]) == expected


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"operation": "cp", "success": True},
        {"operation": "cp", "success": True, "source": "a", "destination": "b", "size": -1},
        {"operation": "cp", "success": True, "source": "a", "destination": "b", "size": 1, "surprise": 1},
        {"operation": "cp", "success": True, "source": "a", "destination": "b", "size": 1, "verified": ""},
        {"operation": "cp", "success": True, "source": "a", "skipped": True, "reason": "whim"},
        {"operation": "cp", "success": False, "error": "two\nlines", "code": "E_IO", "retryable": False},
        {"operation": "progress", "bytes_done": 1, "files_done": 1},
        {"operation": "summary", "command": "cp", "success": True},
    ],
)
def test_schema_refuses(event):
    """The schema has teeth: incomplete, unknown and impossible events do not pass."""
    assert not is_valid(event)
