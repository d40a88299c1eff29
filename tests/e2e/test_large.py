"""Many files and a large one, against the embedded server as a program of its own; on tmpfs where there is room."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.kit.buckets import new_bucket
from tests.kit.buckets import uploads_of
from tests.kit.command import Orbit
from tests.kit.servers import run_embedded
from tests.kit.trees import MIB

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

COUNT = 8_000
"""Eight pages of a listing, and work for all processes."""
LARGE = 2 * 1024 * MIB
NEEDED = 3 * LARGE
"""The source, what the server keeps, and what comes back."""
BLOCK = bytes(range(256)) * 256


@pytest.fixture
def place(tmp_path):
    """A directory with room for everything: on tmpfs if it has the room, else on disk, else nowhere."""
    for base in (Path("/dev/shm"), tmp_path):
        if base.is_dir() and shutil.disk_usage(base).free > NEEDED * 1.2:
            directory = Path(tempfile.mkdtemp(prefix="orbit-e2e-", dir=base))
            try:
                yield directory
            finally:
                shutil.rmtree(directory, ignore_errors=True)
            return
    pytest.skip(f"no {NEEDED >> 30} GiB of room")


@pytest.fixture
def endpoint(place):
    """The server."""
    root = place / "server"
    root.mkdir()
    with run_embedded(root) as endpoint:
        yield endpoint


@pytest.fixture
def judge(endpoint):
    """boto3."""
    with contextlib.closing(endpoint.client()) as client:
        yield client


def body_of(number):
    """What is in small file `number`; some are empty."""
    return b"" if number % 97 == 0 else b"%d " % number * (number % 50)


def name_of(number):
    """Its name: a hundred directories, some of them deep."""
    return f"{number % 100:02}/{'deep/er/' * (number % 3 == 0)}file {number:05}"


def test_thousands_of_files(endpoint, judge, place):
    """8,000 small files go up and come back, each byte for byte; the service's own MD5 says so in between."""
    source = place / "src"
    wanted = {}
    for number in range(COUNT):
        path = source / name_of(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body_of(number))
        wanted[name_of(number)] = hashlib.md5(body_of(number)).hexdigest()
    bucket = new_bucket(judge)
    orbit = Orbit(endpoint.environment)

    up = orbit("cp", "-R", "--json", source, f"s3://{bucket}/tree", timeout_s=400).expect(0)

    assert up.counts == (COUNT, 0, 0)
    pages = judge.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    found = {entry["Key"]: entry["ETag"].strip('"') for page in pages for entry in page["Contents"]}
    assert found == {f"tree/{name}": digest for name, digest in wanted.items()}

    down = orbit("cp", "-R", "--json", f"s3://{bucket}/tree", place / "back", timeout_s=400).expect(0)

    assert down.counts == (COUNT, 0, 0)
    assert {event["verified"] for event in down.done} == {"checksum"}
    names = [os.path.join(at, name) for at, _, files in os.walk(place / "back") for name in files]
    assert sorted(os.path.relpath(name, place / "back") for name in names) == sorted(wanted)
    assert all((place / "back" / name_of(number)).read_bytes() == body_of(number) for number in range(COUNT))


def write_large(path):
    """2 GiB: mostly a hole, with blocks at odd places, each different, so that no swapped part goes unseen."""
    with open(path, "wb") as file:
        for number in range(LARGE // (8 * MIB)):
            file.seek(number * 8 * MIB + number * 4099)
            file.write(number.to_bytes(8, "big") + BLOCK)
        file.truncate(LARGE)


def differing(path, other):
    """The numbers of the blocks of 16 MiB in which two files differ."""
    size = 16 * MIB
    with open(path, "rb") as file, open(other, "rb") as against:
        number = 0
        found = []
        while (block := file.read(size)) or against.peek(1):
            if against.read(size) != block:
                found.append(number)
            number += 1
    return found


def test_two_gibibytes(endpoint, judge, place):
    """One 2 GiB file goes up in parts dealt to both workers, comes back in ranges, and is the same."""
    source, back = place / "large", place / "back"
    write_large(source)
    bucket = new_bucket(judge)
    orbit = Orbit(endpoint.environment)
    options = ("--json", "--processes", "2")

    up = orbit("cp", *options, source, f"s3://{bucket}/k", timeout_s=400).expect(0)

    (event,) = up.done
    facts = judge.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (facts["ContentLength"], event["size"], event["parts"]) == (LARGE, LARGE, 41)
    assert event["checksum"]["value"] == facts["ChecksumCRC32C"]
    assert facts["ChecksumType"] == "FULL_OBJECT"
    assert uploads_of(judge, bucket) == []

    down = orbit("cp", *options, f"s3://{bucket}/k", back, timeout_s=400).expect(0)

    assert down.done[0]["verified"] == "checksum"
    assert differing(source, back) == []
    assert sorted(path.name for path in place.iterdir()) == ["back", "large", "server"]
