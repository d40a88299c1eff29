"""A tree goes up, comes back, and is the same: against every server, over HTTP and over TLS."""

from __future__ import annotations

import contextlib

import pytest
from botocore.exceptions import ClientError

from tests.contract.conftest import lay_out
from tests.kit.buckets import objects_of
from tests.kit.buckets import put_all
from tests.kit.buckets import uploads_of
from tests.kit.trees import content
from tests.kit.trees import differences
from tests.kit.trees import make_tree
from tests.kit.trees import odd_files
from tests.kit.trees import ordinary_files
from tests.kit.trees import read_tree

REFUSED_FILES = {
    "embedded": {},
    "moto": {"odd/new\nline": ("E_NOT_S3", 404)},  # its URL patterns know no line feed: a web page says so
    "rclone": {},
    "real": {},
}
"""By server: names that it does not take, and what it answers. Everything else must survive."""

KEYS = (
    "plain",
    "a//b",
    "/lead",
    "//two",
    "trailing//",
    "dot/./dot",
    "up/../up",
    "../out",
    "..",
    "back\\slash",
    "sp ace+plus%2Fpercent?q#f&a=b;c",
    "tab\tnext\u0085line\U0001f680",
    "x" * 255 + "/" + "y" * 255,
)
"""Keys that no directory could hold, and some that one could: a copy inside the service knows no directories."""

UNKEPT_KEYS = {
    "embedded": frozenset(),
    "moto": frozenset(),
    "rclone": frozenset({"a//b", "/lead", "//two", "trailing//", "dot/./dot", "up/../up", "../out", ".."}),
}
"""By known server: keys that boto3 itself cannot put there, or does not find again under the name that it gave."""


@pytest.mark.slow
def test_tree_survives(endpoint, judge, orbit, new_place, tmp_path):
    """``orbit cp -R SRC s3://B/p`` and back: every file byte for byte; a refused name is reported, the rest copied."""
    files = {**ordinary_files(), **odd_files()}
    refused = REFUSED_FILES[endpoint.kind]
    wanted = {name: data for name, data in files.items() if name not in refused}
    source, place = make_tree(tmp_path / "src", files), new_place()
    lay_out(endpoint, judge, place, [f"p/{name}" for name in wanted])

    up = orbit("cp", "-R", "--json", "--part-size", "5", source, f"{place}p").expect(1 if refused else 0)

    assert up.counts == (len(wanted), 0, len(refused))
    assert {
        event["source"].removeprefix(f"{source}/"): (event["code"], event["status"]) for event in up.failures
    } == refused
    assert up.summary["bytes_copied"] == sum(map(len, wanted.values()))
    assert differences(objects_of(judge, place.bucket, f"{place.prefix}p/"), wanted) == []
    assert uploads_of(judge, place.bucket, place.prefix) == []
    parts = {event["source"].rpartition("/")[2]: event["parts"] for event in up.done if "parts" in event}
    assert parts == {"more": 2, "three": 3}

    down = orbit("cp", "-R", "--json", "--part-size", "5", f"{place}p", tmp_path / "back").expect(0)

    assert down.counts == (len(wanted), 0, 0)
    assert differences(read_tree(tmp_path / "back"), wanted) == []


@pytest.mark.slow
def test_text_says_the_same(judge, orbit, new_place, tmp_path):
    """Without ``--json``: a line for each file on stdout, nothing on stderr, also for the way back."""
    files = {"a": b"1", "b/c d": b"22"}
    source, place = make_tree(tmp_path / "src", files), new_place()

    up = orbit("cp", "-R", source, str(place).rstrip("/")).expect(0)
    down = orbit("cp", f"{place}*", tmp_path / "back").expect(0)

    assert sorted(up.lines) == [f"cp {source}/a {place}a", f"cp {source}/b/c d {place}b/c d"]
    assert sorted(down.lines) == [
        f"cp {place}a {tmp_path}/back/a",
        f"cp {place}b/c d {tmp_path}/back/b/c d",
    ]
    assert objects_of(judge, place.bucket, place.prefix) == files == read_tree(tmp_path / "back")


@pytest.mark.slow
def test_keys_survive_inside_the_service(http_endpoint, http_judge, http_orbit, new_http_place):
    """``orbit cp -R s3://A/ s3://B/copy/`` keeps ``a//b``, ``/lead`` and the like as they are."""
    judge, unkept = http_judge, UNKEPT_KEYS.get(http_endpoint.kind)
    source, target = new_http_place(), new_http_place()
    for number, key in enumerate(KEYS):
        # Of a service that nobody here knows, what boto3 can put there and find again is what must survive.
        with contextlib.suppress(ClientError) if unkept is None else contextlib.nullcontext():
            if key not in (unkept or ()):
                put_all(judge, source.bucket, {source.prefix + key: content(number, 100 + number)})
    kept = objects_of(judge, source.bucket, source.prefix)
    lay_out(http_endpoint, judge, target, ["copy/plain"])

    copied = http_orbit("cp", "-R", "--json", str(source), f"{target}copy/").expect(0)

    assert copied.counts == (len(kept), 0, 0)
    assert differences(objects_of(judge, target.bucket, f"{target.prefix}copy/"), kept) == []
    assert "plain" in kept
    assert unkept is None or sorted(kept) == sorted(set(KEYS) - unkept)


@pytest.mark.slow
def test_listing_of_several_pages(http_endpoint, http_judge, http_orbit, new_http_place, tmp_path):
    """More objects than one listing page holds (1,000) all go up and all come back."""
    files = {f"{number % 7}/{number:04} +": content(number, 8) for number in range(1_010)}
    source, place = make_tree(tmp_path / "src", files), new_http_place()
    lay_out(http_endpoint, http_judge, place, [f"many/{name}" for name in files])

    up = http_orbit("cp", "-R", "--json", source, f"{place}many").expect(0)
    down = http_orbit("cp", "-R", "--json", f"{place}many/", tmp_path / "back").expect(0)

    assert up.counts == down.counts == (len(files), 0, 0)
    assert differences(read_tree(tmp_path / "back"), files) == []
