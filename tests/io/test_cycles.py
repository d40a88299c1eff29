"""What has ended is gone at once: no request, no bytes of one, waits for the collector that looks for cycles.

That one counts objects, not bytes: a worker that lasts for days gathered hundreds of megabytes before it had a look.
"""

from __future__ import annotations

import pytest

from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.model import Request
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.flow import Call
from orbit_fast.io.run import Run
from orbit_fast.io.sinks import FileSink
from orbit_fast.io.sources import SourceFile
from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from tests.kit import faults_actions as act
from tests.kit.cycles import left_to_the_collector
from tests.kit.faults import ALWAYS
from tests.kit.faults import Injector
from tests.kit.faults import Rule
from tests.kit.lane_bench import DATA
from tests.kit.lane_bench import MD5
from tests.kit.lane_bench import Bench
from tests.kit.lane_bench import Service
from tests.kit.lane_bench import fault
from tests.kit.lane_bench import good_get
from tests.kit.lane_bench import good_put
from tests.kit.lane_bench import head
from tests.kit.lane_bench import then_close
from tests.kit.small_job import SmallJob
from tests.kit.wire import drive

OF_REQUESTS = (Item, Request, Call, Exchange, Run, FileSink, SourceFile)
"""What there is for each object or request; a client, or a server of a test, may well be a cycle when it ends."""

BOTH = {
    "denied": fault("403 No", "AccessDenied"),
    "an error": fault("500 No", "InternalError"),
    "closed": then_close(),
    "reset": then_close(reset=True),
    "half a head": then_close(b"HTTP/1.1 200 OK\r\nETa"),
    "nonsense": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
}
ODD = {
    Direction.UPLOAD: BOTH
    | {
        "no ETag": head("Content-Length: 0"),
        "another checksum": head(f'ETag: "{MD5}"', "x-amz-checksum-crc32c: AAAAAA==", "Content-Length: 0"),
        "two lengths": good_put("Content-Length: 1"),
    },
    Direction.DOWNLOAD: BOTH
    | {
        "other bytes": good_get(body=bytes(len(DATA))),
        "another ETag": good_get(etag="0" * 32),
        "cut": then_close(good_get()[:-5]),
    },
}


def item_of(direction, directory):
    """A small object."""
    name = directory / "k.txt"
    if direction is Direction.UPLOAD:
        name.write_bytes(DATA)
        return Item(7, direction, 0, "k.txt", bytes(name), size=len(DATA))
    return Item(7, direction, 0, "k.txt", bytes(name), bytes(directory), len(DATA), etag=MD5)


def test_a_cycle_of_ours_would_be_seen():
    """And what is used is not taken for one."""
    with left_to_the_collector(*OF_REQUESTS) as found:
        kept = Call(request=Request(operation="HeadObject", method="HEAD"), site=0)
        lost = Call(request=Request(operation="HeadObject", method="HEAD"), site=0)
        lost.check = [lost].append
        del lost
    assert found == {"Call"}
    assert kept.check is None


@pytest.mark.slow
@pytest.mark.parametrize("has_lane", [True, False], ids=["on the lane", "beside it"])
@pytest.mark.parametrize("direction", ODD, ids=lambda direction: direction.name)
def test_nothing_of_a_small_object_stays(tmp_path, direction, has_lane):
    """Whatever the service does, once or to the bitter end."""

    async def play(odd, times):
        async with Bench(tmp_path, Service(odd, times=times), has_lane=has_lane) as bench:
            with left_to_the_collector(*OF_REQUESTS) as found:
                bench.start(item_of(direction, tmp_path))
                await bench.until()
                bench.ends.clear()
        return found

    left = {(name, times): drive(play(odd, times)) for name, odd in ODD[direction].items() for times in (1, ALWAYS)}
    assert {case: found for case, found in left.items() if found} == {}


FAULTS = (
    act.error(code="AccessDenied", status=403),
    act.error(code="InternalError", status=500),
    act.reset(),
    act.lose_reply(),
)
OF_BODIES = (act.cut(keep=100), act.flip())
WORK = {
    "upload": "CreateMultipartUpload UploadPart CompleteMultipartUpload",
    "download": "GetObject",
    "copy": "UploadPartCopy CompleteMultipartUpload HeadObject",
    "listing": "ListObjectsV2",
}


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, ALWAYS], ids=["once", "always"])
@pytest.mark.parametrize("work", WORK)
def test_nothing_of_a_large_object_stays(tmp_path, work, times):
    """Its parts and their beginning and end, and the pages it was found on."""
    (tmp_path / "down").mkdir()
    (tmp_path / "source").write_bytes(bytes(3000))

    async def play(server, bucket):
        job = SmallJob(server, bucket, part_size=1200)
        if work == "upload":
            job.upload(tmp_path / "source", "k")
        elif work == "copy":
            job.copy("p/there", "k")
        else:
            job.download("p/" if work == "listing" else "p/there", tmp_path / "down")
        with left_to_the_collector(*OF_REQUESTS) as found:
            await job.run()
        return found

    server = S3Server(settings=ServerSettings(min_part_size=1))
    plan = Injector(server)
    left, faults = {}, FAULTS + OF_BODIES if work == "download" else FAULTS
    with server:
        for number, action in enumerate(faults):
            bucket = f"b-{number}"
            server.store.create_bucket(bucket)
            server.store.put(bucket, "p/there", bytes(3000))
            plan.add(Rule(action=action, operation=WORK[work], bucket=bucket, times=times))
            left[action.name, number] = drive(play(server, bucket))
    assert {case: found for case, found in left.items() if found} == {}
    assert plan.fired
