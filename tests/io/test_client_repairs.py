"""What the client repairs: expired credentials, a wrong clock, a bucket in another region."""

from __future__ import annotations

import asyncio
import email.utils

import msgspec
import pytest

from orbit_fast.core.errors import ClockSkew
from orbit_fast.core.errors import ExpiredCredentials
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import WrongRegion
from tests.kit.client_bench import EXPIRED
from tests.kit.client_bench import GOOD
from tests.kit.client_bench import KEYS
from tests.kit.client_bench import NEW_KEYS
from tests.kit.client_bench import Bench
from tests.kit.client_bench import error
from tests.kit.client_bench import put
from tests.kit.client_bench import replies
from tests.kit.clock import FakeClock
from tests.kit.wire import Peer
from tests.kit.wire import WireServer
from tests.kit.wire import drive


def test_expired_credentials_are_asked_for_once_and_all_who_wait_go_on():
    """Ten requests meet the expiry; one question is asked; all are signed anew and succeed."""
    seen = []

    async def strict(peer: Peer):
        while True:
            received = await peer.request()
            seen.append(received)
            if "AKIANEW" in received.headers["authorization"]:
                peer.reply()
            else:
                peer.reply(EXPIRED[1], status=EXPIRED[0])

    async def main():
        async with Bench(strict) as bench:
            performing = [asyncio.ensure_future(bench.client.perform(put())) for _ in range(10)]
            while len(bench.client._parked.get(0, ())) < 10:  # noqa: ASYNC110 - nothing else announces it
                await asyncio.sleep(0)
            assert bench.told.expired == [(0, "AKIAOLD")]
            bench.client.set_identity(0, NEW_KEYS)
            assert await asyncio.gather(*performing) == [(200, 2)] * 10
            assert await bench.client.perform(put()) == (200, 1)

    drive(main())
    assert len(seen) == 21
    assert seen[-1].headers["x-amz-security-token"] == "new-token"


def test_the_same_credentials_again_end_the_wait():
    """Asking the service again would not help."""
    script = replies(EXPIRED)

    async def main():
        async with Bench(script) as bench:
            performing = asyncio.ensure_future(bench.client.perform(put()))
            while not bench.told.expired:  # noqa: ASYNC110 - nothing else announces it
                await asyncio.sleep(0)
            bench.client.set_identity(0, KEYS)
            with pytest.raises(ExpiredCredentials):
                await performing

    drive(main())
    assert len(script.seen) == 1


def test_fresh_credentials_that_are_expired_too_are_a_failure():
    """The repair is made once a request."""

    async def main():
        async with Bench(replies(EXPIRED)) as bench:
            performing = asyncio.ensure_future(bench.client.perform(put()))
            while not bench.told.expired:  # noqa: ASYNC110 - nothing else announces it
                await asyncio.sleep(0)
            bench.client.set_identity(0, NEW_KEYS)
            with pytest.raises(ExpiredCredentials):
                await performing
            assert len(bench.told.expired) == 1

    drive(main())


def test_nobody_waits_for_credentials_for_ever():
    """When none come, the request fails with what the service said."""

    async def main():
        async with Bench(replies(EXPIRED)) as bench:
            ended = []
            run = bench.client.run(put(), ended.append)
            while not bench.told.expired:  # noqa: ASYNC110 - nothing else announces it
                await asyncio.sleep(0)
            assert 59 < run._timer.when() - bench.client.loop.time() < 60.001
            run._credentials_late()
            assert isinstance(ended[0], ExpiredCredentials)

    drive(main())


@pytest.mark.parametrize("skew_s", [-7200.0, 900.0, 86_400.0 * 400])
def test_a_wrong_clock_is_set_by_the_service_and_stays_so(skew_s):
    """The next request needs no repair."""

    async def main():
        answers: list[tuple[str, bytes, str]] = []
        script = replies(("200 OK", b"", ""))
        async with Bench(script) as bench:
            date = email.utils.formatdate(bench.clock.unix_s + skew_s, usegmt=True)
            answers += [("403 Forbidden", error("RequestTimeTooSkewed"), f"date: {date}\r\n"), GOOD]
            script.seen.clear()
        async with Bench(replies(*answers)) as bench:
            assert await bench.client.perform(put()) == (200, 2)
            assert bench.clock.offset_s == pytest.approx(skew_s, abs=1)
            assert await bench.client.perform(put()) == (200, 1)

    drive(main())


@pytest.mark.parametrize("date", ["", "date: yesterday\r\n", "same"])
def test_a_skew_that_cannot_be_repaired_is_a_failure(date):
    """No date, no readable date, or a date that equals ours."""
    script = replies(("403 Forbidden", error("RequestTimeTooSkewed"), ""))

    async def main():
        async with Bench(script) as bench:
            with pytest.raises(ClockSkew):
                await bench.client.perform(put())

    if date == "same":
        date = f"date: {email.utils.formatdate(FakeClock().unix_s, usegmt=True)}\r\n"
    script = replies(("403 Forbidden", error("RequestTimeTooSkewed"), date))
    drive(main())
    assert len(script.seen) == 1


MOVED = ("301 Moved Permanently", error("PermanentRedirect"), "x-amz-bucket-region: eu-central-1\r\n")


def test_a_bucket_elsewhere_is_signed_for_its_region_at_the_same_host():
    """A custom endpoint keeps its host; the region is remembered and told."""
    script = replies(MOVED, GOOD)

    async def main():
        async with Bench(script) as bench:
            assert await bench.client.perform(put()) == (200, 2)
            assert await bench.client.perform(put()) == (200, 1)
            assert [site.endpoint.region for site in bench.told.found] == ["eu-central-1"]
            assert bench.told.asked == []

    drive(main())
    regions = [received.headers["authorization"].split("/")[2] for received in script.seen]
    assert regions == ["us-east-1", "eu-central-1", "eu-central-1"]


@pytest.mark.parametrize("is_known", [True, False])
def test_at_aws_another_region_is_another_host(is_known):
    """Which somebody else must know; nobody follows the service's own pointer."""
    second = replies(GOOD)

    async def main():
        async with WireServer([second]) as there, Bench(replies(MOVED), is_custom=False) as bench:
            if is_known:
                endpoint = msgspec.structs.replace(bench.site.endpoint, port=there.port, region="eu-central-1")
                bench.told.answer = msgspec.structs.replace(bench.site, endpoint=endpoint)
                assert await bench.client.perform(put()) == (200, 2)
            else:
                with pytest.raises(WrongRegion):
                    await bench.client.perform(put())
            assert bench.told.asked == ["eu-central-1"]
            bench.client.close()
            await bench.client.wait_closed()

    drive(main())
    assert len(second.seen) == int(is_known)


def test_a_region_that_changes_nothing_is_not_tried_again():
    """A service that names the region we signed for would send us in circles."""
    script = replies(("301 Moved Permanently", error("PermanentRedirect"), "x-amz-bucket-region: us-east-1\r\n"))

    async def main():
        async with Bench(script) as bench:
            with pytest.raises(S3Error):
                await bench.client.perform(put())

    drive(main())
    assert len(script.seen) == 1


def test_a_redirect_is_never_followed():
    """The other host hears nothing."""
    second = replies(GOOD)

    async def main():
        async with WireServer([second]) as there:
            location = f"location: http://127.0.0.1:{there.port}/b/k\r\n"
            async with Bench(replies(("307 Temporary Redirect", error("TemporaryRedirect"), location))) as bench:
                with pytest.raises(S3Error) as caught:
                    await bench.client.perform(put())
                assert not caught.value.is_retryable()
            assert there.accepted == 0

    drive(main())
