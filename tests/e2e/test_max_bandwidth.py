"""``--max-bandwidth``: the rate of a whole job, as the server saw it."""

from __future__ import annotations

import time

import pytest

from orbit_fast.testing import S3Server
from tests.kit.servers import ACCESS_KEY
from tests.kit.servers import SECRET_KEY
from tests.kit.trees import PART
from tests.kit.trees import content
from tests.kit.trees import make_tree

pytestmark = pytest.mark.slow

SECONDS = 2.5
SMALL = 100_000
FIRST = 4
"""Requests that may come at once, before the limit is felt."""
OPERATIONS = {"PutObject", "UploadPart", "GetObject"}


class Meter:
    """What the server calls for each request: the body of an upload has arrived, that of a download has not left."""

    def __init__(self) -> None:
        self.times: list[float] = []

    async def __call__(self, request):
        """Note the time of everything that moves data."""
        if request.operation in OPERATIONS:
            self.times.append(time.monotonic())


@pytest.fixture
def meter():
    """Of the server."""
    return Meter()


@pytest.fixture
def server(meter, tmp_path_factory):
    """An embedded server with one bucket, ``bkt``."""
    root = tmp_path_factory.mktemp("bodies")
    with S3Server(access_key=ACCESS_KEY, secret_key=SECRET_KEY, root=root, intercept=meter) as server:
        server.store.create_bucket("bkt")
        yield server


@pytest.mark.parametrize(
    ("way", "processes", "size", "rate"),
    [
        ("up", 1, PART, 20_000_000),
        ("up", 2, SMALL, 4_000_000),
        ("up", 2, SMALL, 20_000_000),
        ("down", 2, PART, 20_000_000),
        ("down", 1, SMALL, 4_000_000),
    ],
    ids=["one large up", "small up", "small up, on the express lane", "one large down", "small down"],
)
def test_rate(way, processes, size, rate, server, meter, orbit, tmp_path):
    """One large object or many small ones, up or down, by one or two processes: all of them together keep the limit."""
    count = int(SECONDS * rate / size) + FIRST
    if size == PART:
        files = {"large": content(1, count * PART)}
    else:
        files = {f"{number:04}": content(number, SMALL) for number in range(count)}
    ends = (make_tree(tmp_path / "src", files), "s3://bkt/")
    if way == "down":
        for name, data in files.items():
            server.store.put("bkt", name, data)
        ends = ("s3://bkt/", tmp_path / "out")
    how = ("--workers", "2", "--concurrency", "2", "--part-size", "5", "--processes", str(processes))
    begun_s = time.monotonic()
    orbit("cp", "-R", "-q", *how, "--max-bandwidth", str(rate), *ends).expect(0)
    assert len(meter.times) == count
    assert SECONDS - size / rate < meter.times[-1] - begun_s < 5 * SECONDS  # there is more to do than to move them


def test_streams(server, orbit, tmp_path):
    """``pipe`` and ``cat`` keep it too: what takes a quarter of a second at most without it takes a second with it."""
    data = content(3, 3_000_000)
    begun_s = time.monotonic()
    with open(tmp_path / "data", "w+b") as file:
        file.write(data)
        file.seek(0)
        with orbit.start("pipe", "--max-bandwidth", "24Mbit", "s3://bkt/stream", stdin=file) as process:
            assert (process.wait(60), process.stderr.read()) == (0, b"")
    assert server.store.read("bkt", "stream") == data
    assert time.monotonic() - begun_s > 0.85
    begun_s = time.monotonic()
    assert orbit("cat", "--max-bandwidth", "3MB", "s3://bkt/stream").expect(0).out == data
    assert time.monotonic() - begun_s > 0.85


def test_nobody_is_stalled_who_only_waits(orbit, tmp_path):
    """Sixteen files wait for each other for much longer than ``--timeout`` allows a stalled one: nothing is retried."""
    source = make_tree(tmp_path / "src", {str(number): content(number, 100_000) for number in range(16)})
    arguments = ("--timeout", "2", "--max-bandwidth", "160KB", "--processes", "2")
    result = orbit("cp", "-R", "--json", source, "s3://bkt/", *arguments).expect(0)
    assert (result.summary["files_copied"], result.summary["retries"]) == (16, 0)
    assert result.summary["duration_secs"] > 8.5


def orbit_script(orbit, directory, line):
    """One line, done by ``run``."""
    (directory / "script").write_text(line)
    return orbit("run", directory / "script")


def test_refused(orbit, tmp_path):
    """What is no rate, and a limit of one line among many."""
    with_line = orbit_script(orbit, tmp_path, "cp --max-bandwidth 1MB a s3://bkt/")
    assert (with_line.code, with_line.err.count(b"of all lines together")) == (1, 1)
    result = orbit("cp", "--max-bandwidth", "fast", "a", "s3://bkt/")
    assert (result.code, len(result.errors)) == (2, 1)
    assert "--max-bandwidth" in result.errors[0]
