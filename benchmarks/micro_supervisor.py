"""What the supervisor itself does for an object and for a part: its ledger, and its ends of the pipes to a worker.

The worker is played by two plain system calls a batch, which read what was sent and write the answer that is ready.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.micro import BATCH
from benchmarks.micro import DATA
from benchmarks.micro import Micro
from benchmarks.micro import items
from orbit_fast.core.hands import Limits
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import PartMoved
from orbit_fast.core.messages import Report
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.messages import decode_event
from orbit_fast.core.messages import encode
from orbit_fast.proc.channel import Channel
from orbit_fast.proc.channel import Ends
from orbit_fast.proc.channel import encode_frame
from orbit_fast.proc.channel import open_channel

LINE_BYTES = 120
PARTS = 256
MIB = 1 << 20


@contextmanager
def supervisor() -> Iterator[list[Micro]]:
    """Both benchmarks; the pipes are closed when the context ends."""
    ours, theirs = open_channel()
    channel = Channel(ours)
    try:
        yield [_small_objects(channel, theirs), _parts(channel, theirs)]
    finally:
        channel.close()
        os.close(theirs.read_fd)
        os.close(theirs.write_fd)


def _small_objects(channel: Channel, worker: Ends) -> Micro:
    found = items(BATCH)
    outcomes = tuple(Outcome(item.number, Status.DONE, len(DATA), Verified.CHECKSUM) for item in found)
    answer = encode_frame(encode(Report(outcomes, b"x" * LINE_BYTES * BATCH)))

    def work() -> tuple[Ledger, int]:
        ledger = Ledger(Limits(depth=512, concurrency=5))
        ledger.worker_ready(0)
        for item in found:
            ledger.add(item)
        for _, order in ledger.deal():
            channel.send(encode(order))
        channel.flush()
        os.read(worker.read_fd, MIB)
        os.write(worker.write_fd, answer)
        written = 0
        for payload in channel.read():
            event = decode_event(payload)
            assert isinstance(event, Report)
            written += len(event.lines)
            for outcome in event.outcomes:
                ledger.item_ended(0, outcome)
        return ledger, written

    return Micro(
        name="supervisor: an object dealt and heard of, through pipes",
        work=work,
        check=lambda result: result[0].is_idle and result[1] == LINE_BYTES * BATCH,
        units=BATCH,
    )


def _parts(channel: Channel, worker: Ends) -> Micro:
    size = PARTS * 8 * MIB
    item = Item(1, Direction.UPLOAD, 0, "big.bin", b"/data/big.bin", b"", size, 1)
    layout = plan_parts(size, 8 * MIB)
    facts = [
        PartFact(number, offset, length, etag="9b2cf535f27731c974343645a3985328", checksum="bL6Zcg==", is_proven=True)
        for number, offset, length in layout.parts()
    ]
    answers = {fact.number: encode_frame(encode(PartMoved(1, fact))) for fact in facts}

    def work() -> list[Finish]:
        ledger = Ledger(Limits(depth=512, concurrency=5))
        ledger.worker_ready(0)
        ledger.add(item, layout)
        ledger.deal()
        ledger.begun(0, Begun(item=1, token="upload", algorithm="CRC32C"))
        last: list[Finish] = []
        while not last:
            numbers = []
            for _, order in ledger.deal():
                if isinstance(order, Finish):
                    last.append(order)
                    continue
                numbers.append(order.number)
                channel.send(encode(order))
            if last:
                break
            channel.flush()
            os.read(worker.read_fd, MIB)
            os.write(worker.write_fd, b"".join([answers[number] for number in numbers]))
            for payload in channel.read():
                event = decode_event(payload)
                assert isinstance(event, PartMoved)
                ledger.part_moved(0, event)
        return last

    return Micro(
        name="supervisor: a part dealt and heard of, through pipes",
        work=work,
        check=lambda finished: len(finished[0].parts) == PARTS,
        units=PARTS,
    )
