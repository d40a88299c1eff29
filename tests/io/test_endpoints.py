"""Where a bucket is reached: equal to where botocore's own client would send the request."""

import contextlib
import os
import re
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.model import Endpoint
from orbit_fast.core.settings import ClientSettings
from orbit_fast.io import endpoints
from orbit_fast.io.endpoints import custom_endpoint
from orbit_fast.io.endpoints import needs_botocore
from orbit_fast.io.endpoints import resolve_site
from orbit_fast.io.endpoints import with_region

ACCESS_POINT = "arn:aws:s3:us-west-2:123456789012:accesspoint/mine"
OUTPOST = "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-01234567890123456/accesspoint/mine"
MULTI_REGION = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap"


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """A clean environment: no AWS variable, an empty home. Both this process's and the mapping that is passed."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    class Environment(dict):
        def __setitem__(self, name, value):
            super().__setitem__(name, value)
            monkeypatch.setenv(name, value)

        def write_config(self, text, name="config"):
            path = tmp_path / ".aws" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    return Environment(os.environ)


class _Captured(Exception):
    """Nothing is sent."""


_LOADER = botocore.session.Session().get_component("data_loader")  # reads each of botocore's data files once


def _client(settings):
    """The client that botocore makes, set up as its users would."""
    s3 = {}
    if settings.addressing_style != "auto":
        s3["addressing_style"] = settings.addressing_style
    if settings.use_acceleration:
        s3["use_accelerate_endpoint"] = True
    session = botocore.session.Session(profile=settings.profile or None)
    session.register_component("data_loader", _LOADER)
    return session.create_client(
        "s3",
        region_name=settings.region or None,
        endpoint_url=settings.endpoint_url or None,
        aws_access_key_id="AKID",
        aws_secret_access_key="SECRET",
        config=Config(s3=s3 or None, retries={"total_max_attempts": 1}),
    )


def _oracle(bucket, client):
    """Where the client sends a HeadObject for key `k`: scheme, host, path before the key, region and service signed.

    Without a bucket, where it asks for the list of buckets.
    """
    seen = []

    def capture(request, **_):
        seen.append((request.url, request.headers["Authorization"]))
        raise _Captured

    client.meta.events.register_first("before-send.s3", capture)
    with pytest.raises(_Captured):
        client.head_object(Bucket=bucket, Key="k") if bucket else client.list_buckets()
    client.meta.events.unregister("before-send.s3", capture)
    url, authorization = seen[0]
    text = authorization.decode() if isinstance(authorization, bytes) else authorization
    scope = re.search(r"Credential=AKID/\d{8}/([^/]+)/([^/]+)/aws4_request", text)
    parts = urlsplit(url)
    assert not bucket or parts.path.endswith("/k")
    return (parts.scheme, parts.netloc, parts.path.removesuffix("/k" if bucket else "/"), scope[1], scope[2])


def _flat(endpoint):
    return (endpoint.scheme, endpoint.host_header, endpoint.path_prefix, endpoint.region, endpoint.signing_name)


AWS_ROWS = [
    ("bucket", {}, {}),
    ("bucket", {"region": "us-east-1"}, {}),
    ("bucket", {"region": "eu-central-1"}, {}),
    ("bucket", {"region": "cn-north-1"}, {}),
    ("bucket", {"region": "us-gov-west-1"}, {}),
    ("bucket", {"region": "aws-global"}, {}),
    ("dotted.bucket", {"region": "eu-west-1"}, {}),
    ("Upper-Case", {"region": "eu-west-1"}, {}),
    ("under_score", {"region": "eu-west-1"}, {}),
    ("bucket", {"region": "eu-west-1", "addressing_style": "path"}, {}),
    ("bucket", {"addressing_style": "path"}, {}),
    ("bucket", {"region": "eu-west-1", "addressing_style": "virtual"}, {}),
    ("bucket", {"use_acceleration": True}, {}),
    ("bucket", {"use_acceleration": True, "region": "eu-west-1"}, {}),
    ("bucket", {"use_acceleration": True, "addressing_style": "path", "region": "eu-west-1"}, {}),
    ("bucket", {"region": "eu-west-1"}, {"AWS_USE_DUALSTACK_ENDPOINT": "true"}),
    ("bucket", {"region": "us-east-2"}, {"AWS_USE_FIPS_ENDPOINT": "true"}),
    ("bucket", {"region": "us-east-2"}, {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"}),
    ("bucket", {}, {"AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": "regional"}),
    ("bucket", {}, {"AWS_DEFAULT_REGION": "ap-south-1"}),
    ("my-ap-1234567890123456789012345678901234-s3alias", {"region": "eu-west-1"}, {}),
    (ACCESS_POINT, {"region": "us-west-2"}, {}),
    (ACCESS_POINT, {"region": "eu-west-1"}, {}),
    (ACCESS_POINT, {"region": "us-west-2", "addressing_style": "path"}, {}),
    (ACCESS_POINT, {}, {}),
    ("", {}, {}),
    ("", {"region": "eu-west-1"}, {}),
    ("", {"region": "cn-north-1", "addressing_style": "path"}, {}),
    ("", {"region": "eu-west-1", "addressing_style": "virtual"}, {}),
    ("", {"region": "eu-west-1", "use_acceleration": True}, {}),
    ("", {"region": "us-east-2"}, {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"}),
]


@pytest.mark.parametrize(("bucket", "options", "variables"), AWS_ROWS)
def test_aws_hosts_are_those_of_botocore(environment, bucket, options, variables):
    """For every kind of AWS endpoint: same URL, same signing region and service."""
    for name, value in variables.items():
        environment[name] = value
    settings = ClientSettings(**options)
    assert needs_botocore(settings, environment, bucket)
    site = resolve_site(3, bucket, settings, environment, identity=1)
    assert _flat(site.endpoint) == _oracle(bucket, _client(settings))
    assert (site.number, site.bucket, site.identity) == (3, bucket, 1)
    assert site.endpoint.is_tls
    assert not site.endpoint.is_custom


CONFIGS = [
    "[default]\nregion = eu-west-3\n",
    "[default]\nregion = eu-west-3\ns3 =\n    addressing_style = path\n",
    "[default]\nregion = eu-west-3\ns3 =\n    use_accelerate_endpoint = true\n",
    "[default]\nregion = eu-west-3\ns3 =\n    use_dualstack_endpoint = true\n",
    "[default]\nregion = eu-west-3\nuse_dualstack_endpoint = true\n",
    "[default]\nregion = us-west-2\nuse_fips_endpoint = true\n",
    "[default]\nendpoint_url = https://s3.example.com:8443/base\n",
    "[default]\nregion = eu-west-3\nendpoint_url = http://minio:9000\ns3 =\n    addressing_style = virtual\n",
    "[default]\nservices = mine\nregion = garage\n[services mine]\ns3 =\n  endpoint_url = http://s3.example.com\n",
    "[default]\nendpoint_url = https://s3.example.com\nignore_configured_endpoint_urls = true\n",
    "[default]\nregion = us-east-1\ns3 =\n    us_east_1_regional_endpoint = regional\n",
]


@pytest.mark.parametrize("text", CONFIGS)
def test_configuration_files_say_what_they_say_to_botocore(environment, text):
    """Region, addressing, acceleration, dual-stack, FIPS and endpoint of the configuration file are honoured."""
    environment.write_config(text)
    settings = ClientSettings()
    site = resolve_site(0, "bucket", settings, environment)
    assert _flat(site.endpoint) == _oracle("bucket", _client(settings))
    assert site.endpoint.is_custom == ("example" in site.endpoint.host or "minio" in site.endpoint.host)


def test_a_profile_is_honoured(environment):
    """By option and by environment, with a region and an endpoint of its own."""
    environment.write_config("[profile other]\nregion = garage\nendpoint_url = http://localhost:3900\n")
    expected = ("http", "localhost:3900", "/bucket", "garage", "s3")
    assert _flat(resolve_site(0, "bucket", ClientSettings(profile="other"), environment).endpoint) == expected
    environment["AWS_PROFILE"] = "other"
    assert _flat(resolve_site(0, "bucket", ClientSettings(), environment).endpoint) == expected
    given_too = ClientSettings(endpoint_url="http://127.0.0.1:9000")
    assert _flat(resolve_site(0, "bucket", given_too, environment).endpoint) == (
        "http", "127.0.0.1:9000", "/bucket", "garage", "s3",
    )  # fmt: skip


CUSTOM_URLS = [
    "http://localhost:9000",
    "http://127.0.0.1:9000",
    "https://s3.example.com",
    "https://s3.example.com:443",
    "http://s3.example.com:80/",
    "https://s3.example.com/base/path",
    "https://s3.example.com/base/",
    "http://[::1]:9000",
    "https://minio",
    "https://s3.us-west-2.amazonaws.com",
    "https://s3-accelerate.amazonaws.com",
    "https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com",
]


@pytest.mark.parametrize("url", CUSTOM_URLS)
@pytest.mark.parametrize("style", ["auto", "path", "virtual"])
def test_custom_endpoints_are_addressed_as_by_botocore(environment, url, style):
    """Without botocore: the same URL and scope that its client uses, whatever the bucket is called."""
    settings = ClientSettings(endpoint_url=url, region="eu-west-1", addressing_style=style)
    client = _client(settings)
    for bucket in ("bucket", "dotted.bucket", "Upper", "under_score", "1.2.3.4", ""):
        if bucket == "dotted.bucket" and style == "virtual" and ("127" in url or "::1" in url):
            continue  # botocore makes a host of the bucket and an address, which cannot be found
        assert not needs_botocore(settings, environment, bucket)
        endpoint = resolve_site(0, bucket, settings, environment).endpoint
        scheme, authority, *rest = _oracle(bucket, client)
        default = {"http": ":80", "https": ":443"}[scheme]
        assert _flat(endpoint) == (scheme, authority.removesuffix(default), *rest), bucket
        assert endpoint.is_custom


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:9000", Endpoint("http", "localhost", 9000, "localhost:9000", "/b", is_custom=True)),
        ("https://S3.Example.com", Endpoint("https", "s3.example.com", 443, "s3.example.com", "/b", is_custom=True)),
        ("http://[::1]:9000/x/", Endpoint("http", "::1", 9000, "[::1]:9000", "/x/b", is_custom=True)),
        ("HTTP://10.0.0.1", Endpoint("http", "10.0.0.1", 80, "10.0.0.1", "/b", is_custom=True)),
        ("http://h:80", Endpoint("http", "h", 80, "h", "/b", is_custom=True)),
        ("https://h:80", Endpoint("https", "h", 80, "h:80", "/b", is_custom=True)),
    ],
)
def test_parts_of_a_custom_endpoint(environment, url, expected):
    """Host to connect to, host header and path, with the default region."""
    assert resolve_site(0, "b", ClientSettings(endpoint_url=url), environment).endpoint == expected


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("localhost:9000", "must begin with http:// or https://"),
        ("s3.example.com", "must begin with http:// or https://"),
        ("ftp://host", "must begin with http:// or https://"),
        ("http:host", "must begin with http:// or https://"),
        ("http://", "no usable host and port"),
        ("http://:9000", "no usable host and port"),
        ("http://h:0", "no usable host and port"),
        ("http://h:99999", "is not a URL"),
        ("http://h:port", "is not a URL"),
        ("http://[::1", "is not a URL"),
        ("http://a b", "must not hold spaces"),
        ("http://a..b", "no usable host and port"),
        ("http://-h", "no usable host and port"),
        ("http://hé", "no usable host and port"),
        ("http://h\r\nX: y", "must not hold spaces"),
        ("http://ho\nst", "must not hold spaces"),
        (" http://h", "must not hold spaces"),
        ("http://user:password@h", "must not hold a user name or password"),
        ("http://user:password@h:port", "must not hold a user name or password"),
        ("http:/user:password@h", "must not hold a user name or password"),
        ("user:password@h", "must not hold a user name or password"),
        ("http://user@h", "must not hold a user name or password"),
        ("http://h/?x=1", "must not hold a query"),
        ("http://h/#x", "must not hold a query"),
        ("http://h?", "must not hold a query"),
        ("http://h/a b", "must not hold spaces"),
        ("http://h/é", "a path that cannot be sent"),
        ("http://h//a", "a path that cannot be sent"),
    ],
)
@pytest.mark.parametrize("origin", ["--endpoint-url", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
def test_a_malformed_endpoint_is_one_clear_line(environment, url, complaint, origin):
    """It says which setting is wrong and why, and shows no password."""
    settings = ClientSettings()
    if origin == "--endpoint-url":
        settings = ClientSettings(endpoint_url=url)
    else:
        environment[origin] = url
    with pytest.raises(InvalidConfig, match=re.escape(complaint)) as caught:
        resolve_site(0, "bucket", settings, environment)
    assert caught.value.message.startswith(origin + " ")
    assert "\n" not in caught.value.message
    assert "password@" not in caught.value.message
    assert caught.value.__cause__ is None


@given(st.text(max_size=30))
@hypothesis_settings(max_examples=300)
def test_any_endpoint_is_taken_or_refused(text):
    """Whatever stands after the scheme: an endpoint that can stand in a request head, or InvalidConfig."""
    found = None
    with contextlib.suppress(InvalidConfig):
        found = custom_endpoint(f"http://{text}", "bucket", region="r", settings=ClientSettings(), origin="x")
    if found is not None:
        assert re.fullmatch(r"[A-Za-z0-9._:\[\]-]+", found.host_header)
        assert re.fullmatch(r"(/[!-~]+)*/bucket", found.path_prefix)
        assert 0 < found.port < 65536


def test_precedence_of_endpoints(environment):
    """The option wins over the S3 variable, that over the general one, which can be switched off."""
    environment["AWS_ENDPOINT_URL"] = "http://general"
    assert resolve_site(0, "b", ClientSettings(), environment).endpoint.host == "general"
    environment["AWS_ENDPOINT_URL_S3"] = "http://special"
    assert resolve_site(0, "b", ClientSettings(), environment).endpoint.host == "special"
    option = ClientSettings(endpoint_url="http://option")
    assert resolve_site(0, "b", option, environment).endpoint.host == "option"
    environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
    assert needs_botocore(ClientSettings(), environment, "b")
    assert not needs_botocore(option, environment, "b")
    assert resolve_site(0, "b", ClientSettings(), environment).endpoint.host == "s3.amazonaws.com"


def test_precedence_of_regions(environment):
    """The option wins over AWS_REGION, that over AWS_DEFAULT_REGION, that over the default."""
    url = "http://h"
    assert resolve_site(0, "b", ClientSettings(endpoint_url=url), environment).endpoint.region == "us-east-1"
    environment["AWS_DEFAULT_REGION"] = "one"
    assert resolve_site(0, "b", ClientSettings(endpoint_url=url), environment).endpoint.region == "one"
    environment["AWS_REGION"] = "two"
    assert resolve_site(0, "b", ClientSettings(endpoint_url=url), environment).endpoint.region == "two"
    settings = ClientSettings(endpoint_url=url, region="three")
    assert resolve_site(0, "b", settings, environment).endpoint.region == "three"


@pytest.mark.parametrize(
    ("options", "variables", "config", "expected"),
    [
        ({}, {}, "", True),
        ({"endpoint_url": "http://h"}, {}, "", False),
        ({}, {"AWS_ENDPOINT_URL": "http://h"}, "", False),
        ({"endpoint_url": "http://h"}, {}, "[default]\noutput = json\n", False),
        ({"endpoint_url": "http://h"}, {}, "[default]\nregion = x\n", True),
        ({"endpoint_url": "http://h", "region": "r"}, {}, "[default]\nregion = x\n", False),
        ({"endpoint_url": "http://h", "region": "r"}, {}, "[default]\ns3 =\n addressing_style = path\n", True),
        (
            {"endpoint_url": "http://h", "region": "r", "addressing_style": "path"},
            {},
            "[default]\ns3 =\n addressing_style = virtual\n",
            False,
        ),
        ({"endpoint_url": "http://h", "profile": "p"}, {}, "", True),
        ({"endpoint_url": "http://h"}, {"AWS_PROFILE": "p"}, "", True),
        ({"endpoint_url": "http://h"}, {"AWS_DEFAULT_PROFILE": "p"}, "", True),
    ],
)
def test_when_botocore_is_needed(environment, options, variables, config, expected):
    """Only where a profile or a configuration file can have a say, or the host is AWS's own."""
    for name, value in variables.items():
        environment[name] = value
    if config:
        environment.write_config(config)
    assert needs_botocore(ClientSettings(**options), environment, "bucket") is expected


def test_the_credentials_file_may_name_the_region(environment, tmp_path):
    """A region in the credentials file counts, wherever that file is."""
    settings = ClientSettings(endpoint_url="http://h")
    environment.write_config("[default]\nregion = garage\n", "credentials")
    assert needs_botocore(settings, environment, "b")
    assert resolve_site(0, "b", settings, environment).endpoint.region == "garage"
    environment["AWS_SHARED_CREDENTIALS_FILE"] = str(tmp_path / "none")
    assert not needs_botocore(settings, environment, "b")
    (tmp_path / "own").write_text("[default]\nregion = other\n")
    own = ClientSettings(endpoint_url="http://h", credentials_file=str(tmp_path / "own"))
    assert needs_botocore(own, environment, "b")
    assert resolve_site(0, "b", own, environment).endpoint.region == "other"


def test_files_whose_place_is_unknown_or_unreadable_may_have_a_say(environment, tmp_path):
    """Where it cannot be seen that they have not, botocore is asked."""
    settings = ClientSettings(endpoint_url="http://h")
    assert needs_botocore(settings, {"PATH": "/bin"}, "b")
    environment["AWS_CONFIG_FILE"] = str(tmp_path)
    assert needs_botocore(settings, environment, "b")
    environment["AWS_CONFIG_FILE"] = "~/mine"
    assert not needs_botocore(settings, environment, "b")
    (tmp_path / "mine").write_text("[default]\nregion = x\n")
    assert needs_botocore(settings, environment, "b")


@pytest.mark.parametrize(
    ("bucket", "options", "complaint"),
    [
        (MULTI_REGION, {"region": "us-west-2"}, "signatures that orbit does not make"),
        ("bucket--x-s3", {"region": "us-east-1"}, "Unrecognized S3Express bucket name format"),
        ("b--use1-az4--x-s3", {"region": "us-east-1", "use_acceleration": True}, "does not support S3 Accelerate"),
        ("arn:aws:s3:us-west-2:123456789012:accesspoint:", {"region": "us-west-2"}, "but no name was provided"),
        ("arn:aws:iam::123456789012:role/x", {"region": "us-west-2"}, "Unrecognized format: "),
        ("dotted.bucket", {"use_acceleration": True}, "S3 Accelerate"),
        ("bucket", {"use_acceleration": True, "endpoint_url": "http://h"}, "--use-acceleration"),
        ("bucket", {"region": "bad region"}, "not a region: 'bad region'"),
        ("bucket", {"region": "x.evil.com/"}, "not a region"),
        ("bucket", {"region": "a/b", "endpoint_url": "http://h"}, "not a region: 'a/b'"),
        ("bucket", {"profile": "nobody"}, "no such AWS profile: nobody"),
        ("bucket", {"profile": "nobody", "endpoint_url": "http://h"}, "no such AWS profile: nobody"),
    ],
)
def test_what_cannot_be_used_is_one_clear_line(environment, bucket, options, complaint):
    """Buckets that need other signatures, bad ARNs, combinations and names that do not exist."""
    with pytest.raises(InvalidConfig, match=re.escape(complaint)) as caught:
        resolve_site(0, bucket, ClientSettings(**options), environment)
    assert "\n" not in caught.value.message


def test_a_broken_configuration_file_is_one_clear_line(environment):
    """It names the file."""
    environment.write_config("[default\nregion")
    with pytest.raises(InvalidConfig, match=r"not a readable AWS configuration file: .*/\.aws/config"):
        resolve_site(0, "bucket", ClientSettings(), environment)


def test_outposts_sign_for_their_own_service(environment):
    """The signing name is the rule set's, not always s3."""
    endpoint = resolve_site(0, OUTPOST, ClientSettings(region="us-west-2"), environment).endpoint
    assert (endpoint.signing_name, endpoint.region) == ("s3-outposts", "us-west-2")
    assert endpoint.host == "mine-123456789012.op-01234567890123456.s3-outposts.us-west-2.amazonaws.com"


def test_the_rest_of_the_settings_go_into_the_site(environment):
    """Requester pays, old listings and unsigned payloads are the site's."""
    settings = ClientSettings(endpoint_url="http://h", request_payer="requester", use_list_v1=True)
    site = resolve_site(1, "b", settings, environment, 2)
    assert (site.request_payer, site.use_list_v1, site.sign_payload, site.identity) == ("requester", True, True, 2)
    unsigned = ClientSettings(endpoint_url="http://h", unsigned_payload=True)
    assert not resolve_site(0, "b", unsigned, environment).sign_payload


def test_a_custom_host_stays_when_the_region_changes(environment):
    """Only the signature changes, so that no answer can move requests to another host."""
    settings = ClientSettings(endpoint_url="http://h:9000")
    site = resolve_site(4, "b", settings, environment, 2)
    moved = with_region(site, "garage", settings, environment)
    assert with_region(site, "garage", ClientSettings(), environment) == moved
    assert moved == type(site)(4, "b", Endpoint("http", "h", 9000, "h:9000", "/b", "garage", "s3", True), 2)


def test_an_aws_bucket_moves_to_the_host_of_its_region(environment):
    """The same options, another region: host and signature change."""
    settings = ClientSettings(addressing_style="path")
    site = resolve_site(4, "b", settings, environment, 2)
    moved = with_region(site, "eu-west-1", settings, environment)
    assert _flat(moved.endpoint) == ("https", "s3.eu-west-1.amazonaws.com", "/b", "eu-west-1", "s3")
    assert (moved.number, moved.identity) == (4, 2)


@pytest.mark.parametrize("region", ["", "evil.com/", "a b", "x\r\ny", "@evil", "a" * 200])
def test_a_region_that_is_none_is_refused(environment, region):
    """What a service names as a region cannot become a host or a header."""
    for settings in (ClientSettings(endpoint_url="http://h"), ClientSettings()):
        site = resolve_site(0, "b", settings, environment)
        with pytest.raises(InvalidConfig, match="not a region"):
            with_region(site, region, settings, environment)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "http://[::1]:9000"])
@pytest.mark.parametrize("bucket", ["bucket", "dotted.bucket"])
def test_an_address_has_no_bucket_before_it(environment, url, bucket):
    """Also where virtual addressing is asked for."""
    settings = ClientSettings(endpoint_url=url, addressing_style="virtual")
    endpoint = resolve_site(0, bucket, settings, environment).endpoint
    assert (endpoint.host, endpoint.path_prefix) == (urlsplit(url).hostname, f"/{bucket}")


def test_the_quick_way_imports_no_botocore(environment, monkeypatch):
    """A custom endpoint with nothing configured never reaches botocore."""
    monkeypatch.setattr(endpoints, "open_session", None)
    assert resolve_site(0, "b", ClientSettings(endpoint_url="http://h"), environment).endpoint.host == "h"
