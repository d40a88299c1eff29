"""What the parts of the hot path cost, one by one: ``python -m benchmarks.micro``.

Each benchmark does one thing again and again and divides. The least of several repeats is the figure: everything that
disturbs a loop makes it slower. `check` of each proves once that the thing is done, and done right.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.decode_listing import list_objects_v2
from orbit_fast.core.events import Landed
from orbit_fast.core.events import new_renderer
from orbit_fast.core.events import pair_of
from orbit_fast.core.hands import Limits
from orbit_fast.core.http1 import encode_head
from orbit_fast.core.http1 import find_head_end
from orbit_fast.core.http1 import parse_head
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import Report
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Transfer
from orbit_fast.core.messages import Verified
from orbit_fast.core.messages import decode_event
from orbit_fast.core.messages import decode_order
from orbit_fast.core.messages import encode as encode_message
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Reply
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.sigv4 import UNSIGNED_PAYLOAD
from orbit_fast.core.sigv4 import Signer
from orbit_fast.io.files import Landings
from orbit_fast.io.sources import open_source
from orbit_fast.io.walk import walk
from orbit_fast.proc.channel import FrameReader
from orbit_fast.proc.channel import encode_frame

DATE = "20260102T030405Z"
KEY = "backup/2026/0007/0007123.bin"
BATCH = 64
PAGE = 1000
DATA = bytes(range(256)) * 16
REPLY_HEAD = (
    b"HTTP/1.1 200 OK\r\nx-amz-id-2: Qk9VTkRFRCBieSBub3RoaW5nLCB0aGlzIHRhcmdldCBhbnN3ZXJzIHF1aWNrbHkgYW5kIGtlZXBz\r\n"
    b"x-amz-request-id: 5KJ2M0N4P8Q6R1ST\r\nDate: Fri, 02 Jan 2026 03:04:05 GMT\r\nServer: AmazonS3\r\n"
    b'x-amz-checksum-crc32c: bL6Zcg==\r\nx-amz-checksum-type: FULL_OBJECT\r\nETag: "9b2cf535f27731c974343645a3985328"'
    b"\r\nx-amz-server-side-encryption: AES256\r\nContent-Length: 0\r\n\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Micro:
    """One benchmark.

    Attributes:
        name: what is measured.
        work: does it `units` times.
        check: whether what `work` gave is right.
        units: things done in one call of `work`.
    """

    name: str
    work: Callable[[], Any]
    check: Callable[[Any], bool]
    units: int = 1


def signatures() -> Iterator[Micro]:
    """Signing and heads."""
    signer = Signer(Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), "us-east-1", "s3")
    endpoint = Endpoint("http", "127.0.0.1", 9000, "127.0.0.1:9000", "/bucket")
    headers = [("host", "127.0.0.1:9000"), ("x-amz-content-sha256", UNSIGNED_PAYLOAD), ("x-amz-date", DATE)]
    yield Micro(
        name="signature of a GET",
        work=lambda: signer.authorize("GET", f"/bucket/{KEY}", "", headers, UNSIGNED_PAYLOAD, DATE),
        check=lambda value: value.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/s3/"),
    )
    checksum = checksum_of("CRC32C", DATA)

    def put() -> bytes:
        request = encode.put_object(KEY, checksum=checksum, body=DATA)
        return encode_head(
            request, endpoint, signer, amz_date=DATE, content_length=len(DATA), payload_sha256=UNSIGNED_PAYLOAD
        )

    def get() -> bytes:
        request = encode.get_object(KEY, if_match="9b2cf535f27731c974343645a3985328")
        return encode_head(request, endpoint, signer, amz_date=DATE, content_length=0, payload_sha256=UNSIGNED_PAYLOAD)

    yield Micro(
        name="request head of a PUT, encoded and signed", work=put, check=lambda head: b"x-amz-checksum" in head
    )
    yield Micro(
        name="request head of a GET, encoded and signed", work=get, check=lambda head: head.startswith(b"GET /")
    )
    yield Micro(
        name="CRC32C of 4 KiB",
        work=lambda: checksum_of("CRC32C", DATA),
        check=lambda found: found == checksum,
    )


def replies() -> Iterator[Micro]:
    """Reply heads and listings."""

    def parse() -> Any:
        end = find_head_end(REPLY_HEAD, 0, len(REPLY_HEAD))
        return parse_head(REPLY_HEAD[:end], method="PUT")

    yield Micro(name="response head of a PUT", work=parse, check=lambda head: head.content_length == 0)
    headers = parse().headers
    yield Micro(
        name="PutObject's answer, decoded",
        work=lambda: decode.put_object(Reply(status=200, headers=headers)),
        check=lambda stored: stored.checksum == Checksum("CRC32C", "bL6Zcg=="),
    )
    got = {**headers, "last-modified": "Fri, 02 Jan 2026 03:04:05 GMT", "content-type": "binary/octet-stream"}
    yield Micro(
        name="GetObject's headers, decoded",
        work=lambda: decode.object_facts(got),
        check=lambda facts: facts.mtime_ns == 1767323045_000_000_000,
    )
    page = listing_page(PAGE)
    yield Micro(
        name="listed key",
        work=lambda: list_objects_v2(Reply(status=200, headers={}, body=page)),
        check=lambda listing: len(listing.entries) == PAGE and listing.entries[7].size == len(DATA),
        units=PAGE,
    )


def listing_page(count: int) -> bytes:
    """A page of ListObjectsV2 as S3 writes it."""
    entries = "".join(
        f"<Contents><Key>{KEY[:-11]}{number:07}.bin</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
        "<ETag>&quot;9b2cf535f27731c974343645a3985328&quot;</ETag><ChecksumAlgorithm>CRC32C</ChecksumAlgorithm>"
        f"<ChecksumType>FULL_OBJECT</ChecksumType><Size>{len(DATA)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for number in range(count)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>bucket</Name><Prefix></Prefix><KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys>"
        f"<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
    ).encode()


def items(count: int) -> tuple[Item, ...]:
    """Small uploads."""
    return tuple(
        Item(number, Direction.UPLOAD, 0, f"{KEY}{number}", f"/data/{KEY}{number}".encode(), b"", len(DATA), 1)
        for number in range(1, count + 1)
    )


def messages() -> Iterator[Micro]:
    """Event lines, messages, and the ledger."""
    one = items(1)[0]
    landed = Landed(
        size=len(DATA),
        etag="9b2cf535f27731c974343645a3985328",
        checksum=checksum_of("CRC32C", DATA),
        verified=Verified.CHECKSUM,
        duration_ms=3,
    )
    as_json = new_renderer(JobSettings(output=OutputSettings(json=True)), operation="cp", process=0)
    as_text = new_renderer(JobSettings(), operation="cp", process=0)
    yield Micro(
        name="event line, JSON",
        work=lambda: as_json.done(pair_of(one, ["bucket"]), landed),
        check=lambda lines: json.loads(lines.out)["success"] is True,
    )
    yield Micro(
        name="event line, text",
        work=lambda: as_text.done(pair_of(one, ["bucket"]), landed),
        check=lambda lines: lines.out.startswith(b"cp /data/"),
    )
    order = Transfer(items(BATCH))
    sent = encode_frame(encode_message(order))
    yield Micro(
        name="order: an item encoded and framed",
        work=lambda: encode_frame(encode_message(order)),
        check=lambda frame: frame == sent,
        units=BATCH,
    )
    yield Micro(
        name="order: an item read and decoded",
        work=lambda: decode_order(FrameReader().feed(sent)[0]),
        check=lambda decoded: decoded == order,
        units=BATCH,
    )
    outcomes = tuple(Outcome(item.number, Status.DONE, len(DATA), Verified.CHECKSUM) for item in order.items)
    report = encode_frame(encode_message(Report(outcomes, b"x" * 120 * BATCH)))
    yield Micro(
        name="event: an outcome read and decoded",
        work=lambda: decode_event(FrameReader().feed(report)[0]),
        check=lambda decoded: decoded.outcomes == outcomes,
        units=BATCH,
    )

    def keep_books() -> Ledger:
        ledger = Ledger(Limits(depth=512, concurrency=5))
        ledger.worker_ready(0)
        for item in order.items:
            ledger.add(item)
        for worker, _ in ledger.deal():
            for outcome in outcomes:
                ledger.item_ended(worker, outcome)
        return ledger

    yield Micro(
        name="ledger: an item's life", work=keep_books, check=lambda ledger: not ledger.leftovers(), units=BATCH
    )


def files(folder: Path) -> Iterator[Micro]:
    """Local files."""
    source = os.fsencode(folder / "source.bin")
    Path(os.fsdecode(source)).write_bytes(DATA)
    tree = folder / "tree"
    tree.mkdir()
    for number in range(BATCH):
        (tree / f"{number:03}").write_bytes(b"")

    def read() -> bytes:
        with open_source(source) as opened:
            data = opened.read_all()
            opened.check_unchanged()
        return data

    yield Micro(name="source file opened, read, checked, closed", work=read, check=lambda data: data == DATA)
    landings = Landings(umask=0o022)
    root = os.fsencode(folder)
    path = root + b"/landed.bin"

    def land() -> bool:
        landing = landings.create(path, root=root, size=len(DATA))
        landing.write_at(DATA, 0)
        return landing.publish(mtime_ns=1_700_000_000_000_000_000)

    yield Micro(
        name="landing file made, written, published",
        work=land,
        check=lambda is_published: is_published and Path(os.fsdecode(path)).read_bytes() == DATA,
    )
    yield Micro(
        name="walk: a file found",
        work=lambda: sum(1 for _ in walk(os.fsencode(tree) + b"/", follow_symlinks=False)),
        check=lambda count: count == BATCH,
        units=BATCH,
    )


@contextmanager
def all_micros() -> Iterator[list[Micro]]:
    """Every benchmark; their files go when the context ends."""
    from benchmarks.micro_supervisor import supervisor  # noqa: PLC0415 - it is made of this module's pieces

    memory = "/dev/shm"
    with (
        tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder,
        supervisor() as more,
    ):
        yield [*signatures(), *replies(), *messages(), *more, *files(Path(folder))]


def measure(micro: Micro, *, seconds: float = 0.05, repeats: int = 7) -> float:
    """Nanoseconds for one unit: the least of `repeats` loops of about `seconds` each."""
    started = time.perf_counter_ns()
    micro.work()
    calls = max(1, int(seconds * 1e9 / max(1, time.perf_counter_ns() - started)))
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter_ns()
        for _ in range(calls):
            micro.work()
        best = min(best, (time.perf_counter_ns() - started) / calls)
    return best / micro.units


def main() -> int:
    """Print a table, or with ``--json`` one object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.micro", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object: nanoseconds by name")
    parser.add_argument("only", nargs="*", help="measure those whose name contains one of these words")
    options = parser.parse_args()
    found = {}
    with all_micros() as micros:
        for micro in micros:
            if options.only and not any(word in micro.name for word in options.only):
                continue
            if not micro.check(micro.work()):
                sys.exit(f"{micro.name}: the result is wrong")
            found[micro.name] = measure(micro)
            if not options.json:
                print(f"{found[micro.name]:10,.0f} ns  {micro.name}", flush=True)
    if options.json:
        print(json.dumps({name: round(value, 1) for name, value in found.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
