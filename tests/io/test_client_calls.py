"""What a call may ask of the client beside its request: a check, another request for another try, patience, a pause."""

from __future__ import annotations

import asyncio

import pytest

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import S3Error
from orbit_fast.core.model import Request
from orbit_fast.core.retry import LAG_S
from orbit_fast.io.flow import PAUSE
from orbit_fast.io.flow import Call
from orbit_fast.io.run import MIN_GAIN
from tests.kit.client_bench import GOOD
from tests.kit.client_bench import Bench
from tests.kit.client_bench import put
from tests.kit.client_bench import replies
from tests.kit.wire import BytesSink
from tests.kit.wire import Peer
from tests.kit.wire import drive

GET = Request(operation="GetObject", method="GET", key="k")
MISSING = ("404 Not Found", b"", "")


def asking(**call):
    """A flow of one GET; gives back the reply."""
    return (yield Call(request=GET, site=0, **call))


def keys_of(script):
    """What was asked for, in order."""
    return [received.line.split()[1].rpartition("/")[2] for received in script.seen]


# --- checks ----------------------------------------------------------------------------------------------------------


def _is_whole(reply):
    if reply.body != b"whole":
        raise BadReply(f"not whole: {reply.body!r}")
    return reply.body.decode()


def _is_right(reply):
    if reply.body != b"whole":
        raise ChecksumMismatch("k", "whole", reply.body.decode())
    return "right"


@pytest.mark.parametrize(
    ("check", "bodies", "decoded", "requests"),
    [
        (_is_whole, [b"whole"], "whole", 1),
        (_is_whole, [b"wh", b"", b"whole"], "whole", 3),
        (_is_whole, [b"wh"], BadReply, 4),
        (_is_right, [b"wrong", b"whole"], "right", 2),
        (_is_right, [b"wrong"], ChecksumMismatch, 2),
        (None, [b"wh"], None, 1),
    ],
)
def test_a_reply_that_fails_its_check_is_a_failed_try(check, bodies, decoded, requests):
    """It is tried again as often as its failure is worth; what the check makes of a good one comes with the reply."""
    script = replies(*[("200 OK", body, "") for body in bodies])

    async def main():
        async with Bench(script) as bench:
            if isinstance(decoded, type):
                with pytest.raises(decoded) as caught:
                    await bench.client.perform(asking(check=check))
                assert caught.value.attempts == requests
            else:
                reply = await bench.client.perform(asking(check=check))
                assert (reply.decoded, reply.attempts) == (decoded, requests)
            assert bench.counters.retries == requests - 1
            assert bench.server.accepted == 1  # such a reply has ended well: its connection goes on

    drive(main())
    assert len(script.seen) == requests


def test_what_must_not_happen_twice_is_not_sent_again_after_a_bad_answer():
    """The service may have done it."""
    script = replies(("200 OK", b"wh", ""))

    async def main():
        async with Bench(script) as bench:
            with pytest.raises(BadReply):
                await bench.client.perform(put(check=_is_whole, is_idempotent=False))

    drive(main())
    assert len(script.seen) == 1


def test_only_a_reply_that_says_success_is_checked():
    """Not an error, not an error inside a 200, not one whose body a sink refused."""
    script = replies(("503 Slow Down", b"", ""), ("200 OK", b"<Error><Code>InternalError</Code></Error>", ""), GOOD)
    checked = []

    async def main():
        async with Bench(script) as bench:
            reply = await bench.client.perform(asking(check=lambda reply: checked.append(reply.status)))
            assert reply.attempts == 3
            sink = BytesSink(refuse="finish", failure=ChecksumMismatch("k", "a", "b"))
            with pytest.raises(ChecksumMismatch):
                await bench.client.perform(asking(check=checked.append, sink=sink))

    drive(main())
    assert checked == [200]


@pytest.mark.parametrize("where", ["check", "again"])
def test_a_mistake_in_what_a_call_brings_ends_its_flow_only(where):
    """It becomes an Internal error, the flow's finally blocks run, and the connection goes on."""
    closed = []

    def mistaken(*_):
        raise KeyError("mistake")

    def flow():
        try:
            return (yield Call(request=GET, site=0, **{where: mistaken}))
        finally:
            closed.append(True)

    async def main():
        answers = [("503 Slow Down", b"", "")] if where == "again" else []
        async with Bench(replies(*answers, GOOD)) as bench:
            heard = []
            bench.client.loop.set_exception_handler(lambda _, context: heard.append(context["exception"]))
            with pytest.raises(Internal, match="KeyError"):
                await bench.client.perform(flow())
            assert [type(error) for error in heard] == [KeyError]
            assert closed == [True]
            assert await bench.client.perform(put()) == (200, 1)
            assert bench.server.accepted == 1

    drive(main())


# --- another request for another try ---------------------------------------------------------------------------------


def test_every_other_try_asks_for_its_request():
    """Never the first; each time anew, whatever the try before it failed of; the next call has its own."""
    script = replies(
        ("503 Slow Down", b"", ""), ("200 OK", b"wh", ""), ("500 Internal", b"", ""), ("200 OK", b"whole", ""), GOOD
    )
    asked = []

    def again():
        asked.append(len(script.seen))
        return Request(operation="GetObject", method="GET", key=f"try{len(asked)}")

    def flow():
        reply = yield Call(request=GET, site=0, check=_is_whole, again=again)
        yield Call(request=GET, site=0)
        return reply.attempts

    async def main():
        async with Bench(script) as bench:
            assert await bench.client.perform(flow()) == 4

    drive(main())
    assert asked == [1, 2, 3]
    assert keys_of(script) == ["k", "try1", "try2", "try3", "k"]


def test_a_body_that_broke_off_is_asked_for_again():
    """The request for the next try is made when what arrived is known."""
    seen = []

    async def cut(peer: Peer):
        seen.append(await peer.request())
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc")
        peer.reset()

    async def main():
        rest = replies(("206 Partial Content", b"def", ""))
        async with Bench(cut, rest) as bench:
            sink = BytesSink()

            def again():
                return Request(operation="GetObject", method="GET", key=f"from{len(sink.data)}")

            await bench.client.perform(asking(sink=sink, again=again))
            assert keys_of(rest) == ["from3"]

    drive(main())
    assert len(seen) == 1


def _cutting(total: int, piece: int):
    """A script that sends `piece` bytes of what is asked for, then breaks the connection; it counts its tries."""
    tries = []

    async def script(peer: Peer):
        first = int((await peer.request()).line.split()[1].rpartition("from")[2])
        tries.append(first)
        peer.send(f"HTTP/1.1 200 OK\r\ncontent-length: {total - first}\r\n\r\n".encode())
        peer.send(b"x" * min(piece, total - first))
        if first + piece < total:
            peer.reset()

    script.tries = tries
    return script


class Keeper(BytesSink):
    """A sink that goes on where it broke off."""

    kept = 0

    def received(self, count):
        """One more piece."""
        super().received(count)
        self.kept += count

    def request(self):
        """For the next piece."""
        return Request(operation="GetObject", method="GET", key=f"from{self.kept}")


@pytest.mark.parametrize(
    ("piece", "is_kept", "gain", "tries"),
    [
        (1, True, 1, 20),  # more than the tries allowed, none of them in vain
        (20, True, 1, 1),
        (0, True, 1, 4),
        (1, False, 1, 4),
        (1, True, MIN_GAIN, 4),  # a byte a try is too little
    ],
)
def test_only_tries_in_vain_are_counted(monkeypatch, piece, is_kept, gain, tries):
    """A try that brings enough bytes for good costs none of those that the user allows."""
    monkeypatch.setattr("orbit_fast.io.run.MIN_GAIN", gain)
    script = _cutting(20, piece)

    async def main():
        async with Bench(script) as bench:
            sink = Keeper()
            kept = (lambda: sink.kept) if is_kept else None
            flow = iter_of(Call(request=sink.request(), site=0, sink=sink, again=sink.request, kept=kept))
            if tries == 4:
                with pytest.raises(Network):
                    await bench.client.perform(flow)
            else:
                assert (await bench.client.perform(flow)).attempts == tries
                assert sink.kept == 20
            assert len(script.tries) == tries

    drive(main())


def iter_of(call):
    """A flow of one call."""
    return (yield call)


def test_another_request_that_cannot_be_made_is_told_to_the_flow():
    """As for the first one: no try is left of it."""

    def again():
        raise InvalidConfig("no such header")

    async def main():
        async with Bench(replies(("503 Slow Down", b"", ""))) as bench:
            with pytest.raises(InvalidConfig):
                await bench.client.perform(asking(again=again))
            assert bench.counters.requests == 1

    drive(main())


# --- patience with what was just written -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("may_lag", "answers", "passing_s", "requests", "is_found"),
    [
        (True, [MISSING, MISSING, GOOD], 0.0, 3, True),
        (True, [MISSING], 0.0, 4, False),
        (True, [MISSING], LAG_S / 2 + 0.1, 2, False),
        (True, [MISSING], LAG_S, 1, False),
        (False, [MISSING, GOOD], 0.0, 1, False),
    ],
)
def test_what_was_just_written_is_looked_for_again(may_lag, answers, passing_s, requests, is_found):
    """Where the call says so, for a few seconds and as many tries as the user allows."""
    script = replies(*answers)

    async def slowly(peer: Peer):
        await script(SlowPeer(peer))

    class SlowPeer:
        def __init__(self, peer):
            self.request = peer.request
            self._peer = peer

        def reply(self, *args, **named):
            bench_of[0].clock.advance(passing_s)
            self._peer.reply(*args, **named)

    bench_of = []

    async def main():
        async with Bench(slowly) as bench:
            bench_of.append(bench)
            if is_found:
                assert (await bench.client.perform(asking(may_lag=may_lag))).attempts == requests
            else:
                with pytest.raises(NotFound):
                    await bench.client.perform(asking(may_lag=may_lag))

    drive(main())
    assert len(script.seen) == requests


# --- pauses ----------------------------------------------------------------------------------------------------------


def working(slices, log=None, *, name="", ending=None):
    """A flow of long work, then maybe a request."""
    try:
        for number in range(slices):
            if log is not None:
                log.append((name, number))
            yield PAUSE
        if isinstance(ending, S3Error):
            raise ending
        return (yield from ending) if ending is not None else "done"
    finally:
        if log is not None:
            log.append((name, "closed"))


def test_a_pause_lets_everything_else_have_its_turn():
    """Two long flows take turns, timers and callbacks run between their slices, and both come to their end."""
    log = []

    async def main():
        async with Bench(replies(GOOD)) as bench:
            turns = []

            async def others():
                while True:
                    turns.append(len(log))
                    await asyncio.sleep(0)

            watching = asyncio.ensure_future(others())
            ended = []
            for name in "ab":
                bench.client.run(working(50, log, name=name), ended.append)
            while len(ended) < 2:  # noqa: ASYNC110 - nothing else announces it
                await asyncio.sleep(0)
            watching.cancel()
            assert ended == ["done", "done"]
            assert len(set(turns)) > 40
            assert bench.counters.requests == 0

    drive(main())
    order = [name for name, _ in log]
    assert max(len(run) for run in "".join(order).replace("ab", "a b").replace("ba", "b a").split()) <= 2


@pytest.mark.parametrize(
    ("ending", "result"),
    [
        (None, "done"),
        (put, (200, 1)),
        (ChecksumMismatch("k", "a", "b"), ChecksumMismatch),
    ],
)
def test_a_flow_goes_on_after_its_pauses(ending, result):
    """With a request, a result or an error."""

    async def main():
        async with Bench(replies(GOOD)) as bench:
            flow = working(3, ending=ending() if callable(ending) else ending)
            if isinstance(result, type):
                with pytest.raises(result):
                    await bench.client.perform(flow)
            else:
                assert await bench.client.perform(flow) == result

    drive(main())


def test_pauses_and_requests_may_alternate():
    """What a pause gives back is of no use; what a call gives back is its reply; each call has its own tries."""

    def flow():
        found = []
        for _ in range(3):
            found.append((yield from put()))
            assert (yield PAUSE) is None
        return found

    async def main():
        async with Bench(replies(GOOD, ("503 Slow Down", b"", ""), GOOD)) as bench:
            assert await bench.client.perform(flow()) == [(200, 1), (200, 2), (200, 1)]

    drive(main())


@pytest.mark.parametrize("after", [0, 1, 10])
@pytest.mark.parametrize("how", ["cancel", "close"])
def test_long_work_can_be_given_up_in_a_pause(after, how):
    """Its finally blocks run at once, `on_done` hears of it once, and it does not go on."""
    log = []

    async def main():
        async with Bench(replies(GOOD)) as bench:
            ended = []
            run = bench.client.run(working(1000, log), ended.append)
            while len(log) < after:  # noqa: ASYNC110 - nothing else announces it
                await asyncio.sleep(0)
            if how == "cancel":
                run.cancel()
                run.cancel()
            else:
                bench.client.close()
            assert [type(result) for result in ended] == [Cancelled]
            assert log[-1] == ("", "closed")
            length = len(log)
            for _ in range(5):
                await asyncio.sleep(0)
            assert len(log) == length

    drive(main())


def test_a_mistake_after_a_pause_ends_that_flow_only():
    """As any other mistake."""

    def wrong():
        yield PAUSE
        raise KeyError("mistake")

    async def main():
        async with Bench(replies(GOOD)) as bench:
            bench.client.loop.set_exception_handler(lambda *_: None)
            with pytest.raises(Internal, match="KeyError"):
                await bench.client.perform(wrong())
            assert await bench.client.perform(put()) == (200, 1)

    drive(main())
