"""Bad weather at the load target: late replies, stalls and refusals, as many as were ordered; and a link of its own."""

from __future__ import annotations

import concurrent.futures
import http.client
import shutil
import statistics
import sys
import time
from urllib.parse import urlsplit

import pytest

from benchmarks.link import LinkedTarget
from benchmarks.link import NoLink
from benchmarks.link import why_not
from benchmarks.target import LoadTarget
from benchmarks.target import Weather

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None or sys.platform != "linux", reason="needs a C compiler and Linux"),
]
CALM = {"latency_ms": 0.0, "stall_share": 0.0, "error_share": 0.0}


def ask(url: str, count: int) -> list[tuple[int, float]]:
    """Statuses and seconds of `count` requests over one connection."""
    found = []
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    for _ in range(count):
        started = time.monotonic()
        connection.request("GET", "/b/synth/10/1/0000/0000000.bin")
        reply = connection.getresponse()
        reply.read()
        found.append((reply.status, time.monotonic() - started))
    connection.close()
    return found


def test_replies_are_late_by_about_what_was_ordered():
    """The median delay is the one that was asked for, on many connections at once, and delays differ."""
    with (
        LoadTarget(weather=Weather(**(CALM | {"latency_ms": 200.0, "sigma": 0.3}))) as target,
        concurrent.futures.ThreadPoolExecutor(8) as pool,
    ):
        found = [one for many in pool.map(lambda _: ask(target.url, 6), range(8)) for one in many]
    delays = sorted(seconds for _, seconds in found)
    assert {status for status, _ in found} == {200}
    assert 0.14 < statistics.median(delays) < 0.6
    assert delays[0] < 0.9 * statistics.median(delays)


def test_shares_are_refused_and_stalled():
    """As many 503 and as many stalls as ordered, roughly; what is refused says why; the counters are never late."""
    weather = Weather(**(CALM | {"error_share": 0.5, "stall_share": 0.1, "stall_ms": 200.0}))
    with LoadTarget(weather=weather) as target:
        found = ask(target.url, 100)
        target.counters()
    assert 25 < sum(status == 503 for status, _ in found) < 75
    assert 1 <= sum(seconds > 0.18 for _, seconds in found) < 40


def test_a_client_that_leaves_while_its_reply_waits_is_forgotten():
    """Its reply is dropped when it is due, and the target serves on."""
    with LoadTarget(weather=Weather(**(CALM | {"latency_ms": 60.0, "sigma": 0.0}))) as target:
        for _ in range(5):
            connection = http.client.HTTPConnection(urlsplit(target.url).netloc, timeout=10)
            connection.request("GET", "/b/synth/10/1/0000/0000000.bin")
            connection.close()
        assert [status for status, _ in ask(target.url, 2)] == [200, 200]
        assert target.counters()["open"] == 1


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
def test_a_link_has_its_rate():
    """A client in the one namespace reaches the target in the other; nothing of it is left behind."""
    try:
        with LinkedTarget(rate=1_000_000_000) as target:
            assert target.counters()["connections"] == 1
            assert target.client_prefix[:3] == ("ip", "netns", "exec")
    except NoLink as reason:
        pytest.skip(str(reason))
    with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
        http.client.HTTPConnection(urlsplit(target.url).netloc, timeout=0.2).connect()
