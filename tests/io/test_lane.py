"""The express lane beside the general flow: whatever a service does, an object ends in the same way on both."""

from __future__ import annotations

import asyncio
import email.utils
import hashlib
import os
import time
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from orbit_fast.core.checksum import ALGORITHMS
from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.errors import S3Error
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Site
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import ObjectSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.core.settings import TransferSettings
from orbit_fast.io import upload
from orbit_fast.io.lane import MAX_DOWNLOAD
from orbit_fast.testing.server import S3Server
from tests.kit.lane_bench import CRC32C
from tests.kit.lane_bench import DATA
from tests.kit.lane_bench import FLOWS
from tests.kit.lane_bench import KEYS
from tests.kit.lane_bench import MD5
from tests.kit.lane_bench import MODIFIED
from tests.kit.lane_bench import MODIFIED_S
from tests.kit.lane_bench import Bench
from tests.kit.lane_bench import Service
from tests.kit.lane_bench import fault
from tests.kit.lane_bench import good_get
from tests.kit.lane_bench import good_put
from tests.kit.lane_bench import head
from tests.kit.lane_bench import in_pieces
from tests.kit.lane_bench import silence
from tests.kit.lane_bench import then_close
from tests.kit.lane_bench import told
from tests.kit.wire import drive


def item_of(direction, root, number=7, **changes):
    """The object of these tests."""
    plain = Item(number, direction, 0, "p/k.txt", os.fsencode(root / "k.txt"), os.fsencode(root), len(DATA))
    if direction is Direction.UPLOAD:
        (root / "k.txt").write_bytes(DATA)
        os.utime(root / "k.txt", (1, 1))
        return replace(plain, root=b"", **changes)
    return replace(plain, **({"etag": MD5} | changes))


async def play(root, direction, odd, *, has_lane, during=None, times=1, **changes):
    """One object against a service that does something odd; what came of it, and how often the lane gave it up."""
    root.mkdir()
    async with Bench(root, Service(odd, times=times), has_lane=has_lane) as bench:
        handle = bench.start(item_of(direction, root, **changes))
        if during is not None:
            await during(bench, handle)
        await bench.until()
        return bench.summary(), bench.taken


def both(tmp_path, direction, odd, **options):
    """The same on the lane and beside it: what came of it, the same both times; and what the lane gave up."""
    alone, taken = drive(play(tmp_path / "lane", direction, odd, has_lane=True, **options))
    general, _ = drive(play(tmp_path / "flow", direction, odd, has_lane=False, **options))
    assert alone == general
    return alone, taken


ERRORS = {
    "500": fault("500 No", "InternalError"),
    "503 with a wait": fault("503 Slow", "SlowDown", fields=("Retry-After: 0",)),
    "403": fault("403 No", "AccessDenied"),
    "404": fault("404 No", "NoSuchBucket"),
    "301": fault("301 Moved", "PermanentRedirect"),
    "401 expired": fault("400 Bad", "ExpiredToken"),
    "412": fault("412 No", "PreconditionFailed"),
    "a web page": head("Content-Length: 13", "Content-Type: text/html", status="502 Bad") + b"<html></html>",
    "skewed clock": fault(
        "403 No",
        "RequestTimeTooSkewed",
        fields=(f"Date: {email.utils.formatdate(MODIFIED_S + 3600, usegmt=True)}",),
    ),
    "closed": then_close(),
    "reset": then_close(reset=True),
    "half a head": then_close(b"HTTP/1.1 200 OK\r\nETa"),
    "nonsense": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "100 and nothing": then_close(b"HTTP/1.1 100 Continue\r\n\r\n"),
}

PUTS = {
    "another checksum": good_put().replace(CRC32C.encode(), b"AAAAAA=="),
    "a composite checksum": good_put().replace(CRC32C.encode(), b"AAAAAA==-2"),
    "no checksum, an MD5": head(f'ETag: "{MD5}"', "Content-Length: 0"),
    "no checksum, another MD5": head(f'ETag: "{"0" * 32}"', "Content-Length: 0"),
    "no checksum, no MD5": head('ETag: "x-1"', "Content-Length: 0"),
    "no ETag": head(f"x-amz-checksum-crc32c: {CRC32C}", "Content-Length: 0"),
    "a weak ETag": good_put().replace(b'ETag: "', b'ETag: W/"'),
    "an error behind 200": head(f'ETag: "{MD5}"', "Content-Length: 45")
    + b"<Error><Code>InternalError</Code></Error>    ",
    "a body": good_put(length=2) + b"ok",
    "a body, later": in_pieces(good_put(length=2) + b"ok", -2),
    "the value of another checksum": good_put().replace(b"crc32c", b"crc32"),
    "too much": good_put() + b"more",
    "201": good_put().replace(b"200 OK", b"201 Created"),
    "204": good_put().replace(b"200 OK", b"204 No Content"),
    "the last one": good_put("Connection: close"),
    "the older protocol": good_put().replace(b"HTTP/1.1", b"HTTP/1.0"),
    "chunks": good_put().replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "two lengths": good_put("Content-Length: 1"),
    "100 before": b"HTTP/1.1 100 Continue\r\n\r\n" + good_put(),
    "in pieces": in_pieces(good_put(), 1, 20, 60),
    "byte by byte": in_pieces(good_put(), *range(1, len(good_put()))),
    "no knowledge of checksums": fault("501 No", "NotImplemented", "<Header>x-amz-checksum-crc32c</Header>"),
    "half and closed": then_close(good_put()[:-2]),
}

OTHER = bytes(len(DATA))
CRC64 = checksum_of("CRC64NVME", DATA).value
GETS = {
    "other bytes": good_get(body=OTHER),
    "another ETag": good_get(etag="0" * 32),
    "another size": good_get(body=DATA + b"x"),
    "a smaller size": good_get(body=DATA[:-1]),
    "a composite checksum": good_get(crc="AAAAAA==-2"),
    "a checksum called composite": good_get("x-amz-checksum-type: COMPOSITE"),
    "no checksum, other bytes": good_get(body=OTHER, crc=""),
    "no checksum, encrypted": good_get("x-amz-server-side-encryption: aws:kms", crc=""),
    "206": good_get().replace(b"200 OK", b"206 Partial Content"),
    "a range": good_get(f"Content-Range: bytes 0-{len(DATA) - 1}/{len(DATA)}"),
    "too much": good_get() + b"more",
    "the last one": good_get("Connection: close"),
    "cut": then_close(good_get()[:-100]),
    "cut and reset": then_close(good_get()[:-100], reset=True),
    "no body": then_close(good_get(body=b"", length=len(DATA))),
    "404 key": fault("404 No", "NoSuchKey"),
    "chunks": good_get(body=b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    + b"300\r\n"
    + DATA
    + b"\r\n0\r\n\r\n",
}

GOOD_GETS = {
    "in pieces": in_pieces(good_get(), -700, -300),
    "in pieces, cut in the head": in_pieces(good_get(), 30, -300),
    "head first": in_pieces(good_get(), -len(DATA)),
    "no checksum, an MD5": good_get(crc=""),
    "encrypted by the service": good_get("x-amz-server-side-encryption: AES256", crc=""),
    "with metadata": good_get("x-amz-meta-colour: blue", "x-amz-version-id: v1"),
    **{
        name: good_get(f"x-amz-checksum-{name.lower()}: {checksum_of(name, DATA).value}", crc="") for name in ALGORITHMS
    },
    "two checksums": good_get(f"x-amz-checksum-crc64nvme: {CRC64}"),
    "two checksums, the better one wrong": good_get("x-amz-checksum-crc64nvme: AAAAAAAAAAA="),
}


@pytest.mark.parametrize("name", [*ERRORS, *PUTS])
def test_an_upload_that_meets_something_else_is_the_general_flows(tmp_path, name):
    """Requests, retries, connections, file and result are those of the flow alone."""
    _, taken = both(tmp_path, Direction.UPLOAD, (ERRORS | PUTS)[name])
    assert taken == 1


@pytest.mark.parametrize("name", [*ERRORS, *GETS])
def test_a_download_that_meets_something_else_is_the_general_flows(tmp_path, name):
    """As an upload; and no temporary file stays."""
    alone, taken = both(tmp_path, Direction.DOWNLOAD, (ERRORS | GETS)[name])
    assert taken == 1
    assert not [path for path in alone["files"] if "orbit" in path]


@pytest.mark.parametrize("times", [2, 3, 4])
@pytest.mark.parametrize("name", ["500", "closed", "503 with a wait", "401 expired"])
@pytest.mark.parametrize("direction", FLOWS)
def test_what_the_lane_tried_counts_as_a_try(tmp_path, direction, name, times):
    """A service that stays odd is given up after as many tries, and with the same words."""
    both(tmp_path, direction, ERRORS[name], times=times)


def test_a_plain_upload_stays_on_the_lane(tmp_path):
    """One request, and all that is known of the object."""
    alone, taken = both(tmp_path, Direction.UPLOAD, good_put("x-amz-version-id: v1"))
    assert taken == 0
    [(number, (status, _, landed))] = alone["ends"]
    assert (number, status, landed.verified, landed.version_id) == (7, Status.DONE, Verified.CHECKSUM, "v1")
    [(line, headers, body)] = alone["requests"]
    assert (line, headers["content-type"], body) == ("PUT /b/p/k.txt HTTP/1.1", "text/plain", DATA)
    assert headers["x-amz-content-sha256"] == hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize("name", GOOD_GETS)
def test_a_good_download_ends_alike(tmp_path, name):
    """However it comes, and whatever proves it."""
    alone, taken = both(tmp_path, Direction.DOWNLOAD, GOOD_GETS[name])
    is_hard = name in {"in pieces, cut in the head", "two checksums, the better one wrong"}
    assert taken == is_hard
    assert alone["files"]["k.txt"][0] == DATA
    assert alone["files"]["k.txt"][2] == MODIFIED_S * 10**9


@pytest.mark.parametrize("direction", FLOWS)
def test_many_objects_pass_over_one_connection(tmp_path, direction):
    """One after another, each as soon as the last has ended; the shape of the replies is learned once."""

    async def main():
        async with Bench(tmp_path, Service(b"", times=0)) as bench:
            for number in range(5):
                handle = bench.start(item_of(direction, tmp_path, number))
                assert bench.pool().busy == 1, handle
                await bench.until(number + 1)
            assert bench.taken == 0
            assert bench.server.accepted == 1
            assert bench.counters.requests == 5
            return [result.status for _, result in bench.ends]

    assert drive(main()) == [Status.DONE] * 5


def test_a_date_that_cannot_be_read_leaves_the_time_of_the_download(tmp_path):
    """As beside the lane."""
    before_ns = time.time_ns() - 10**9
    for has_lane in (True, False):
        root = tmp_path / str(has_lane)
        odd = good_get().replace(MODIFIED.encode(), b"yesterday")
        drive(play(root, Direction.DOWNLOAD, odd, has_lane=has_lane))
        assert (root / "k.txt").stat().st_mtime_ns >= before_ns


@pytest.mark.parametrize("sign_payload", [True, False])
def test_a_real_service_understands_the_lane(tmp_path, sign_payload):
    """Its signatures, checksums and conditions, judged by the embedded server; up and down again, every name."""
    names = ["plain", "a b", "a+b%2F?#@&*[]", "tab\there", "é", "🛰", "x" * 250, "deep/er/key.html"]

    async def main(server):
        async with Bench(tmp_path, Service(b"", times=0)) as bench:
            url = urlsplit(server.url)
            endpoint = Endpoint(url.scheme, url.hostname, url.port, url.netloc, "/bucket", is_custom=True)
            bench.client.set_identity(0, Credentials(server.access_key, server.secret_key))
            bench.client.set_site(Site(0, "bucket", endpoint, sign_payload=sign_payload))
            await bench.warm_there()
            for number, name in enumerate(names):
                item = item_of(Direction.UPLOAD, tmp_path, number, key=name)
                assert bench.lane.start(item) is not None
                await bench.until(2 * number + 1)
                landed = bench.ends[-1][1].landed
                path = os.fsencode(tmp_path / f"down-{number}")
                item = item_of(Direction.DOWNLOAD, tmp_path, number, key=name, path=path, etag=landed.etag)
                assert bench.lane.start(item) is not None
                await bench.until(2 * number + 2)
                assert (tmp_path / f"down-{number}").read_bytes() == DATA
            assert bench.taken == 0

    with S3Server() as server:
        server.store.create_bucket("bucket")
        drive(main(server))


# --- cancelled, closed, timed out ------------------------------------------------------------------------------------


async def some_turns(bench):
    """Let the loop turn, so that the request is there and its reply, where there is one, has come."""
    while not bench.service.seen:  # noqa: ASYNC110 - the moment is not announced by anything else
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)


async def cancel(bench, handle):
    """The user has pressed Ctrl-C."""
    await some_turns(bench)
    handle.cancel()
    handle.cancel()


@pytest.mark.parametrize("odd", [silence, in_pieces(good_get()[:-100])], ids=["no answer", "half a body"])
@pytest.mark.parametrize("direction", FLOWS)
def test_what_is_cancelled_ends_as_cancelled(tmp_path, direction, odd):
    """Once, and leaves nothing."""
    odd = odd if direction is Direction.DOWNLOAD else silence
    alone, _ = both(tmp_path, direction, odd, during=cancel)
    [(_, (kind, *_))] = alone["ends"]
    assert kind == "Cancelled"


@pytest.mark.parametrize("odd", [silence, in_pieces(good_get()[:-100])], ids=["no answer", "half a body"])
@pytest.mark.parametrize("direction", FLOWS)
def test_the_end_of_the_client_is_the_end_of_what_is_on_the_lane(tmp_path, direction, odd):
    """Closing cancels it, like every run."""
    odd = odd if direction is Direction.DOWNLOAD else silence

    async def close(bench, _handle):
        await some_turns(bench)
        bench.client.close()

    alone, taken = both(tmp_path, direction, odd, during=close)
    assert taken == 1
    assert [told[0] for _, told in alone["ends"]] == ["Cancelled"]


@pytest.mark.parametrize(
    ("direction", "odd", "limit_s"),
    [
        (Direction.UPLOAD, silence, 60.0),
        (Direction.DOWNLOAD, silence, 30.0),
        (Direction.DOWNLOAD, in_pieces(good_get()[:-100]), 30.0),
    ],
    ids=["upload", "download", "half a body"],
)
def test_the_limits_of_time_are_the_flows(tmp_path, direction, odd, limit_s):
    """Not before them, and then it is tried again."""

    async def wait(bench, _handle):
        await some_turns(bench)
        for _ in range(int(limit_s) - 1):
            bench.clock.advance(1.0)
            bench.pool().tick()
        await some_turns(bench)
        assert bench.counters.retries == 0
        while not bench.counters.retries:
            bench.clock.advance(1.0)
            bench.pool().tick()
            await asyncio.sleep(0)
        assert bench.clock.mono_s - 1000.0 <= limit_s + 3.0

    alone, taken = both(tmp_path, direction, odd, during=wait)
    assert taken == 1
    assert alone["counts"]["retries"] == 1


# --- what does not go on the lane ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        JobSettings(selection=SelectionSettings(no_clobber=True)),
        JobSettings(selection=SelectionSettings(if_size_differ=True)),
        JobSettings(selection=SelectionSettings(if_source_newer=True)),
        JobSettings(selection=SelectionSettings(version_id="v")),
        JobSettings(output=OutputSettings(dry_run=True)),
        JobSettings(transfer=TransferSettings(preserve_metadata=True)),
        JobSettings(object=ObjectSettings(sse_c_key=bytes(32))),
    ],
)
@pytest.mark.parametrize("direction", FLOWS)
def test_what_was_asked_for_specially_is_not_for_the_lane(tmp_path, settings, direction):
    """Conditions, dry runs, metadata, customer keys."""

    async def main():
        async with Bench(tmp_path, Service(b"", times=0), settings=settings) as bench:
            return bench.lane.start(item_of(direction, tmp_path))

    assert drive(main()) is None


@pytest.mark.parametrize(
    ("direction", "changes"),
    [
        (Direction.UPLOAD, {"size": upload.IN_MEMORY + 1}),
        (Direction.UPLOAD, {"path": b"/nonexistent/file"}),
        (Direction.UPLOAD, {"path": b"/dev/null"}),
        (Direction.UPLOAD, {"path": b"/"}),
        (Direction.UPLOAD, {"key": "\ud800"}),
        (Direction.DOWNLOAD, {"size": 0}),
        (Direction.DOWNLOAD, {"size": MAX_DOWNLOAD + 1}),
        (Direction.DOWNLOAD, {"etag": ""}),
        (Direction.DOWNLOAD, {"etag": "*"}),
        (Direction.DOWNLOAD, {"etag": 'W/"x"'}),
        (Direction.DOWNLOAD, {"etag": "a b"}),
        (Direction.DOWNLOAD, {"etag": "a\r\nb"}),
        (Direction.DOWNLOAD, {"etag": "é"}),
        (Direction.DOWNLOAD, {"version_id": "v"}),
        (Direction.DOWNLOAD, {"path": b"/tmp/x/"}),
        (Direction.DOWNLOAD, {"key": "\ud800"}),
        (Direction.COPY, {}),
        (Direction.UPLOAD, {"site": 1}),
    ],
)
def test_an_object_that_is_special_is_not_for_the_lane(tmp_path, direction, changes):
    """Its connection stays free for the others."""

    async def main():
        async with Bench(tmp_path, Service(b"", times=0)) as bench:
            given = replace(item_of(Direction.UPLOAD, tmp_path), direction=direction, etag=MD5)
            given = replace(given, **changes)
            found = bench.lane.start(given)
            assert bench.pool().busy == 0
            return found

    assert drive(main()) is None


def test_a_site_that_is_special_is_not_for_the_lane(tmp_path):
    """A payer, no signature, a closed breaker, no idle connection, a service that knows no checksums."""

    async def main():
        async with Bench(tmp_path, Service(b"", times=0), request_payer="requester") as bench:
            assert bench.lane.start(item_of(Direction.UPLOAD, tmp_path)) is None
        async with Bench(tmp_path, Service(b"", times=0)) as bench:
            item = item_of(Direction.UPLOAD, tmp_path)
            bench.client.set_identity(0, Credentials())
            assert bench.lane.start(item) is None
            bench.client.set_identity(0, KEYS)
            bench.around.ladder.go_down(0, bench.around.ladder.step(0))
            assert bench.lane.start(item) is None
        async with Bench(tmp_path, Service(b"", times=0)) as bench:
            for _ in range(10):
                bench.client.route(0).breaker.record_failure(S3Error("no"), bench.clock.monotonic_s())
            assert bench.lane.start(item) is None
            bench.client.route(0).breaker.record_answer()
            idle = bench.pool().idle.pop()
            assert bench.lane.start(item) is None
            bench.pool().idle.append(idle)
            assert bench.lane.start(item) is not None
            await bench.until()

    drive(main())


def test_an_unverified_download_is_not_for_the_lane(tmp_path):
    """--no-verify has its own rules."""

    async def main():
        settings = JobSettings(transfer=TransferSettings(verify=False))
        async with Bench(tmp_path, Service(b"", times=0), settings=settings) as bench:
            assert bench.lane.start(item_of(Direction.DOWNLOAD, tmp_path)) is None

    drive(main())


# --- the file ------------------------------------------------------------------------------------------------------


def test_a_file_that_changed_after_it_was_sent_is_sent_again(tmp_path):
    """A try of the lane cannot be continued with other bytes, nor its reply believed: the flow makes its own."""

    async def main():
        async with Bench(tmp_path, Service(PUTS["no checksum, no MD5"], times=2)) as bench:
            bench.start(item_of(Direction.UPLOAD, tmp_path))
            (tmp_path / "k.txt").write_bytes(DATA[::-1])
            await bench.until()
            [(_, result)] = bench.ends
            return [body for _, _, body in bench.service.seen], result.status, bench.counters.requests

    assert drive(main()) == ([DATA, DATA[::-1]], Status.DONE, 2)


@pytest.mark.parametrize("restores_time", [False, True])
def test_a_file_that_changes_under_the_reader_is_not_sent(tmp_path, monkeypatch, restores_time):
    """Also where whoever writes to it sets its time back: that is a change too."""
    read = os.read

    def read_and_write(fd, size):
        data = read(fd, size)
        fill(tmp_path / "k.txt", DATA[::-1])
        if restores_time:
            os.utime(tmp_path / "k.txt", (1, 1))
        return data

    async def main():
        async with Bench(tmp_path, Service(b"", times=0)) as bench:
            item = item_of(Direction.UPLOAD, tmp_path)
            await asyncio.sleep(0.02)  # the kernel's clock for files ticks a hundred times a second
            with monkeypatch.context() as patch:
                patch.setattr(os, "read", read_and_write)
                return bench.lane.start(item)

    assert drive(main()) is None


def test_requests_carry_the_second_and_the_credentials_of_now(tmp_path):
    """What is prepared is good for as long as it is true."""

    async def main():
        async with Bench(tmp_path, Service(b"", times=0)) as bench:
            for number in range(3):
                assert bench.lane.start(item_of(Direction.UPLOAD, tmp_path, number)) is not None
                await bench.until(number + 1)
                bench.clock.advance(1.0)
                if number == 1:
                    bench.client.set_identity(0, Credentials("AKIA", "secret", "new"))
            names = ("x-amz-date", "x-amz-security-token")
            return [tuple(headers[name] for name in names) for _, headers, _ in bench.service.seen]

    assert drive(main()) == [
        ("20260102T030405Z", "token"),
        ("20260102T030406Z", "token"),
        ("20260102T030407Z", "new"),
    ]


def test_credentials_that_change_within_a_second_are_used_at_once(tmp_path):
    """Not only from the next one on."""

    async def main():
        async with Bench(tmp_path, Service(b"", times=0)) as bench:
            for number, token in enumerate(("token", "new")):
                bench.client.set_identity(0, Credentials("AKIA", "secret", token))
                assert bench.lane.start(item_of(Direction.UPLOAD, tmp_path, number)) is not None
                await bench.until(number + 1)
            return [headers["x-amz-security-token"] for _, headers, _ in bench.service.seen]

    assert drive(main()) == ["token", "new"]


def test_cancelling_what_left_the_lane_leaves_the_lane_alone(tmp_path):
    """Its connection is another object's by then."""

    async def main():
        async with Bench(tmp_path, Service(fault("503 Slow", "SlowDown", fields=("Retry-After: 9",)))) as bench:
            first = bench.start(item_of(Direction.UPLOAD, tmp_path, 1))
            while not bench.counters.retries:  # noqa: ASYNC110 - the moment is not announced by anything else
                await asyncio.sleep(0)
            bench.start(item_of(Direction.UPLOAD, tmp_path, 2))
            first.cancel()
            await bench.until(2)
            ends = {number: told(result)[0] for number, result in bench.ends}
            return ends, bench.taken, bench.server.accepted

    assert drive(main()) == ({1: "Cancelled", 2: Status.DONE}, 1, 1)


def test_what_stands_in_the_way_of_a_file_is_said_as_the_flow_says_it(tmp_path):
    """A directory of the same name."""

    async def main(root, *, has_lane):
        (root / "k.txt").mkdir(parents=True)
        async with Bench(root, Service(b"", times=0), has_lane=has_lane) as bench:
            bench.start(item_of(Direction.DOWNLOAD, root))
            await bench.until()
            return bench.summary(), bench.taken

    alone, taken = drive(main(tmp_path / "lane", has_lane=True))
    general, _ = drive(main(tmp_path / "flow", has_lane=False))
    name = str(tmp_path / "lane" / "k.txt")
    [(_, (kind, message, *_))] = alone["ends"]
    assert (kind, message.endswith(name), taken) == ("NameConflict", True, 1)
    assert alone["files"].keys() == general["files"].keys() == {"k.txt"}


def test_a_directory_that_was_removed_is_made_again(tmp_path):
    """Though it was open; after that the lane has the new one."""

    async def main():
        async with Bench(tmp_path, Service(b"", times=0)) as bench:
            for number in range(4):
                item = item_of(Direction.DOWNLOAD, tmp_path, number)
                bench.start(replace(item, path=os.fsencode(tmp_path / "d" / "k.txt")))
                await bench.until(number + 1)
                assert (tmp_path / "d" / "k.txt").read_bytes() == DATA
                if number == 1:
                    (tmp_path / "d" / "k.txt").unlink()
                    (tmp_path / "d").rmdir()
            return [result.status for _, result in bench.ends], bench.taken

    assert drive(main()) == ([Status.DONE] * 4, 1)


def fill(path, data=DATA):
    """Make the file of these tests there."""
    with open(path, "wb") as file:
        file.write(data)


@pytest.mark.parametrize(
    ("key", "path", "wanted"),
    [
        ("a.html", b"a.html", "text/html"),
        ("d/.html", b"d/.html", None),
        (".html", b".html", None),
        ("a.HTML", b"a.HTML", "text/html"),
        ("plain", b"a.html", "text/html"),
        ("d.html/plain", b"d.html/plain", None),
        ("a.unheard", b"a.unheard", None),
        ("a.unheard", b"a.html", "text/html"),
        ("a.", b"a.", None),
        ("d/.html", b"a.txt", "text/plain"),
        ("a.html", b"d/.txt", "text/html"),
    ],
)
@pytest.mark.parametrize("first_path", [b"x.html", b"x.txt"])
def test_content_types_are_those_of_the_flow(tmp_path, key, path, wanted, first_path):
    """Also when they are remembered by suffix."""

    async def main():
        async with Bench(tmp_path, Service(b"", times=0)) as bench:
            (tmp_path / "d").mkdir(exist_ok=True)
            (tmp_path / "d.html").mkdir()
            first = replace(
                item_of(Direction.UPLOAD, tmp_path), key="x.html", path=os.fsencode(tmp_path) + b"/" + first_path
            )
            second = replace(first, number=8, key=key, path=os.fsencode(tmp_path) + b"/" + path)
            third = replace(second, number=9)
            for number, item in enumerate((first, second, third), start=1):
                fill(item.path)
                assert bench.lane.start(item) is not None
                await bench.until(number)
            assert bench.around.content_type_of(key, second.path) == (wanted or "")
            types = [result.landed.content_type for _, result in bench.ends]
            return types, [headers.get("content-type") for _, headers, _ in bench.service.seen]

    landed, sent = drive(main())
    assert landed == ["text/html", wanted or "", wanted or ""]
    assert sent == ["text/html", wanted, wanted]
