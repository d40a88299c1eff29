"""The load target answers as a service would, so that verified transfers pass; and what is measured is all of it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sys
from urllib.parse import urlsplit

import pytest

from benchmarks.measure import RunFailed
from benchmarks.measure import run
from benchmarks.target import LoadTarget
from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.decode_listing import check_page
from orbit_fast.core.decode_listing import list_objects_v2
from orbit_fast.core.model import Reply

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None or sys.platform != "linux", reason="needs a C compiler and Linux"),
]
MODE = {"x-amz-checksum-mode": "ENABLED"}


@pytest.fixture(scope="module")
def target():
    """A running target."""
    with LoadTarget() as running:
        yield running


@pytest.fixture
def connection(target):
    """A connection to it."""
    opened = http.client.HTTPConnection(urlsplit(target.url).netloc, timeout=10)
    yield opened
    opened.close()


def ask(connection, method, path, body=None, headers=None):
    """One request: status, headers, body."""
    connection.request(method, path, body, headers or {})
    reply = connection.getresponse()
    return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()


@pytest.mark.parametrize("size", [0, 1, 4096, 65536, 1048573, 3 * 1048573 + 17])
@pytest.mark.parametrize(("bucket", "algorithm"), [("bench", "CRC32C"), ("bench-crc64nvme", "CRC64NVME")])
def test_objects_have_the_checksum_that_their_head_states(connection, size, bucket, algorithm):
    """What is sent has the stated size and checksum, so a client that verifies is satisfied."""
    path = f"/{bucket}/synth/{size}/5/0000/0000003.bin"
    status, headers, body = ask(connection, "GET", path, headers=MODE)
    assert (status, len(body)) == (200, size)
    assert headers[f"x-amz-checksum-{algorithm.lower()}"] == checksum_of(algorithm, body).value
    assert ask(connection, "HEAD", path, headers=MODE)[1]["content-length"] == str(size)


@pytest.mark.parametrize(
    ("text", "first", "last"), [("5-9", 5, 9), ("2097140-", 2097140, 2999999), ("-7", 2999993, 2999999)]
)
def test_ranges_are_pieces_of_the_object(connection, text, first, last):
    """A range has the bytes that stand there in the whole object, and no checksum of the whole."""
    whole = ask(connection, "GET", "/b/synth/3000000/1/0000/0000000.bin")[2]
    headers = {**MODE, "Range": f"bytes={text}"}
    status, replied, body = ask(connection, "GET", "/b/synth/3000000/1/0000/0000000.bin", headers=headers)
    assert (status, body) == (206, whole[first : last + 1])
    assert replied["content-range"] == f"bytes {first}-{last}/3000000"
    assert "x-amz-checksum-crc32c" not in replied


@pytest.mark.parametrize(
    "path", ["/b/synth/4096/5/0000/0000005.bin", "/b/synth/4096/5", "/b/other", "/b/synth/x/5/0000/0"]
)
def test_what_is_not_in_a_tree_is_not_there(connection, path):
    """Names outside the pattern are answered with 404."""
    assert ask(connection, "GET", path)[0] == 404


def test_uploads_are_answered_with_their_checksum(connection):
    """A PUT's checksum headers come back, whether the body is small or arrives in pieces."""
    for size in (0, 10, 3_000_000):
        status, headers, _ = ask(connection, "PUT", "/b/k", bytes(size), {"x-amz-checksum-crc32c": "AAAAAA=="})
        assert (status, headers["x-amz-checksum-crc32c"], len(headers["etag"])) == (200, "AAAAAA==", 34)


def test_chunked_bodies_and_expectations_are_understood(connection):
    """A chunked body ends where its framing says, and `Expect` is answered at once."""
    assert ask(connection, "PUT", "/b/k", iter([b"a" * 70_000, b"b"]))[0] == 200
    assert ask(connection, "PUT", "/b/k", b"x" * 100, {"Expect": "100-continue"})[0] == 200


def test_multipart_uploads_run_to_their_end(connection):
    """Create, part, complete and abort are answered in S3's words."""
    assert b"<UploadId>" in ask(connection, "POST", "/b/k?uploads=")[2]
    part = ask(connection, "PUT", "/b/k?partNumber=1&uploadId=u", b"x" * 100, {"x-amz-checksum-crc32c": "AAAAAA=="})
    assert part[1]["x-amz-checksum-crc32c"] == "AAAAAA=="
    headers = {"x-amz-checksum-crc32c": "BBBBBB==", "x-amz-checksum-type": "FULL_OBJECT"}
    done = ask(connection, "POST", "/b/k?uploadId=u", b"<CompleteMultipartUpload/>", headers)
    assert b"<ChecksumCRC32C>BBBBBB==</ChecksumCRC32C><ChecksumType>FULL_OBJECT</ChecksumType>" in done[2]
    assert ask(connection, "DELETE", "/b/k?uploadId=u")[0] == 204


def test_listings_are_complete_and_in_order(connection):
    """All keys come, a page at a time, each after the one before."""
    keys, token = [], ""
    while True:
        path = f"/b?list-type=2&encoding-type=url&prefix=synth%2F7%2F2500%2F{token}"
        listing = list_objects_v2(Reply(status=200, headers={}, body=ask(connection, "GET", path)[2]))
        check_page(listing, prefix="synth/7/2500/", after=keys[-1] if keys else "")
        keys += [entry.key for entry in listing.entries]
        if not listing.is_truncated:
            break
        token = f"&continuation-token={listing.next_token}"
    assert len(keys) == 2500
    assert keys[2499] == "synth/7/2500/0002/0002499.bin"


def test_deletes_are_answered_key_by_key(connection):
    """Without quiet mode every key is named in the answer."""
    body = b"<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>"
    answer = ask(connection, "POST", "/b?delete=", body)[2]
    assert answer.endswith(b"<Deleted><Key>a</Key></Deleted><Deleted><Key>b</Key></Deleted></DeleteResult>")


def test_counters_count(target, connection):
    """Requests are counted by operation."""
    before = target.counters()
    ask(connection, "PUT", "/b/k", b"x")
    ask(connection, "HEAD", "/b/k")
    after = target.counters()
    assert after["PutObject"] == before["PutObject"] + 1
    assert after["HeadObject"] == before["HeadObject"] + 1


PROGRAM = """
import os, time
if os.fork():
    {ending}
else:
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
"""


@pytest.mark.parametrize("ending", ["os.wait()", "os._exit(0)"], ids=["reaped", "left behind"])
def test_all_processes_are_measured(tmp_path, ending):
    """The CPU time of a child counts, also where its parent ends before it."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(ending=ending))
    measured = run([sys.executable, "-S", str(program)], environment=os.environ, folder=tmp_path, samples_memory=True)
    assert measured.cpu_s > 0.2
    assert measured.memory is not None
    assert measured.memory.largest_rss_bytes > 1 << 20


def test_a_failed_command_is_no_measurement(tmp_path):
    """An exit status other than 0 ends the measurement with what the command said."""
    with pytest.raises(RunFailed, match="no such thing"):
        run([sys.executable, "-c", "import sys; sys.exit('no such thing')"], environment=os.environ, folder=tmp_path)


def test_counters_are_json(connection):
    """The counters can be read by any program."""
    assert json.loads(ask(connection, "GET", "/__stats")[2])["errors"] == 0
