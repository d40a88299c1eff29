"""The servers that must all pass the same tests unchanged: over HTTP, over TLS, and one that the environment names."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import pytest

from tests.kit import real_endpoint
from tests.kit.buckets import new_bucket
from tests.kit.command import Orbit
from tests.kit.servers import RUNNERS
from tests.kit.servers import Certificates


@dataclass(frozen=True, slots=True)
class Place:
    """Where a test may write: a bucket of its own, or what is below a prefix of its own in a bucket that is given.

    Attributes:
        bucket: the bucket.
        prefix: ``''``, or what ends in ``/``.
    """

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


@pytest.fixture(scope="session")
def start(tmp_path_factory):
    """Starts a server by kind and scheme, once each; all are ended with the session."""
    certificates = Certificates.issue(tmp_path_factory.mktemp("tls"))
    running = {}
    with contextlib.ExitStack() as stack:

        def start(kind, scheme="http"):
            if kind == real_endpoint.KIND:
                reason = real_endpoint.why_not()
                if reason:
                    pytest.skip(reason)
                return real_endpoint.real_endpoint()
            if (kind, scheme) not in running:
                directory = tmp_path_factory.mktemp(f"{kind}-{scheme}")
                runner = RUNNERS[kind](directory, certificates if scheme == "https" else None)
                running[kind, scheme] = stack.enter_context(runner)
            return running[kind, scheme]

        yield start


WAYS = [f"{kind}-{scheme}" for kind in RUNNERS for scheme in ("http", "https")]


@pytest.fixture(scope="session", params=[*WAYS, real_endpoint.KIND])
def endpoint(request, start):
    """Every server, every way."""
    return start(*request.param.split("-"))


@pytest.fixture(scope="session", params=[*RUNNERS, real_endpoint.KIND])
def http_endpoint(request, start):
    """Every server, over HTTP: for what TLS cannot change."""
    return start(request.param)


@pytest.fixture
def judge(endpoint):
    """boto3, which says what landed."""
    with contextlib.closing(endpoint.client()) as client:
        yield client


@pytest.fixture
def http_judge(http_endpoint):
    """The same for `http_endpoint`."""
    with contextlib.closing(http_endpoint.client()) as client:
        yield client


@pytest.fixture
def orbit(endpoint):
    """The installed command, pointed at `endpoint` by AWS's own variables."""
    return Orbit(endpoint.environment)


@pytest.fixture
def http_orbit(http_endpoint):
    """The same for `http_endpoint`."""
    return Orbit(http_endpoint.environment)


@contextlib.contextmanager
def _places(endpoint, judge):
    made = []

    def new_place():
        place = Place(endpoint.bucket, real_endpoint.new_prefix()) if endpoint.bucket else Place(new_bucket(judge))
        made.append(place)
        return place

    try:
        yield new_place
    finally:
        for place in made:
            if place.prefix:
                real_endpoint.clean_up(judge, place.bucket, place.prefix)


def lay_out(endpoint, judge, place, keys):
    """Put one object into each directory of `keys`, one after another, where the server keeps objects as files.

    rclone makes a directory twice when its first two objects come at once, and forgets the one, with what is in it: the
    file lies there, whole, and every GET of it is answered with 500.
    """
    if endpoint.kind == "rclone":
        for key in {key.rpartition("/")[0]: key for key in keys}.values():
            judge.put_object(Bucket=place.bucket, Key=place.prefix + key)


@pytest.fixture
def new_place(endpoint, judge):
    """Makes places on `endpoint`; afterwards nothing is left in a bucket that is not the test's own."""
    with _places(endpoint, judge) as make:
        yield make


@pytest.fixture
def new_http_place(http_endpoint, http_judge):
    """The same for `http_endpoint`."""
    with _places(http_endpoint, http_judge) as make:
        yield make
