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
from tests.kit.servers import ACCESS_KEY
from tests.kit.servers import SECRET_KEY
from tests.kit.servers import Endpoint

pytestmark = pytest.mark.slow

PAGE = 25
PAGE_S = 0.03
MANY = 8
LATE_S = 0.4
"""What the first pages take, until `MANY` have been on their way at one time: enough for whoever asks for as many."""
LATE = 3 + MANY
"""How many those are at most: with the first three it is found out that pages take their time."""
KEYS = sorted([f"data/{number // 50:02}/{number:05}.bin" for number in range(1000)] + ["data", "data2/x", "dat", "z"])


class Service:
    """A server whose pages take their time.

    Attributes:
        most: pages that were on their way at one time.
        late: pages that are still to take longer.
        failing: pages with keys that begin so are cut.
        strange: where no key is called what a listing is to begin after, it begins behind all keys.
    """

    def __init__(self):
        self.most = self._now = 0
        self.late = LATE
        self.failing = ""
        self.strange = False
        self.server = S3Server(
            settings=ServerSettings(max_page_keys=PAGE),
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            intercept=self._before,
        )
        self.server.seams = Seams(revise=self._revise)
        self.server.store.create_bucket("bkt")
        for key in KEYS:
            self.server.store.put("bkt", key, b"12")

    async def _before(self, request):
        name = "marker" if request.operation == "ListObjects" else "start-after"
        if self.strange and request.query.get(name, "data") not in KEYS:
            request.query[name] = "\U0010ffff"

    async def _revise(self, request, response):
        if request.operation not in {"ListObjects", "ListObjectsV2"}:
            return response
        self._now += 1
        self.most = max(self.most, self._now)
        is_late = self.late > 0 and self.most < MANY
        self.late -= is_late
        await asyncio.sleep(LATE_S if is_late else PAGE_S)  # it takes its time: the subject of this file
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
    assert service.most >= MANY
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


def test_cp_and_sync(service, tmp_path):
    """Orbit cp -R, from two sources at once too; sync --delete with ListObjects; each of them where a page is cut."""
    orbit = Orbit(Endpoint(kind="embedded", url=service.server.url).environment)
    meant = [key for key in KEYS if key == "data" or key.startswith("data/")]
    planned = orbit("cp", "-R", "--dry-run", "--json", "s3://bkt/data", "s3://bkt/new/").expect(0)
    assert sorted(event["source"] for event in planned.done) == [f"s3://bkt/{key}" for key in meant]  # by two workers
    assert service.most >= MANY
    sources = [f"s3://bkt/data/{half}*" for half in (0, 1)]
    done = orbit("cp", "--json", *sources, str(tmp_path / "all")).expect(0)
    assert done.summary["files_copied"] == len(KEYS) - 4

    service.failing = "data/17/0087"
    failed = orbit("cp", "-R", "--retry-attempts", "1", "s3://bkt/data/", str(tmp_path / "some"))
    assert failed.code == 2
    assert not (tmp_path / "some/17/00870.bin").exists()
    down = ("sync", "--delete", "--use-list-objects-v1", "--retry-attempts", "1", "s3://bkt/data/", tmp_path / "all")
    assert orbit(*down).code == 2
    assert len([*(tmp_path / "all").rglob("*.bin")]) == len(KEYS) - 4

    service.failing = ""
    for service.strange in (False, True):
        service.most, service.late = 0, 0 if service.strange else LATE
        done = orbit(*down, "--json").expect(0)
        assert (done.summary["files_copied"], done.summary["files_deleted"]) == (0, 0)
        assert (service.most >= MANY) is not service.strange
