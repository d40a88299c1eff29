"""The servers that must all pass the same tests unchanged, over HTTP and over TLS."""

from __future__ import annotations

import contextlib

import pytest

from tests.kit.command import Orbit
from tests.kit.servers import RUNNERS
from tests.kit.servers import Certificates


@pytest.fixture(scope="session")
def start(tmp_path_factory):
    """Starts a server by kind and scheme, once each; all are ended with the session."""
    certificates = Certificates.issue(tmp_path_factory.mktemp("tls"))
    running = {}
    with contextlib.ExitStack() as stack:

        def start(kind, scheme):
            if (kind, scheme) not in running:
                directory = tmp_path_factory.mktemp(f"{kind}-{scheme}")
                runner = RUNNERS[kind](directory, certificates if scheme == "https" else None)
                running[kind, scheme] = stack.enter_context(runner)
            return running[kind, scheme]

        yield start


@pytest.fixture(scope="session", params=[f"{kind}-{scheme}" for kind in RUNNERS for scheme in ("http", "https")])
def endpoint(request, start):
    """Every server, every way."""
    return start(*request.param.split("-"))


@pytest.fixture(scope="session", params=list(RUNNERS))
def http_endpoint(request, start):
    """Every server, over HTTP: for what TLS cannot change."""
    return start(request.param, "http")


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
