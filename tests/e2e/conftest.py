"""A server of its own for every test, whose store and log the test can look into, and the command pointed at it."""

from __future__ import annotations

import contextlib
import os
import ssl
from types import SimpleNamespace

import pytest

from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from tests.kit.command import Orbit
from tests.kit.gate import Gate
from tests.kit.servers import ACCESS_KEY
from tests.kit.servers import SECRET_KEY
from tests.kit.servers import Certificates
from tests.kit.servers import Endpoint

BUCKET = "bkt"


@pytest.fixture
def gate():
    """Holds back or refuses what the test names."""
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def server(gate, tmp_path_factory):
    """An embedded server with one bucket, ``bkt``; afterwards no multipart upload may be left on it."""
    root = tmp_path_factory.mktemp("bodies")
    with S3Server(access_key=ACCESS_KEY, secret_key=SECRET_KEY, root=root, intercept=gate) as server:
        server.store.create_bucket(BUCKET)
        yield server
        assert server.store.unfinished_uploads() == []


@pytest.fixture
def bucket(server):
    """The server's bucket, as its store has it."""
    return server.store.buckets[BUCKET]


@pytest.fixture
def orbit(server):
    """The installed command, pointed at `server`."""
    return Orbit(Endpoint(kind="embedded", url=server.url).environment)


@pytest.fixture
def judge(server):
    """boto3."""
    with contextlib.closing(Endpoint(kind="embedded", url=server.url).client()) as client:
        yield client


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A private authority and a certificate for loopback."""
    return Certificates.issue(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def tls(certificates, gate, tmp_path_factory):
    """A server that speaks TLS: ``server``, and ``orbit`` pointed at it without being told whom to trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert_file, certificates.key_file)
    root = tmp_path_factory.mktemp("tls-bodies")
    settings = ServerSettings()
    with S3Server(
        access_key=ACCESS_KEY, secret_key=SECRET_KEY, tls=context, root=root, settings=settings, intercept=gate
    ) as server:
        server.store.create_bucket(BUCKET)
        endpoint = Endpoint(kind="embedded", url=server.url)
        yield SimpleNamespace(server=server, orbit=Orbit(endpoint.environment), ca_file=certificates.ca_file)
        assert server.store.unfinished_uploads() == []


@pytest.fixture(autouse=True)
def no_litter(tmp_path):
    """No temporary file of orbit's is left below the test's directory."""
    yield
    found = [name for _, _, names in os.walk(os.fsencode(tmp_path)) for name in names if name.startswith(b".orbit-")]
    assert found == []
