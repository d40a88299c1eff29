"""The session: credentials that are found, renewed and refused; memory that is waited for; flows that are ended."""

from __future__ import annotations

import asyncio
import time

import pytest

from orbit_fast import AccessDenied
from orbit_fast import Authentication
from orbit_fast import S3Client
from orbit_fast import S3Config
from orbit_fast.client.memory import Slots
from orbit_fast.testing import Identity
from tests.kit.library import PART
from tests.kit.library import on_loop
from tests.kit.library import opened
from tests.kit.library import stored

FIRST, SECOND = ("AKIDFIRST", "first-secret"), ("AKIDSECOND", "second-secret")


def _write(path, keys) -> None:
    path.write_text(f"[default]\naws_access_key_id = {keys[0]}\naws_secret_access_key = {keys[1]}\n")


@pytest.fixture
def file_config(server, tmp_path):
    """A client whose credentials stand in a file, which holds the first pair; the server knows both."""
    for access_key, secret_key in (FIRST, SECOND):
        server.identities[access_key] = Identity(access_key=access_key, secret_key=secret_key)
    path = tmp_path / "credentials"
    _write(path, FIRST)
    yield S3Config("held", endpoint=server.url, region="us-east-1", credentials_file=path)
    for access_key, _ in (FIRST, SECOND):
        del server.identities[access_key]


def test_credentials_that_expired_are_looked_for_again(server, file_config):
    """All calls wait for the new ones, and succeed."""

    async def main():
        async with S3Client(file_config) as client:
            await client.upload_bytes(b"x", "k0")
            _write(file_config.credentials_file, SECOND)
            server.identities[FIRST[0]] = Identity(access_key=FIRST[0], secret_key=FIRST[1], expires_at_s=1.0)
            await asyncio.gather(*(client.upload_bytes(b"x", f"k{number}") for number in range(1, 9)))

    on_loop(main())
    assert stored(server, "k8") == b"x"


def test_credentials_that_expired_for_good_end_the_call(server, file_config):
    """With the service's reason."""

    async def main():
        async with S3Client(file_config) as client:
            await client.upload_bytes(b"x", "k0")
            file_config.credentials_file.unlink()
            server.identities[FIRST[0]] = Identity(access_key=FIRST[0], secret_key=FIRST[1], expires_at_s=1.0)
            with pytest.raises(Authentication) as caught:
                await client.upload_bytes(b"x", "k1")
            assert caught.value.code == "ExpiredToken"

    on_loop(main())


def test_credentials_are_renewed_before_they_expire(server, file_config):
    """In the background: the call that sees it coming goes on with the old ones."""

    async def main():
        async with S3Client(file_config) as client:
            await client.exists("k")
            session = client._session
            old = session._credentials
            session._credentials = type(old)(*FIRST, expires_at_s=time.time() + 60)
            _write(file_config.credentials_file, SECOND)
            await client.exists("k")
            if session._search is not None:  # it may have been quicker than the call
                await asyncio.wait([session._search])
                await asyncio.sleep(0)
            assert session.credentials.access_key == SECOND[0]
            await client.exists("k")

    on_loop(main())


def test_no_credentials_is_one_clear_line(server, monkeypatch, tmp_path):
    """At the first call."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))

    async def main():
        async with S3Client(S3Config("held", endpoint=server.url, region="us-east-1")) as client:
            with pytest.raises(Authentication, match="no credentials found"):
                await client.exists("k")

    on_loop(main())


def test_many_first_calls_look_for_credentials_once(server, file_config, monkeypatch):
    """Beside each other."""
    looked = []
    from orbit_fast.io import credentials  # noqa: PLC0415 - to be watched

    resolve = credentials.resolve
    monkeypatch.setattr(credentials, "resolve", lambda *given: looked.append(given) or resolve(*given))

    async def main():
        async with S3Client(file_config) as client:
            await asyncio.gather(*(client.exists(f"k{number}") for number in range(20)))

    on_loop(main())
    assert len(looked) == 1


def test_anonymous_requests_are_not_signed(server):
    """And refused by a server that wants signatures; presigning makes no sense."""

    async def main():
        async with opened(server, access_key="", secret_key="", no_sign_request=True) as client:
            with pytest.raises(Exception, match="AccessDenied"):
                await client.list_objects()
            with pytest.raises(Exception, match="credentials"):
                await client.presign_get("k")

    on_loop(main())


def test_uploads_of_files_wait_for_memory(server, tmp_path):
    """More parts at once than there are slots: all arrive, and no more slots are made than were allowed."""
    path = tmp_path / "f"
    path.write_bytes(bytes(PART + 1))

    async def main():
        async with opened(server) as client:
            await client.exists("k")
            client._session.slots.limit = 2
            await asyncio.gather(*(client.upload_file(path, f"k{number}") for number in range(6)))
            assert len(client._session.slots._free) <= 2
            page = await client.list_objects()
            assert [found.size for found in page.objects] == [PART + 1] * 6

    on_loop(main())


def test_a_slot_that_is_given_back_goes_to_who_waits():
    """In turn; whoever is cancelled in between passes his turn on."""

    async def main():
        slots = Slots(1)
        first = slots.lease()
        assert slots.lease() is None
        taken = []

        async def take(name):
            await slots.wait_free()
            slot = slots.lease()
            assert slot is not None
            taken.append(name)
            return slot

        tasks = [asyncio.ensure_future(take(name)) for name in "abc"]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0)
        first.release()
        tasks[0].cancel()
        slot = await tasks[2]
        slot.release()
        assert taken == ["c"]
        assert slots.leased == 0
        assert repr(slots) == "<Slots 0 of 1 leased, 0 waiting>"

    on_loop(main())


def test_a_presigned_url_names_the_buckets_own_region(monkeypatch, server):
    """On AWS, where nobody has said which: the service is asked, and its refusal is an answer too."""
    asked = []

    async def main():
        config = S3Config("held", access_key="AKID", secret_key="secret")
        async with S3Client(config) as client:
            place = await client._place()

            async def do(flow, **_):
                call = next(flow)
                asked.append(call.request.operation)
                refusal = AccessDenied("no")
                refusal.region = "eu-central-1"
                try:
                    flow.throw(refusal)
                except StopIteration as stop:
                    return stop.value

            monkeypatch.setattr(place.session, "do", do)
            url = await client.presign_get("k")
            named = await client.detect_bucket_region()
            return url, named

    url, named = on_loop(main())
    assert url.startswith("https://held.s3.eu-central-1.amazonaws.com/k?")
    assert "eu-central-1%2Fs3" in url
    assert named == "eu-central-1"
    assert asked == ["HeadBucket", "HeadBucket"]
