"""Listings whose stretches are fetched side by side, from a server: what ``ls``, ``du`` and ``rm`` make of them."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from orbit_fast.io import parallel_pages
from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from orbit_fast.testing.blob import Content
from orbit_fast.testing.seams import Seams
from tests.kit.task_run import do

LISTS = {"ListObjects", "ListObjectsV2"}
VERSIONS = pytest.mark.parametrize("version", [{}, {"use_list_objects_v1": True}], ids=["v2", "v1"])
PAGE = 20
COUNT = 600
ODD = ("a b", "a+b", "a%2Fb", "é", "\U0001f600", "~", "<&>'\"", "\x01", "x\r\n", "//", "/")
SHAPES = {
    "flat": [f"{number:06}" for number in range(COUNT)],
    "deep": [f"{number // 400}/{number // 40}/{number // 4}/{number}" for number in range(COUNT)],
    "mixed": [
        hashlib.md5(b"%d" % number).hexdigest()[: 4 + number % 20] if number % 2 else f"logs/2026/{number:05}.gz"
        for number in range(COUNT)
    ],
    "odd": [f"{ODD[number % len(ODD)]}{number // len(ODD):03}{ODD[number % 7]}" for number in range(COUNT)],
}


@pytest.fixture(autouse=True)
def _every_service_is_slow(monkeypatch):
    monkeypatch.setattr(parallel_pages, "SLOW_S", 0.0)


class Service:
    """A server that may do something to every listing, and counts them.

    Attributes:
        before: sees a request before its operation.
        after: sees the body of the answer, and gives it: another one, or status and body.
    """

    def __init__(self, *, page=PAGE):
        self.before = lambda _: None
        self.after = lambda _, body: body
        self.asked = []
        self.server = S3Server(settings=ServerSettings(max_page_keys=page), intercept=self._intercept)
        self.server.seams = Seams(revise=self._revise)
        self.store = self.server.store
        self.store.create_bucket("b")

    async def _intercept(self, request):
        if request.operation in LISTS:
            self.asked.append(dict(request.query))
            self.before(request)

    async def _revise(self, request, response):
        if request.operation in LISTS and response.status == 200:
            body = response.body.read()
            made = self.after(request, body)
            status, made = made if isinstance(made, tuple) else (200, made)
            if (status, made) != (200, body):
                response.status, response.body = status, Content.of(made)
                response.headers = [("Content-Type", "application/xml")]
        return response

    def fill(self, keys):
        """Have exactly these."""
        del self.store.buckets["b"]
        self.store.create_bucket("b")
        for key in keys:
            self.store.put("b", key, b"")

    @property
    def keys(self):
        """What is there now."""
        return self.store.keys("b")

    @property
    def ranges(self):
        """How many stretches were begun. A marker may also be the last key of the page before."""
        markers = {query.get("marker", "") for query in self.asked}
        begun = [query for query in self.asked if "continuation-token" not in query and "marker" not in query]
        return len(begun) + len(markers - {"", *self.keys})


@pytest.fixture
def service():
    """A server with small pages."""
    service = Service()
    with service.server:
        yield service


def listed(came):
    """The keys of a listing that succeeded."""
    assert came.error is None, came.error
    return [event["key"].removeprefix("s3://b/") for event in came.events]


@pytest.mark.slow
@VERSIONS
@pytest.mark.parametrize("shape", SHAPES)
def test_every_key_once_and_in_order(service, tmp_path, shape, version):
    """However keys look: ``ls`` shows them in order, ``du`` counts each, and many stretches were listed for it."""
    keys = SHAPES[shape]
    service.fill(keys)
    came = do(service.server, tmp_path, "ls", "s3://b", recursive=True, json=True, **version)
    assert listed(came) == sorted(set(keys))
    assert service.ranges > 4
    assert len(service.asked) < 5 * COUNT / PAGE
    service.asked.clear()
    (line,) = do(service.server, tmp_path, "du", "s3://b", **version).lines
    assert f" {len(set(keys))} objects" in line
    assert service.ranges > 4
    assert {"list-type" in query for query in service.asked} == {not version}


@pytest.mark.slow
@given(
    keys=st.sets(st.text(alphabet="019afz/~é\U0001f600+ ", min_size=1, max_size=5), max_size=50), page=st.integers(1, 4)
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_keys(tmp_path, keys, page):
    """Whatever there is and however small pages are: the listing, and nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel_pages, "SLOW_S", 0.0)
        service = Service(page=page)
        with service.server:
            service.fill(keys)
            assert listed(do(service.server, tmp_path, "ls", "s3://b", recursive=True, json=True)) == sorted(keys)
            (line,) = do(service.server, tmp_path, "du", "s3://b").lines
            assert f" {len(keys)} objects" in line


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_few_pages_are_fetched_page_by_page(service, tmp_path, pages):
    """A short listing costs the requests that it has pages."""
    service.fill(SHAPES["flat"][: pages * PAGE])
    assert len(listed(do(service.server, tmp_path, "ls", "s3://b", recursive=True, json=True))) == pages * PAGE
    assert ["start-after" in query for query in service.asked] == [False] * pages


@pytest.mark.parametrize("options", [{"recursive": True, "all_versions": True}, {}])
def test_what_is_listed_page_by_page(service, tmp_path, options):
    """Versions, and what a directory holds."""
    service.fill([f"{number:05}" for number in range(200)])
    came = do(service.server, tmp_path, "ls", "s3://b", **options)
    assert came.error is None
    assert len(came.lines) == 200
    assert service.ranges <= 1
    log = [entry.operation for entry in service.store.log]
    assert sum(name.startswith("ListObject") for name in log) == 200 / PAGE


def _at_the_beginning(query, name):
    del query[name]


def _at_the_end(query, name):
    query[name] = "\U0010ffff"


def _a_key_later(query, name):
    query[name] = next(key for key in sorted(SHAPES["mixed"]) if key > query[name])


STRANGE = {"beginning": _at_the_beginning, "end": _at_the_end, "a key later": _a_key_later}


@pytest.mark.slow
@VERSIONS
@pytest.mark.parametrize("where", STRANGE)
def test_a_service_that_does_not_begin_where_it_is_told_to(service, tmp_path, where, version):
    """Where no key is called what a listing is to begin after: that is found out, and it is listed page by page."""
    service.fill(SHAPES["mixed"])
    name = "marker" if version else "start-after"

    def before(request):
        if name in request.query and request.query[name] not in service.keys:
            STRANGE[where](request.query, name)

    service.before = before
    came = do(service.server, tmp_path, "ls", "s3://b", recursive=True, json=True, **version)
    assert listed(came) == sorted(SHAPES["mixed"])
    assert len(service.asked) <= COUNT / PAGE + 3


@VERSIONS
def test_a_service_that_does_not_sort_is_not_believed(service, tmp_path, version):
    """Nor is anything deleted where pages are in order, and keys on them are not."""
    service.fill(SHAPES["flat"])
    service.after = _backwards
    for verb in ("ls", "rm"):
        came = do(service.server, tmp_path, verb, "s3://b", recursive=True, **version)
        assert came.error.code == "E_BAD_LISTING"
        assert came.out == b""
    assert service.keys == SHAPES["flat"]


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["flat", "mixed"])
def test_keys_that_come_and_go_meanwhile(service, tmp_path, shape):
    """What was there all the time is listed once; nothing is listed twice, and nothing that never was."""
    keys = sorted(SHAPES[shape])
    stays, goes, comes = keys[::3], keys[1::3], keys[2::3]
    service.fill(stays + goes)
    leaving, coming = goes[::-1], list(comes)

    def change(_):
        for _ in range(5):
            if leaving and coming:
                service.store.buckets["b"].remove(leaving.pop(), 0)
                service.store.put("b", coming.pop(0), b"")

    service.before = change
    found = listed(do(service.server, tmp_path, "ls", "s3://b", recursive=True, json=True))
    assert found == sorted(set(found))
    assert set(stays) <= set(found) <= set(keys)
    assert service.ranges > 4


# --- faults -----------------------------------------------------------------------------------------------------------


def _without_token(request, body):
    return re.sub(rb"<NextContinuationToken>.*?</NextContinuationToken>", b"", body)


def _same_token(request, body):
    token = request.query.get("continuation-token", "").encode()
    again = b"<IsTruncated>true</IsTruncated><NextContinuationToken>" + token + b"</NextContinuationToken>"
    body = _without_token(request, body).replace(b"<IsTruncated>true</IsTruncated>", b"")
    return body.replace(b"<IsTruncated>false</IsTruncated>", b"").replace(b"<Contents>", again + b"<Contents>", 1)


def _backwards(request, body):
    entries = re.findall(rb"<Contents>.*?</Contents>", body)
    return body.replace(b"".join(entries), b"".join(entries[::-1]))


FAULTS = {
    "cut": lambda request, body: body[: len(body) // 2],
    "empty": lambda request, body: b"",
    "web page": lambda request, body: b"<html><body>Please log in</body></html>",
    "slow down": lambda request, body: (503, b"<Error><Code>SlowDown</Code><Message>no</Message></Error>"),
    "denied": lambda request, body: (403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"),
    "no token": _without_token,
    "same token": _same_token,
    "backwards": _backwards,
    "wrong count": lambda request, body: re.sub(rb"<KeyCount>\d+", b"<KeyCount>7", body),
    "not said whether more": lambda request, body: re.sub(rb"<IsTruncated>.*?</IsTruncated>", b"", body),
    "another prefix": lambda request, body: body.replace(b"<Key>", b"<Key>x", 1),
}


def _break(service, fault, number):
    """Let a page fail, again and again: the first from the `number`th request on that this can be done to."""
    broken = []

    def after(request, body):
        usable = b"<Contents>" in body and b"<NextContinuationToken>" in body and "continuation-token" in request.query
        if not broken and len(service.asked) >= number and usable:
            broken.append(dict(request.query))
        return FAULTS[fault](request, body) if broken and dict(request.query) == broken[0] else body

    service.after = after
    return broken


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "number"), [*zip(FAULTS, [9, 13, 17] * 4, strict=False), ("cut", 24)])
def test_one_page_that_fails_is_the_listings_failure(service, tmp_path, fault, number):
    """Whatever stretch it is of: ``ls`` shows what came before it, ``du`` no sum, ``rm`` fails and deletes no other."""
    keys = [f"in/{key}" for key in sorted(SHAPES["deep"])]
    service.fill([*keys, "in.txt", "ina", "j"])
    broken = _break(service, fault, number)
    came = do(service.server, tmp_path, "ls", "s3://b/in/", recursive=True, json=True)
    assert broken
    assert came.error is not None
    assert came.error.attempts <= 3
    shown = [event["key"].removeprefix("s3://b/") for event in came.events]
    assert shown == keys[: len(shown)]
    assert len(shown) < len(keys)
    service.asked.clear()
    broken.clear()
    came = do(service.server, tmp_path, "du", "s3://b/in/")
    assert (came.error is not None, came.out) == (True, b"")
    service.asked.clear()
    broken.clear()
    came = do(service.server, tmp_path, "rm", "s3://b/in/", recursive=True)
    assert came.error is not None
    assert {"in.txt", "ina", "j"} < set(service.keys)


def test_a_stretch_that_cannot_begin_later_is_a_failure(service, tmp_path):
    """A service that heeded the key to begin after, and then does not, contradicts itself."""
    service.fill(SHAPES["mixed"])

    def before(request):
        if len(service.asked) > 8:
            request.query.pop("start-after", None)

    service.before = before
    came = do(service.server, tmp_path, "ls", "s3://b", recursive=True)
    assert came.error.code == "E_LIST_START"


# --- rm ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "options", "is_meant"),
    [
        ("s3://b/logs/", {"recursive": True}, lambda key: key.startswith("logs/")),
        ("s3://b/logs", {"recursive": True}, lambda key: key == "logs" or key.startswith("logs/")),
        ("s3://b/*7*", {}, lambda key: "7" in key),
        ("s3://b", {"recursive": True, "exclude": ("*3*",)}, lambda key: "3" not in key),
        ("s3://b", {"recursive": True, "dry_run": True}, lambda key: False),
    ],
)
def test_rm_deletes_what_is_meant(service, tmp_path, argument, options, is_meant):
    """All of it and nothing else, while stretches are listed side by side and keys disappear under them."""
    keys = sorted({*SHAPES["mixed"], "logs", "logs2/x", "log"})
    service.fill(keys)
    came = do(service.server, tmp_path, "rm", argument, **options)
    assert came.error is None
    assert service.ranges > 3
    assert service.keys == [key for key in keys if not is_meant(key)]
    if options.get("dry_run"):
        assert came.lines == [f"(dry run) rm s3://b/{key}" for key in keys]
    else:
        assert sorted(came.lines) == sorted(f"rm s3://b/{key}" for key in keys if is_meant(key))
    assert all(tallied.failed == 0 for tallied in came.tallied)
