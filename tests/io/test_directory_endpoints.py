"""Directory buckets are reached, and signed for, where and how botocore's own client does it."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from orbit_fast.core.settings import ClientSettings
from orbit_fast.io.endpoints import needs_botocore
from orbit_fast.io.endpoints import resolve_site

BUCKET = "base--usw2-az1--x-s3"
ACCESS_POINT = "mine--usw2-az1--xa-s3"
OFF = "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH"
_LOADER = botocore.session.Session().get_component("data_loader")  # reads each of botocore's data files once
_SESSION = (
    b"<CreateSessionResult><Credentials><SessionToken>the-token</SessionToken><SecretAccessKey>s</SecretAccessKey>"
    b"<AccessKeyId>SESSIONKEY</AccessKeyId><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>"
    b"</CreateSessionResult>"
)


class _Captured(Exception):
    """Nothing is sent."""


class _Raw:
    """The body of an answer."""

    def stream(self, **_):
        """All of it."""
        return iter([_SESSION])


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """No AWS variable, an empty home."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return os.environ


def _oracle(bucket, settings):
    """What botocore does of a HeadObject: the hosts of both requests, path, region, service; whether by a session."""
    session = botocore.session.Session()
    session.register_component("data_loader", _LOADER)
    s3 = {"addressing_style": settings.addressing_style} if settings.addressing_style != "auto" else None
    client = session.create_client(
        "s3",
        region_name=settings.region or None,
        endpoint_url=settings.endpoint_url or None,
        aws_access_key_id="AKID",
        aws_secret_access_key="SECRET",
        config=Config(s3=s3, retries={"total_max_attempts": 1}),
    )
    seen = []

    def capture(request, **_):
        seen.append(request)
        if request.url.endswith("?session"):
            return AWSResponse(request.url, 200, {}, _Raw())
        raise _Captured

    client.meta.events.register_first("before-send.s3", capture)
    with pytest.raises(_Captured):
        client.head_object(Bucket=bucket, Key="k")
    *sessions, last = seen
    texts = [str(one.headers["Authorization"], "ascii") for one in seen]
    scopes = [re.search(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request", text).groups() for text in texts]
    parts = urlsplit(last.url)
    assert [urlsplit(one.url).netloc for one in sessions] == [parts.netloc] * len(sessions)
    assert {scope[1:] for scope in scopes} == {scopes[-1][1:]}
    assert (scopes[-1][0] == "SESSIONKEY") == bool(sessions) == ("x-amz-s3session-token" in last.headers)
    return (parts.scheme, parts.netloc, parts.path.removesuffix("/k"), *scopes[-1][1:], bool(sessions))


def _ours(bucket, settings, environment):
    found = resolve_site(0, bucket, settings, environment).endpoint
    named = (found.scheme, found.host_header, found.path_prefix, found.region, found.signing_name)
    return (*named, found.has_sessions)


AWS_ROWS = [
    (BUCKET, {"region": "us-west-2"}, {}),
    (ACCESS_POINT, {"region": "us-west-2"}, {}),
    ("a--usw2-lax1-az1--x-s3", {"region": "us-west-2"}, {}),
    (BUCKET, {"region": "us-west-2", "addressing_style": "path"}, {}),
    (BUCKET, {}, {"AWS_DEFAULT_REGION": "us-west-2"}),
    (BUCKET, {"region": "us-west-2"}, {"AWS_USE_FIPS_ENDPOINT": "true"}),
    (BUCKET, {"region": "us-west-2"}, {"AWS_USE_DUALSTACK_ENDPOINT": "true"}),
    (BUCKET, {"region": "us-west-2"}, {OFF: "true"}),
    (BUCKET, {"region": "us-west-2"}, {OFF: "false"}),
]


@pytest.mark.parametrize(("bucket", "options", "variables"), AWS_ROWS)
def test_aws_hosts_are_those_of_botocore(environment, monkeypatch, bucket, options, variables):
    """The zone's own host, the service that signs, and whether a session does."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = ClientSettings(**options)
    assert _ours(bucket, settings, environment) == _oracle(bucket, settings)


@pytest.mark.parametrize("url", ["http://localhost:9000", "http://127.0.0.1:9000", "https://s3.example.com/base"])
@pytest.mark.parametrize("off", ["", "true"])
def test_custom_endpoints_are_addressed_as_by_botocore(environment, monkeypatch, url, off):
    """Without asking botocore: before the host's name, or in the path where the host has none."""
    if off:
        monkeypatch.setenv(OFF, off)
    settings = ClientSettings(endpoint_url=url, region="us-west-2")
    assert not needs_botocore(settings, environment, BUCKET)
    assert _ours(BUCKET, settings, environment) == _oracle(BUCKET, settings)


def test_who_asks_for_path_style_at_a_custom_endpoint_gets_it(environment):
    """Not every service has a name for each bucket."""
    settings = ClientSettings(endpoint_url="http://localhost:9000", region="r", addressing_style="path")
    assert _ours(BUCKET, settings, environment) == ("http", "localhost:9000", f"/{BUCKET}", "r", "s3express", True)


def test_the_configuration_file_can_switch_sessions_off(environment, tmp_path):
    """As botocore reads it; a custom endpoint is no exception."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\ns3_disable_express_session_auth = true\n")
    for url in ("", "http://localhost:9000"):
        settings = ClientSettings(endpoint_url=url, region="us-west-2")
        assert needs_botocore(settings, environment, BUCKET)
        assert _ours(BUCKET, settings, environment) == _oracle(BUCKET, settings)
        assert not _ours(BUCKET, settings, environment)[-1]


def test_other_buckets_have_no_sessions(environment):
    """Whatever they are called."""
    for bucket in ("x-s3", "base--x-s3x", "base--usw2-az1-x-s3", ""):
        settings = ClientSettings(endpoint_url="http://localhost:9000", region="us-west-2")
        assert _ours(bucket, settings, environment)[-2:] == ("s3", False)
