"""Sessions of directory buckets: begun once for all who need one, renewed in time and when refused, never for ever."""

from __future__ import annotations

import asyncio
import datetime as dt

import msgspec
import pytest

from orbit_fast.core.decode_facts import encryption_of
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import Authentication
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import ExpiredCredentials
from orbit_fast.core.errors import Scope
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.model import Request
from orbit_fast.io.flow import Call
from orbit_fast.io.transfer import Ending
from tests.kit import lane_bench
from tests.kit.client_bench import EXPIRED
from tests.kit.client_bench import GOOD
from tests.kit.client_bench import Bench
from tests.kit.client_bench import error
from tests.kit.client_bench import put
from tests.kit.lane_bench import CRC32C
from tests.kit.lane_bench import DATA
from tests.kit.lane_bench import MD5
from tests.kit.wire import BytesSink
from tests.kit.wire import Peer
from tests.kit.wire import drive

BUCKET = "b--use1-az4--x-s3"
LIFE_S = 300
DENIED = ("403 Forbidden", error("AccessDenied"), "")


class Directory:
    """A directory bucket on the wire.

    Attributes:
        seen: every request, sessions apart.
        begun: how many sessions there were.
        over: access keys of sessions that are no good any more.
        good: what every other request is answered with.
        refusal: how the service says so.
        denied: what CreateSession is answered with instead, or None.
        held: CreateSession is answered when this is set.
        life_s: seconds that sessions are good.
        token: what they have as their token instead of one by their number.
    """

    def __init__(self):
        self.seen = []
        self.begun = 0
        self.over = set()
        self.good = GOOD
        self.refusal = EXPIRED
        self.denied = None
        self.held = asyncio.Event()
        self.held.set()
        self.life_s = LIFE_S
        self.token = ""
        self.now_s = lambda: 0.0

    async def __call__(self, peer: Peer):
        """Serve one connection."""
        while True:
            received = await peer.request()
            if received.line.split(" ")[1].startswith("/b?session"):
                await self._begin(peer, received)
                continue
            self.seen.append(received)
            key = received.headers["authorization"].split("Credential=")[1].split("/")[0]
            status, body, headers = self.refusal if key in self.over else self.good
            peer.reply(body, status=status, headers=headers)

    async def _begin(self, peer, received):
        self.begun += 1
        number = self.begun
        assert "Credential=AKIA" in received.headers["authorization"]
        assert "/s3express/aws4_request" in received.headers["authorization"]
        await self.held.wait()
        if self.denied is not None:
            status, body, headers = self.denied
            peer.reply(body, status=status, headers=headers)
            return
        ends = dt.datetime.fromtimestamp(self.now_s() + self.life_s, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        peer.reply(
            f"<CreateSessionResult><Credentials><SessionToken>{self.token or f'token-{number}'}</SessionToken>"
            f"<SecretAccessKey>s</SecretAccessKey><AccessKeyId>SESSION{number}</AccessKeyId>"
            f"<Expiration>{ends}</Expiration>"
            "</Credentials></CreateSessionResult>".encode()
        )

    @property
    def tokens(self):
        """The session tokens of all requests."""
        return [one.headers.get("x-amz-s3session-token") for one in self.seen]


def _run(work):
    """Do `work(directory, bench)` with a client that knows one directory bucket."""

    async def main():
        directory = Directory()
        async with Bench(directory) as bench:
            directory.now_s = bench.clock.now_s
            endpoint = msgspec.structs.replace(bench.site.endpoint, signing_name="s3express", has_sessions=True)
            bench.client.set_site(msgspec.structs.replace(bench.site, bucket=BUCKET, endpoint=endpoint))
            await work(directory, bench)
        return directory

    return drive(main())


async def _until(condition):
    while not condition():  # noqa: ASYNC110 - nothing else announces it
        await asyncio.sleep(0)


def test_one_session_for_all_who_need_one():
    """Ten requests wait for one CreateSession, and carry its token; none carries a token of another kind."""

    async def work(directory, bench):
        session = bench.client.route(0).session
        assert repr(session) == f"<Session of {BUCKET}: none, 0 wait>"
        directory.held.clear()
        performing = [asyncio.ensure_future(bench.client.perform(put())) for _ in range(10)]
        await _until(lambda: directory.begun)
        assert repr(session) == f"<Session of {BUCKET}: asked for, 10 wait>"
        directory.held.set()
        assert await asyncio.gather(*performing) == [(200, 1)] * 10
        assert repr(session) == f"<Session of {BUCKET}: until {bench.clock.now_s() + LIFE_S:.0f}, 0 wait>"

    directory = _run(work)
    assert directory.begun == 1
    assert directory.tokens == ["token-1"] * 10
    assert all("/s3express/aws4_request" in one.headers["authorization"] for one in directory.seen)
    assert not any("x-amz-security-token" in one.headers for one in directory.seen)


@pytest.mark.parametrize("refusal", ["ExpiredToken", "InvalidToken", "InvalidAccessKeyId"])
def test_a_session_that_the_service_has_ended_is_replaced(refusal):
    """In mid-job: one other session for all, and everything is sent again."""

    async def work(directory, bench):
        await bench.client.perform(put())
        directory.over.add("SESSION1")
        directory.refusal = ("400 Bad Request", error(refusal), "")
        assert await asyncio.gather(*[bench.client.perform(put()) for _ in range(5)]) == [(200, 2)] * 5

    directory = _run(work)
    assert directory.begun == 2
    assert directory.tokens[-5:] == ["token-2"] * 5


def test_an_answer_without_a_body_may_mean_that_the_session_is_over():
    """A HEAD that gets 400 is asked again within another session."""

    def head():
        return (yield Call(request=Request(operation="HeadObject", method="HEAD", key="k"), site=0)).status

    async def work(directory, bench):
        await bench.client.perform(put())
        directory.over.add("SESSION1")
        directory.refusal = ("400 Bad Request", b"", "")
        assert await bench.client.perform(head()) == 200

    assert _run(work).begun == 2


def test_a_service_that_takes_no_session_is_not_asked_for_ever():
    """The second session is refused like the first: that is the failure."""

    async def work(directory, bench):
        directory.over.update({"SESSION1", "SESSION2"})
        with pytest.raises(ExpiredCredentials):
            await bench.client.perform(put())

    assert _run(work).begun == 2


def test_nobody_waits_while_the_last_minute_of_a_session_runs():
    """The next one is asked for meanwhile, once; what is sent before it is there is signed by the old one."""

    async def work(directory, bench):
        await bench.client.perform(put())
        bench.clock.advance(LIFE_S - 30)
        directory.held.clear()
        assert await asyncio.gather(*[bench.client.perform(put()) for _ in range(3)]) == [(200, 1)] * 3
        await _until(lambda: directory.begun == 2)
        directory.held.set()
        await _until(lambda: bench.client.route(0).session.signer.token == "token-2")
        await bench.client.perform(put())

    directory = _run(work)
    assert directory.begun == 2
    assert directory.tokens == ["token-1"] * 4 + ["token-2"]


def test_a_next_session_that_is_refused_is_asked_for_once_more_when_this_one_has_ended():
    """What the present one can sign goes on; only who has to wait is told."""

    async def work(directory, bench):
        await bench.client.perform(put())
        directory.denied = DENIED
        bench.clock.advance(LIFE_S - 30)
        for _ in range(3):
            assert await bench.client.perform(put()) == (200, 1)
            await _until(lambda: not bench.client.route(0).session._is_asked)
        assert directory.begun == 2
        bench.clock.advance(30)
        with pytest.raises(AccessDenied):
            await bench.client.perform(put())

    assert _run(work).begun == 3


def test_a_session_that_has_ended_signs_nothing_more():
    """By the clock: the request waits for the next one, and is never refused."""

    async def work(directory, bench):
        await bench.client.perform(put())
        directory.over.add("SESSION1")
        bench.clock.advance(LIFE_S - 2)
        assert await bench.client.perform(put()) == (200, 1)

    assert _run(work).tokens == ["token-1", "token-2"]


def test_a_session_whose_end_has_passed_when_it_comes_is_used():
    """Our clock may be wrong: the service says when it is over, and asking again at once would go on for ever."""

    async def work(directory, bench):
        directory.life_s = -600
        assert await asyncio.gather(*[bench.client.perform(put()) for _ in range(3)]) == [(200, 1)] * 3

    assert _run(work).begun == 1


def test_a_session_that_is_refused_fails_all_who_wait_in_one_clear_line():
    """It says which permission is missing; nothing of the bucket can be had, so the job is over."""

    async def work(directory, bench):
        directory.denied = DENIED
        results = await asyncio.gather(*[bench.client.perform(put()) for _ in range(3)], return_exceptions=True)
        for failure in results:
            assert isinstance(failure, AccessDenied)
            assert failure.scope is Scope.JOB
            assert "s3express:CreateSession" in str(failure)
            assert "\n" not in str(failure)

    directory = _run(work)
    assert (directory.begun, directory.seen) == (1, [])


def test_keys_that_nothing_can_be_signed_with_are_a_failure():
    """A token that no header can carry is never sent."""

    async def work(directory, bench):
        directory.token = "two words"
        with pytest.raises(Authentication, match="session token"):
            await bench.client.perform(put())

    assert _run(work).seen == []


@pytest.mark.parametrize(("operation", "root"), [("CopyObject", "CopyObject"), ("UploadPartCopy", "CopyPart")])
def test_copies_are_signed_with_the_callers_own_keys(operation, root):
    """As S3 wants it: for what reads another bucket too, no session is enough."""

    def copy():
        return (yield Call(request=Request(operation=operation, method="PUT", key="k"), site=0)).status

    async def work(directory, bench):
        directory.good = ("200 OK", f"<{root}Result/>".encode(), "")
        assert await bench.client.perform(copy()) == 200

    directory = _run(work)
    assert (directory.begun, directory.tokens) == (0, [None])
    assert "Credential=AKIAOLD/" in directory.seen[0].headers["authorization"]
    assert "/s3express/" in directory.seen[0].headers["authorization"]


def test_an_etag_that_comes_from_there_proves_nothing():
    """It may look like an MD5. The sink of a body knows that from the head on, the flow from the reply."""
    told = []

    class Sink(BytesSink):
        def begin(self, status, headers, length):
            told.append(encryption_of(headers))
            super().begin(status, headers, length)

    def get(sink=None):
        request = Request(operation="GetObject", method="GET", key="k")
        told.append(encryption_of((yield Call(request=request, site=0, sink=sink)).headers))

    async def work(directory, bench):
        directory.good = ("200 OK", b"", f'etag: "{"0" * 32}"\r\n')
        await bench.client.perform(get(Sink()))
        await bench.client.perform(get())

    _run(work)
    assert told == ["directory"] * 3


def test_small_objects_take_the_lane_within_a_session(tmp_path):
    """Not before there is one, nor while it is about to end; what a session's end meets there is sent again."""
    for number in range(5):
        (tmp_path / f"f{number}").write_bytes(DATA)

    def item(number):
        return Item(number, Direction.UPLOAD, 0, f"k{number}", bytes(tmp_path / f"f{number}"), b"", len(DATA), 0)

    async def main():
        directory = Directory()
        directory.good = ("200 OK", b"", f'ETag: "{MD5}"\r\nx-amz-checksum-crc32c: {CRC32C}\r\n')
        async with lane_bench.Bench(tmp_path, directory) as bench:
            directory.now_s = bench.clock.now_s
            endpoint = msgspec.structs.replace(bench.site.endpoint, signing_name="s3express", has_sessions=True)
            site = bench.around.sites[0] = msgspec.structs.replace(bench.site, bucket=BUCKET, endpoint=endpoint)
            bench.client.set_site(site)
            assert bench.lane.start(item(0)) is None
            bench.start(item(0))
            await bench.until(1)
            assert bench.lane.start(item(1)) is not None
            await bench.until(2)
            directory.over.add("SESSION1")
            assert bench.lane.start(item(2)) is not None
            await bench.until(3)
            assert bench.lane.start(item(3)) is not None
            await bench.until(4)
            bench.clock.advance(LIFE_S - 30)
            assert bench.lane.start(item(4)) is None
            assert [(type(end), bench.taken) for _, end in bench.ends] == [(Ending, 1)] * 4
        return directory

    directory = drive(main())
    assert directory.tokens[1:] == ["token-1", "token-1", "token-1", "token-2", "token-2"]
    assert directory.begun == 2


def test_who_is_cancelled_while_waiting_sends_nothing():
    """And the others get the session all the same."""

    async def work(directory, bench):
        directory.held.clear()
        ended = []
        run = bench.client.run(put(key="first"), ended.append)
        other = asyncio.ensure_future(bench.client.perform(put(key="other")))
        await _until(lambda: directory.begun)
        run.cancel()
        assert [type(one) for one in ended] == [Cancelled]
        directory.held.set()
        assert await other == (200, 1)

    assert [one.line for one in _run(work).seen] == ["PUT /b/other HTTP/1.1"]
