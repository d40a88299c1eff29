"""Listings of a service that takes its time, by the installed command: many stretches at once, each key once."""

from __future__ import annotations

import asyncio
import re

import pytest

from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from orbit_fast.testing.blob import Content
from orbit_fast.testing.seams import Seams
from tests.kit.command import Orbit
from tests.kit.gate import Gate
from tests.kit.servers import ACCESS_KEY
from tests.kit.servers import SECRET_KEY
from tests.kit.servers import Endpoint

pytestmark = pytest.mark.slow

PAGE = 25
PAGE_S = 0.03
KEYS = sorted([f"data/{number // 50:02}/{number:05}.bin" for number in range(1000)] + ["data", "data2/x", "dat", "z"])


class Service:
    """A server whose pages take `PAGE_S`.

    Attributes:
        most: pages that were on their way at one time.
        failing: pages from this key on are cut.
    """

    def __init__(self):
        self.most = self._now = 0
        self.failing = ""
        self.server = S3Server(
            settings=ServerSettings(max_page_keys=PAGE), access_key=ACCESS_KEY, secret_key=SECRET_KEY, intercept=Gate()
        )
        self.server.seams = Seams(revise=self._revise)
        self.server.store.create_bucket("bkt")
        for key in KEYS:
            self.server.store.put("bkt", key, b"12")

    async def _revise(self, request, response):
        if request.operation != "ListObjectsV2":
            return response
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(PAGE_S)  # it takes its time: the subject of this file
        self._now -= 1
        if self.failing and f"<Key>{self.failing}".encode() in response.body.read():
            response.body = Content.of(response.body.read()[:-100])
        return response


@pytest.fixture
def service():
    """A slow service with keys in directories, and beside them."""
    service = Service()
    with service.server:
        yield service


def test_ls_du_rm(service):
    """Orbit ls -R; du; ls with a wildcard; rm -R; and each of them where one page is cut."""
    orbit = Orbit(Endpoint(kind="embedded", url=service.server.url).environment)
    meant = [key for key in KEYS if key == "data" or key.startswith("data/")]
    shown = orbit("ls", "-R", "--json", "s3://bkt/data").expect(0)
    assert [event["key"] for event in shown.done] == [f"s3://bkt/{key}" for key in meant]
    assert service.most >= 8
    (sums,) = orbit("du", "--json", "s3://bkt").expect(0).done
    assert (sums["count"], sums["size"]) == (len(KEYS), 2 * len(KEYS))
    shown = orbit("ls", "s3://bkt/d*7.bin").expect(0)
    assert [line.split()[-1] for line in shown.lines] == [key for key in KEYS if key.endswith("7.bin")]

    service.failing = "data/17/0087"
    for verb in (["ls", "-R"], ["du"], ["rm", "-R"]):
        failed = orbit(*verb, "--retry-attempts", "1", "s3://bkt/data")
        assert failed.code == 2
        assert re.search(r"ERROR .*: E_\w+: ", failed.errors[-1]), failed.errors
        assert (verb != ["du"]) or failed.out == b""
    left = service.server.store.keys("bkt")
    assert {"data2/x", "dat", "z", *[key for key in KEYS if key.startswith(service.failing)]} <= {*left}

    service.failing = ""
    gone = orbit("rm", "-R", "--json", "s3://bkt/data").expect(0)
    assert gone.summary["files_deleted"] == len(set(left) & set(meant))
    assert service.server.store.keys("bkt") == sorted({*KEYS} - {*meant})
