"""An object in one stream for several who take pieces of it, played by hand."""

from __future__ import annotations

import dataclasses

import pytest

from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.errors import WorkerLost
from orbit_fast.core.fetching import Fetch
from orbit_fast.core.fetching import Fetched
from orbit_fast.core.fetching import Pour
from orbit_fast.io.fetch import fetch
from orbit_fast.io.flow import Until
from orbit_fast.io.pour import SPARE
from orbit_fast.io.pour import pour
from tests.kit.flow_driver import reply
from tests.kit.flow_driver import staged

DATA = bytes(range(256)) * 40
SIZE = 3000
HEADERS = {"etag": '"v1"'}


class Bench:
    """A stage of four pieces, a stream that the test feeds, and who takes pieces of it."""

    def __init__(self, around) -> None:
        self.memory = bytearray(4 * SIZE)
        self.around = dataclasses.replace(around, stage=memoryview(self.memory))
        self.stream = pour(self.around, Pour(7, 0, "k", len(DATA), "v1"))
        self.call = next(self.stream)
        self.woken: list[int] = []
        self.went_on = 0
        self.flows = []  # one that is dropped gives its piece up

    def begin(self, headers=None):
        """The service's answer begins."""
        self.call.sink.begin(200, headers or HEADERS, len(DATA))

    def feed(self, data):
        """Bytes arrive; as many as there is memory for, until nothing more is to be read."""
        while data:
            view = self.call.sink.buffer()
            count = min(len(view), len(data))
            view[:count] = data[:count]
            self.call.sink.received(count)
            data = data[count:]
            if self.is_held:
                break
        return data

    @property
    def is_held(self):
        """Whether nothing may be read now."""
        return self.call.hold(self._go_on)

    def _go_on(self):
        self.went_on += 1

    def take(self, slot, offset, size=SIZE):
        """Somebody wants a piece: the flow, which waits, or what it has come to."""
        at, whole = slot * SIZE, len(DATA)
        order = Fetch(slot, 0, "k", at, SIZE, "", "v1", offset, size, whole, algorithm="CRC32C", stream=7)
        flow = fetch(self.around, order)
        try:
            waits = next(flow)
        except StopIteration as end:
            return end.value
        assert isinstance(waits, Until)
        waits.subscribe(lambda: self.woken.append(slot))
        self.flows.append(flow)
        return flow

    def came(self, slot, size=SIZE):
        """What stands there."""
        return bytes(self.memory[slot * SIZE : slot * SIZE + size])

    def finish(self):
        """The answer has ended."""
        self.call.sink.finish()
        with pytest.raises(StopIteration) as end:
            self.stream.send(reply(attempts=2))
        return end.value.value


@pytest.fixture
def bench(tmp_path):
    """A stream that has been asked for."""
    with staged(tmp_path) as stage:
        yield Bench(stage.around)


def ended(flow):
    """What a flow that was woken comes to."""
    with pytest.raises(StopIteration) as end:
        next(flow)
    return end.value.value


def test_pieces_are_filled_in_order(bench):
    """Each goes back with its checksum; the whole was asked for once, of one version, without a range."""
    bench.begin()
    flows = [bench.take(slot, slot * SIZE) for slot in range(3)] + [bench.take(3, 3 * SIZE, 1240)]
    assert bench.feed(DATA[:5000]) == b""
    assert (bench.woken, bench.came(0)) == ([0], DATA[:SIZE])
    assert bench.feed(DATA[5000:]) == b""
    assert bench.woken == [0, 1, 2, 3]
    for slot, (flow, size) in enumerate(zip(flows, (SIZE, SIZE, SIZE, 1240), strict=True)):
        data = DATA[slot * SIZE :][:size]
        assert ended(flow) == Fetched(slot, size, checksum_of("CRC32C", data).value)
        assert bench.came(slot, size) == data
    assert bench.finish() == Fetched(7, len(DATA), attempts=2)
    headers = dict(bench.call.request.headers)
    assert ("range" in headers, headers["if-match"]) == (False, '"v1"')
    assert bench.around.pours == {}


def test_it_waits_while_nobody_wants_more(bench):
    """What had been read already is there when somebody does; then reading goes on."""
    assert bench.is_held
    bench.begin()
    rest = bench.feed(DATA[:500])
    assert (rest, bench.is_held) == (b"", True)
    flow = bench.take(0, 0)
    assert (bench.came(0, 500), bench.went_on, bench.is_held) == (DATA[:500], 1, False)
    assert bench.feed(DATA[500:]) == DATA[SIZE:]
    assert ended(flow).checksum == checksum_of("CRC32C", DATA[:SIZE]).value


def test_what_was_read_too_early_serves_several(bench):
    """A piece that is smaller than that leaves the rest to the next."""
    bench.begin()
    bench.feed(DATA[:2500])
    one, two, three = (bench.take(slot, slot * 1000, 1000) for slot in range(3))
    assert [piece.size for piece in (one, two)] == [1000, 1000]
    assert [bench.came(slot, 1000) for slot in range(2)] == [DATA[:1000], DATA[1000:2000]]
    bench.feed(DATA[2500:3000])
    assert ended(three).checksum == checksum_of("CRC32C", DATA[2000:3000]).value


def test_no_more_is_read_than_there_is_room_for(bench):
    """Whoever does not wait is refused, and nothing is overwritten."""
    bench.begin()
    bench.call.sink._length = -1
    for _ in range(SPARE // 1024):
        bench.call.sink.received(1024)
    with pytest.raises(Internal, match="room"):
        bench.call.sink.buffer()


def test_a_stream_that_begins_again_passes_over_what_was_taken(bench):
    """The piece that was being filled is filled anew, and its checksum is of what stands there."""
    bench.begin()
    first = bench.take(0, 0)
    bench.feed(DATA[:SIZE])
    second = bench.take(1, SIZE)
    bench.feed(b"\xee" * 700)
    bench.call.again()
    bench.begin()
    assert bench.feed(DATA) == DATA[2 * SIZE :]
    assert [ended(flow).checksum for flow in (first, second)] == [
        checksum_of("CRC32C", DATA[:SIZE]).value,
        checksum_of("CRC32C", DATA[SIZE : 2 * SIZE]).value,
    ]
    assert bench.came(1) == DATA[SIZE : 2 * SIZE]


def test_pieces_need_not_begin_where_the_stream_does(bench):
    """Bytes between them are passed over, also those that were read before anybody wanted any."""
    bench.begin()
    bench.feed(DATA[:100])
    flow = bench.take(0, 5000)
    late = bench.take(1, 9000, 1000)
    bench.feed(DATA[100:])
    assert (ended(flow).size, bench.came(0)) == (SIZE, DATA[5000:8000])
    assert (ended(late).size, bench.came(1, 1000)) == (1000, DATA[9000:10000])


def test_a_piece_that_has_passed_is_never_filled_with_other_bytes(bench):
    """The stream fails instead; so does a piece that is wanted out of order."""
    bench.begin()
    bench.take(0, 3000)
    bench.feed(DATA[:6000])
    bench.take(1, 3000)
    with pytest.raises(Internal, match="passed"):
        bench.call.sink.buffer()
    with pytest.raises(Internal, match="order"):
        bench.take(2, 0)


@pytest.mark.parametrize("failure", [Network("broken"), PreconditionFailed("another"), SizeMismatch("cut")])
def test_who_waits_is_told_why_nothing_comes(bench, failure):
    """Those who ask later too, at once."""
    flow = bench.take(0, 0)
    with pytest.raises(S3Error) as caught:
        bench.stream.throw(failure)
    assert caught.value is failure
    assert bench.woken == [0]
    with pytest.raises(S3Error) as caught:
        next(flow)
    assert caught.value is failure
    with pytest.raises(S3Error) as caught:
        bench.take(1, SIZE)
    assert caught.value is failure


def test_a_stream_of_which_no_more_is_wanted_ends(bench):
    """Its reading goes on only to be broken off; that is no failure."""
    bench.begin()
    bench.take(0, 0)
    bench.feed(DATA[:SIZE])
    assert bench.is_held
    assert bench.take(0, 0, size=0) == Fetched(0, 0)
    assert (bench.went_on, bench.is_held) == (1, False)
    with pytest.raises(Cancelled) as stopped:
        bench.call.sink.received(1)
    with pytest.raises(StopIteration) as end:
        bench.stream.throw(stopped.value)
    assert end.value.value.number == 7
    assert bench.take(0, 0, size=0) == Fetched(0, 0), "too late is no failure either"


def test_a_piece_of_a_stream_that_is_not_here_will_not_come(bench):
    """Nobody waits for what died with another process."""
    bench.around.pours.clear()
    with pytest.raises(WorkerLost):
        bench.take(0, 0)


@pytest.mark.parametrize("is_wanted", [True, False])
def test_an_end_that_comes_before_the_last_bytes_are_wanted(bench, is_wanted):
    """One read can bring both (chunks): the stream lasts until somebody has taken them, or wants no more."""
    bench.begin()
    for slot in range(3):
        bench.take(slot, slot * SIZE)
    assert bench.feed(DATA[: 3 * SIZE]) == b""
    assert bench.is_held
    view = bench.call.sink.buffer()
    view[:1240] = DATA[3 * SIZE :]
    bench.call.sink.received(1240)
    bench.call.sink.finish()
    waits = bench.stream.send(reply())
    waits.subscribe(lambda: bench.woken.append(7))
    assert 7 not in bench.woken
    if is_wanted:
        first = bench.take(3, 3 * SIZE, 1000)
        assert (first.size, bench.came(3, 1000)) == (1000, DATA[3 * SIZE :][:1000])
        assert 7 not in bench.woken
        assert bench.take(3, 3 * SIZE + 1000, 240).size == 240
    else:
        assert bench.take(0, 0, size=0) == Fetched(0, 0)
    assert bench.woken[-1] == 7
    assert ended(bench.stream) == Fetched(7, len(DATA))
    assert bench.around.pours == {}


def test_a_piece_that_is_given_up_is_not_touched_any_more(bench):
    """Its memory may be somebody else's by then."""
    bench.begin()
    flow = bench.take(0, 0)
    bench.feed(DATA[:100])
    flow.close()
    before = bytes(bench.memory)
    assert bench.is_held
    bench.feed(DATA[100:300])
    assert bytes(bench.memory) == before


def test_more_than_was_announced_is_refused(bench):
    """As everywhere."""
    bench.begin()
    for slot in range(4):
        bench.take(slot, slot * SIZE, min(SIZE, len(DATA) - slot * SIZE))
    bench.feed(DATA)
    with pytest.raises(SizeMismatch):
        bench.call.sink.received(1)
