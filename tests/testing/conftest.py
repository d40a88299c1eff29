"""The embedded server under test, and the clients that judge it."""

from __future__ import annotations

import ssl

import boto3
import pytest
import trustme
from botocore.config import Config

from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from tests.kit.raw_s3 import RawS3

MIN_PART = 64 * 1024


def _client(server, **options):
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=server.settings.region,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        **options,
    )


@pytest.fixture(scope="session")
def server():
    """One server for all; parts may be small."""
    with S3Server(settings=ServerSettings(min_part_size=MIN_PART, max_copy_size=1 << 20)) as server:
        yield server


@pytest.fixture(scope="session")
def client(server):
    """A boto3 client of it."""
    client = _client(server)
    yield client
    client.close()


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory):
    """A server that speaks TLS; its authority's certificate is in `ca_file`."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ca_file = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with S3Server(tls=context, settings=ServerSettings(min_part_size=MIN_PART)) as server:
        server.ca_file = str(ca_file)
        yield server


@pytest.fixture(scope="session")
def tls_client(tls_server):
    """A boto3 client of it."""
    client = _client(tls_server, verify=tls_server.ca_file)
    yield client
    client.close()


@pytest.fixture
def bucket(server, request):
    """A fresh bucket's name."""
    name = f"bucket-{len(server.store.buckets)}-x"
    server.store.create_bucket(name)
    yield name
    server.store.buckets.pop(name, None)


@pytest.fixture(scope="session")
def raw(server):
    """Hand-made requests to the server."""
    return RawS3(url=server.url, access_key=server.access_key, secret_key=server.secret_key)
