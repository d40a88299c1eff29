"""What ``ls``, ``du``, ``rm``, ``mb`` and ``rb`` say, from facts to bytes."""

from __future__ import annotations

import pytest

from orbit_fast.core import reach
from orbit_fast.core.decode_versions import ListedVersion
from orbit_fast.core.location import parse_s3_url
from orbit_fast.core.model import Bucket
from orbit_fast.core.model import Entry
from orbit_fast.core.render import buckets
from orbit_fast.core.render import du
from orbit_fast.core.render.ls import new_renderer
from orbit_fast.core.render.rm import removed
from orbit_fast.core.render.times import RFC3339
from orbit_fast.core.render.times import TEXT
from orbit_fast.core.render.times import clock_face
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import ListingSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.units import format_time
from tests.kit.event_schema import validated

TIME_NS = 1_767_323_045 * 10**9 + 123
OBJECT = Entry("d/file", 1536, TIME_NS, "0" * 32, "STANDARD")
BARE = Entry("d/other", 7, TIME_NS + 60 * 10**9)
VERSION = ListedVersion("d/file", "v1", True, False, 9, TIME_NS, "e", "GLACIER")
MARKER = ListedVersion("d/file", "v2", False, True, 0, TIME_NS)


def renderer(output=None, argument="s3://bkt/d/", **listing):
    """A renderer of a directory's listing."""
    settings = JobSettings(output=output or OutputSettings(), listing=ListingSettings(**listing))
    return new_renderer(settings, "bkt", reach.directory(parse_s3_url(argument)))


@pytest.mark.parametrize(
    ("entries", "prefixes", "options", "text"),
    [
        (
            [OBJECT, BARE],
            ["d/sub/"],
            {},
            (
                "                                  DIR  sub/\n"
                "2026/01/02 03:04:05              1536  file\n"
                "2026/01/02 03:05:05                 7  other\n"
            ),
        ),
        ([OBJECT], [], {"storage_class": True}, f"2026/01/02 03:04:05 STANDARD   {1536:12}  file\n"),
        (
            [OBJECT, BARE],
            ["d/sub/"],
            {"etag": True},
            (
                f"{'DIR':>74}  sub/\n"
                f"2026/01/02 03:04:05    {'0' * 32:38}         1536  file\n"
                f"2026/01/02 03:05:05    {'':38}            7  other\n"
            ),
        ),
        ([OBJECT, BARE], ["d/sub/"], {"show_fullpath": True}, "s3://bkt/d/sub/\ns3://bkt/d/file\ns3://bkt/d/other\n"),
        ([VERSION], [], {}, f"2026/01/02 03:04:05                 9  {'file':50} v1\n"),
        ([MARKER], [], {}, f"2026/01/02 03:04:05           DELETED  {'file':50} v2\n"),
        ([Entry("d/", 0, TIME_NS)], [], {}, "2026/01/02 03:04:05                 0  d/\n"),
        ([Entry("d/\x1b[2J\n", 0, TIME_NS)], [], {}, "2026/01/02 03:04:05                 0  \\x1b[2J\\x0a\n"),
        ([Entry("d/é 🛰", 0, TIME_NS)], ["d/\u202e/"], {}, None),
        ([], [], {}, ""),
    ],
)
def test_text(entries, prefixes, options, text):
    """Laid out as s5cmd's; nothing in a name drives a terminal."""
    said = renderer(**options).page(entries, prefixes).decode()
    if text is None:
        assert said.endswith("  é 🛰\n")
        assert said.startswith("                                  DIR  \\u202e/\n")
        return
    assert said == text


def test_text_for_people():
    """Sizes with units, in the same column."""
    assert renderer(OutputSettings(human_readable=True)).page([OBJECT], []) == (
        b"2026/01/02 03:04:05           1.5 KiB  file\n"
    )


def test_quiet():
    """Nothing is said."""
    quiet = renderer(OutputSettings(quiet=True))
    assert (quiet.page([OBJECT], ["d/x/"]), quiet.buckets([Bucket("b")])) == (b"", b"")


def test_events():
    """Every field that is known, and none that is not."""
    json = renderer(OutputSettings(json=True))
    events = validated(json.page([OBJECT, BARE], ["d/sub/"]) + json.page([VERSION, MARKER], []))
    assert [event.pop("operation") for event in events] == ["ls"] * 5
    assert [event.pop("success") for event in events] == [True] * 5
    assert events == [
        {"key": "s3://bkt/d/sub/", "type": "directory"},
        {
            "key": "s3://bkt/d/file",
            "type": "file",
            "size": 1536,
            "last_modified": "2026-01-02T03:04:05Z",
            "etag": "0" * 32,
            "storage_class": "STANDARD",
        },
        {"key": "s3://bkt/d/other", "type": "file", "size": 7, "last_modified": "2026-01-02T03:05:05Z"},
        {
            "key": "s3://bkt/d/file",
            "type": "file",
            "size": 9,
            "last_modified": "2026-01-02T03:04:05Z",
            "etag": "e",
            "storage_class": "GLACIER",
            "version_id": "v1",
            "is_latest": True,
        },
        {
            "key": "s3://bkt/d/file",
            "type": "delete-marker",
            "last_modified": "2026-01-02T03:04:05Z",
            "version_id": "v2",
            "is_latest": False,
        },
    ]
    driving = json.page([Entry("d/\u2028\x7f", 0, TIME_NS)], [])
    assert driving.isascii()
    assert validated(driving)[0]["key"] == "s3://bkt/d/\u2028\x7f"


def test_buckets():
    """Time and URL; what a service does not tell is left out."""
    found = [Bucket("one", TIME_NS, "eu-west-1"), Bucket("two")]
    settings = JobSettings()
    assert (
        new_renderer(settings, "", None).buckets(found)
        == b"2026/01/02 03:04:05  s3://one\n" + b" " * 19 + b"  s3://two\n"
    )
    full = JobSettings(listing=ListingSettings(show_fullpath=True))
    assert new_renderer(full, "", None).buckets(found) == b"s3://one\ns3://two\n"
    events = validated(new_renderer(JobSettings(output=OutputSettings(json=True)), "", None).buckets(found))
    assert events[0]["region"] == "eu-west-1"
    assert events[1] == {"operation": "ls", "success": True, "key": "s3://two", "type": "bucket"}


@pytest.mark.parametrize("time_ns", [0, 59_999_999_999, 60_000_000_000, TIME_NS, 4_102_444_799 * 10**9])
def test_clock_faces(time_ns):
    """The same times as everywhere, and s5cmd's form of them."""
    expected = format_time(time_ns)
    assert clock_face(RFC3339, end="Z")(time_ns) == expected
    assert clock_face(TEXT)(time_ns) == expected[:-1].replace("-", "/").replace("T", " ")


def test_clock_faces_forget():
    """However many minutes there are, few are kept, and none is told wrong."""
    face = clock_face(RFC3339, end="Z")
    minutes = range(0, 10_000 * 60, 60)
    assert all(face(second * 10**9) == format_time(second * 10**9) for second in minutes)


# --- du --------------------------------------------------------------------------------------------------------------

SUMS = {"STANDARD": du.Usage(count=2, size=2048), "GLACIER": du.Usage(count=1, size=1, delete_markers=3)}


@pytest.mark.parametrize(
    ("output", "is_grouped", "text"),
    [
        (OutputSettings(), False, "2049 bytes in 3 objects: s3://b/x\n"),
        (OutputSettings(human_readable=True), False, "2.0 KiB in 3 objects: s3://b/x\n"),
        (
            OutputSettings(),
            True,
            "1 bytes in 1 objects: s3://b/x [GLACIER]\n2048 bytes in 2 objects: s3://b/x [STANDARD]\n",
        ),
        (OutputSettings(quiet=True), True, ""),
    ],
)
def test_usage(output, is_grouped, text):
    """As s5cmd; a size for people says its unit itself; classes by name."""
    assert du.lines("s3://b/x", SUMS, output, is_grouped=is_grouped).decode() == text


def test_usage_events():
    """Numbers, and an exact name where it is not UTF-8."""
    (event,) = validated(du.lines("s3://b/\udcff", SUMS, OutputSettings(json=True), is_grouped=False))
    assert event.pop("source_b64")
    assert (event["count"], event["size"], event["delete_markers"]) == (3, 2049, 3)


def test_adding_up():
    """Objects by class, those without one as STANDARD; markers beside."""
    sums = {}
    du.add(sums, [OBJECT, BARE, VERSION, MARKER])
    assert sums == {
        "STANDARD": du.Usage(count=2, size=1543, delete_markers=1),
        "GLACIER": du.Usage(count=1, size=9),
    }


# --- rm, mb, rb ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (OutputSettings(), "rm s3://b/k\nrm s3://b/x\\x0a v\n"),
        (OutputSettings(dry_run=True), "(dry run) rm s3://b/k\n(dry run) rm s3://b/x\\x0a v\n"),
        (OutputSettings(dry_run=True, quiet=True), "(dry run) rm s3://b/k\n(dry run) rm s3://b/x\\x0a v\n"),
        (OutputSettings(quiet=True), ""),
        (OutputSettings(quiet=True, json=True), ""),
    ],
)
def test_removed(output, text):
    """One line a key, the version behind it; a plan is what was asked for, so quiet does not silence it."""
    assert removed("b", [("k", ""), ("x\n", "v")], output).decode() == text


def test_removed_events():
    """Source and version."""
    events = validated(removed("b", [("k", ""), ("x\n", "v")], OutputSettings(json=True, dry_run=True)))
    assert events[1] == {
        "operation": "rm",
        "success": True,
        "source": "s3://b/x\n",
        "version_id": "v",
        "dry_run": True,
    }


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (buckets.made("b", "eu", OutputSettings()), "mb s3://b\n"),
        (buckets.made("b", "eu", OutputSettings(dry_run=True)), "(dry run) mb s3://b\n"),
        (buckets.gone("b", 3, OutputSettings()), "rb s3://b\n"),
        (buckets.gone("b", 3, OutputSettings(quiet=True)), ""),
    ],
)
def test_bucket_lines(line, text):
    """What was done, as it was typed."""
    assert line.decode() == text


def test_bucket_events():
    """Where a bucket was made; what went with one."""
    output = OutputSettings(json=True)
    (made,) = validated(buckets.made("b", "eu", output))
    (gone,) = validated(buckets.gone("b", 3, output))
    assert (made["source"], made["region"], gone["uploads_aborted"]) == ("s3://b", "eu", 3)
