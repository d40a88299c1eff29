"""Clients of the embedded server, whatever the surroundings of the tests say about AWS."""

from __future__ import annotations

import os

import pytest

from orbit_fast.testing import S3Server
from tests.kit.library import BUCKET


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch):
    """No variable of AWS's, and no configuration file."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def module_server():
    """One server for all tests of a module."""
    with S3Server() as server:
        yield server


@pytest.fixture
def server(module_server):
    """The server, with one empty bucket; at the end there is no unfinished upload."""
    module_server.store.buckets.clear()
    module_server.store.log.clear()
    bucket = module_server.store.create_bucket(BUCKET)
    yield module_server
    assert not bucket.uploads
