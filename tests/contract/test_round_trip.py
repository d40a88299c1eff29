"""A tree goes up, comes back, and is the same: against every server, over HTTP and over TLS."""

from __future__ import annotations

import pytest

from tests.kit.buckets import new_bucket
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
"""By server: keys that boto3 itself cannot put there, or does not find again under the name that it gave."""


@pytest.mark.slow
def test_tree_survives(endpoint, judge, orbit, tmp_path):
    """``orbit cp -R SRC s3://B/p`` and back: every file byte for byte; a refused name is reported, the rest copied."""
    files = {**ordinary_files(), **odd_files()}
    refused = REFUSED_FILES[endpoint.kind]
    wanted = {name: data for name, data in files.items() if name not in refused}
    source, bucket = make_tree(tmp_path / "src", files), new_bucket(judge)

    up = orbit("cp", "-R", "--json", "--part-size", "5", source, f"s3://{bucket}/p").expect(1 if refused else 0)

    assert up.counts == (len(wanted), 0, len(refused))
    assert {
        event["source"].removeprefix(f"{source}/"): (event["code"], event["status"]) for event in up.failures
    } == refused
    assert up.summary["bytes_copied"] == sum(map(len, wanted.values()))
    assert differences(objects_of(judge, bucket, "p/"), wanted) == []
    assert uploads_of(judge, bucket) == []
    parts = {event["source"].rpartition("/")[2]: event["parts"] for event in up.done if "parts" in event}
    assert parts == {"more": 2, "three": 3}

    down = orbit("cp", "-R", "--json", "--part-size", "5", f"s3://{bucket}/p", tmp_path / "back").expect(0)

    assert down.counts == (len(wanted), 0, 0)
    assert differences(read_tree(tmp_path / "back"), wanted) == []


@pytest.mark.slow
def test_text_says_the_same(endpoint, judge, orbit, tmp_path):
    """Without ``--json``: a line for each file on stdout, nothing on stderr, also for the way back."""
    files = {"a": b"1", "b/c d": b"22"}
    source, bucket = make_tree(tmp_path / "src", files), new_bucket(judge)

    up = orbit("cp", "-R", source, f"s3://{bucket}").expect(0)
    down = orbit("cp", f"s3://{bucket}/*", tmp_path / "back").expect(0)

    assert sorted(up.lines) == [f"cp {source}/a s3://{bucket}/a", f"cp {source}/b/c d s3://{bucket}/b/c d"]
    assert sorted(down.lines) == [
        f"cp s3://{bucket}/a {tmp_path}/back/a",
        f"cp s3://{bucket}/b/c d {tmp_path}/back/b/c d",
    ]
    assert objects_of(judge, bucket) == files == read_tree(tmp_path / "back")


@pytest.mark.slow
def test_keys_survive_inside_the_service(http_endpoint, http_judge, http_orbit):
    """``orbit cp -R s3://A/ s3://B/copy/`` keeps ``a//b``, ``/lead`` and the like as they are."""
    judge, kind = http_judge, http_endpoint.kind
    source, target = new_bucket(judge), new_bucket(judge)
    objects = {key: content(number, 100 + number) for number, key in enumerate(KEYS)}
    put_all(judge, source, {key: data for key, data in objects.items() if key not in UNKEPT_KEYS[kind]})
    kept = objects_of(judge, source)

    copied = http_orbit("cp", "-R", "--json", f"s3://{source}/", f"s3://{target}/copy/").expect(0)

    assert copied.counts == (len(kept), 0, 0)
    assert differences(objects_of(judge, target, "copy/"), kept) == []
    assert sorted(kept) == sorted(set(KEYS) - UNKEPT_KEYS[kind])


@pytest.mark.slow
def test_listing_of_several_pages(http_judge, http_orbit, tmp_path):
    """More objects than one listing page holds (1,000) all go up and all come back."""
    files = {f"{number % 7}/{number:04} +": content(number, 8) for number in range(1_010)}
    source, bucket = make_tree(tmp_path / "src", files), new_bucket(http_judge)

    up = http_orbit("cp", "-R", "--json", source, f"s3://{bucket}/many").expect(0)
    down = http_orbit("cp", "-R", "--json", f"s3://{bucket}/many/", tmp_path / "back").expect(0)

    assert up.counts == down.counts == (len(files), 0, 0)
    assert differences(read_tree(tmp_path / "back"), files) == []
