"""Every option that says how S3 is reached, and what the server sees of it."""

from __future__ import annotations

import asyncio
import socket

import pytest

from orbit_fast.testing import S3Server
from orbit_fast.testing import Seams
from orbit_fast.testing import ServerSettings
from tests.kit.command import Orbit
from tests.kit.servers import ACCESS_KEY
from tests.kit.servers import SECRET_KEY
from tests.kit.servers import Endpoint
from tests.kit.trees import MIB
from tests.kit.trees import content

pytestmark = pytest.mark.slow
NO_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture
def file(tmp_path):
    """A local file."""
    path = tmp_path / "file.txt"
    path.write_bytes(b"content")
    return path


@pytest.fixture(scope="session")
def closed():
    """The URL of a port on which nobody listens: bound, not listening."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def put_of(server):
    """The one PutObject that the server has answered well."""
    (entry,) = [one for one in server.store.log if one.operation == "PutObject" and one.status == 200]
    return entry


@pytest.mark.parametrize("option", ["--endpoint-url", "--dest-endpoint-url"])
def test_endpoint_option_wins(option, orbit, server, file, closed):
    """``--endpoint-url``, and its form for the destination, win over the environment."""
    orbit = orbit.with_environment(AWS_ENDPOINT_URL_S3=closed)
    orbit("cp", file, "s3://bkt/k", option, server.url).expect(0)
    assert server.store.read("bkt", "k") == b"content"


def test_source_endpoint(orbit, server, tmp_path, closed):
    """``--source-endpoint-url`` is where a download comes from; an upload does not look at it."""
    server.store.put("bkt", "k", b"there")
    orbit = orbit.with_environment(AWS_ENDPOINT_URL_S3=closed)
    orbit("cp", "s3://bkt/k", tmp_path / "k", "--source-endpoint-url", server.url).expect(0)
    assert (tmp_path / "k").read_bytes() == b"there"
    arguments = ("--source-endpoint-url", server.url, "--retry-attempts", "0")
    assert orbit("cp", tmp_path / "k", "s3://bkt/k2", *arguments).code == 2


def test_two_endpoints_make_no_copy_inside_one_service(orbit, server, closed):
    """S3 to S3 with different ends: the bytes pass through here, so an end that does not answer ends the copy."""
    server.store.put("bkt", "k", b"there")
    arguments = ("--dest-endpoint-url", closed, "--retry-attempts", "0")
    result = orbit("cp", "s3://bkt/k", "s3://bkt/k2", *arguments)
    assert (result.code, len(result.errors)) == (2, 1)
    assert not any(entry.operation == "CopyObject" for entry in server.store.log)


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "ORBIT_ENDPOINT_URL"])
def test_endpoint_of_the_environment(name, orbit, server, file):
    """AWS's two variables and our own name the endpoint."""
    orbit.with_environment(**{"AWS_ENDPOINT_URL_S3": None, name: server.url})("cp", file, "s3://bkt/k").expect(0)
    assert server.store.read("bkt", "k") == b"content"


def test_region_is_signed_for_and_corrected(orbit, server, file):
    """``--region``: the first request is signed for it; where the service names another one, that is used."""
    orbit("cp", file, "s3://bkt/k", "--region", "eu-central-1").expect(0)
    scopes = [entry.headers["authorization"].split("/")[2] for entry in server.store.log]
    assert scopes[0] == "eu-central-1"
    assert scopes[-1] == "us-east-1"
    assert server.store.read("bkt", "k") == b"content"


@pytest.mark.parametrize("option", ["--aws-profile", "--profile", "--dest-aws-profile"])
def test_profile_of_a_credentials_file(option, orbit, server, file, tmp_path):
    """``--credentials-file F --aws-profile P``: P of F signs."""
    path = tmp_path / "credentials"
    path.write_text(
        f"[default]\naws_access_key_id = WRONG\naws_secret_access_key = wrong\n"
        f"[other]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    )
    bare = orbit.with_environment(**NO_KEYS)
    bare("cp", file, "s3://bkt/k", "--credentials-file", path, option, "other").expect(0)
    assert server.store.read("bkt", "k") == b"content"
    assert bare("cp", file, "s3://bkt/k2", "--credentials-file", path).code == 2


def test_no_sign_request(orbit, file):
    """``--no-sign-request``: no signature at all is sent, and a public bucket takes it."""
    with S3Server(
        access_key=ACCESS_KEY, secret_key=SECRET_KEY, settings=ServerSettings(allow_anonymous=True)
    ) as server:
        server.store.create_bucket("bkt")
        bare = Orbit(Endpoint(kind="embedded", url=server.url).environment).with_environment(**NO_KEYS)
        bare("cp", file, "s3://bkt/k", "--no-sign-request").expect(0)
        assert server.store.read("bkt", "k") == b"content"
        assert {"authorization", "x-amz-date"} & put_of(server).headers.keys() == set()


@pytest.mark.parametrize(("side", "code"), [("source", 2), ("dest", 0)])
def test_unsigned_on_one_side(side, code, orbit, server, tmp_path):
    """``--source-no-sign-request`` leaves a download unsigned; the form for the destination leaves it alone."""
    server.store.put("bkt", "k", b"content")
    assert orbit("cp", "s3://bkt/k", tmp_path / "k", f"--{side}-no-sign-request").code == code
    assert {"authorization" in entry.headers for entry in server.store.log} == {code == 0}
    assert (tmp_path / "k").exists() == (code == 0)


@pytest.mark.parametrize(("side", "region"), [("source", "us-east-1"), ("dest", "eu-north-1")])
def test_region_of_one_side(side, region, orbit, server, file):
    """``--dest-region`` is what an upload is signed for; the form for the source leaves it alone."""
    orbit("cp", file, "s3://bkt/k", f"--{side}-region", "eu-north-1").expect(0)
    assert server.store.log[0].headers["authorization"].split("/")[2] == region


@pytest.mark.parametrize("option", ["--request-payer", "--request-payer=requester"])
def test_request_payer(option, orbit, server, file, tmp_path):
    """``--request-payer``: the header is on every request, up and down, listings too."""
    orbit("cp", option, file, "s3://bkt/p/k").expect(0)
    orbit("cp", "-R", option, "s3://bkt/p/", tmp_path / "out").expect(0)
    assert {entry.operation for entry in server.store.log} >= {"PutObject", "GetObject", "ListObjectsV2"}
    assert {entry.headers.get("x-amz-request-payer") for entry in server.store.log} == {"requester"}


@pytest.mark.parametrize("way", ["option", "aws", "own"])
def test_ca_bundle(way, tls, file):
    """``--ca-bundle F`` (or its variables) trusts the authority in F."""
    given = {"option": ("--ca-bundle", tls.ca_file)}.get(way, ())
    variables = {"aws": {"AWS_CA_BUNDLE": str(tls.ca_file)}, "own": {"ORBIT_CA_BUNDLE": str(tls.ca_file)}}.get(way, {})
    assert tls.orbit("cp", file, "s3://bkt/k").code == 2
    tls.orbit.with_environment(**variables)("cp", file, "s3://bkt/k", *given).expect(0)
    assert tls.server.store.read("bkt", "k") == b"content"


def test_no_verify_ssl(tls, file):
    """``--no-verify-ssl`` takes any certificate, and is warned of on stderr, once; under ``-q`` not at all."""
    warned = tls.orbit("cp", "--json", "--processes", "2", file, "s3://bkt/k", "--no-verify-ssl")
    assert (warned.code, len(warned.done), len(warned.errors)) == (0, 1, 1)
    assert warned.err.startswith(b'WARNING "cp": TLS certificates are not verified (--no-verify-ssl): ')
    assert tls.server.store.read("bkt", "k") == b"content"
    tls.orbit.with_environment(ORBIT_NO_VERIFY_SSL="1")("cp", "-q", file, "s3://bkt/k").expect(0)


def test_certificate_of_another_host(tls, file, certificates):
    """A good certificate for another name is refused, and the line says so."""
    url = tls.server.url.replace("127.0.0.1", "127.0.0.2")
    result = tls.orbit("cp", file, "s3://bkt/k", "--ca-bundle", certificates.ca_file, "--endpoint-url", url)
    assert (result.code, len(result.errors)) == (2, 1)


@pytest.mark.parametrize(("options", "operation"), [((), "ListObjectsV2"), (("--use-list-objects-v1",), "ListObjects")])
def test_list_objects_v1(options, operation, orbit, server, tmp_path):
    """``--use-list-objects-v1`` lists with ListObjects, over more pages than one, and finds all."""
    for number in range(1_001):
        server.store.put("bkt", f"p/{number:04}", b"")
    result = orbit("cp", "-R", "--json", "s3://bkt/p", tmp_path / "out", *options).expect(0)
    assert result.counts == (1_001, 0, 0)
    listings = [entry for entry in server.store.log if entry.operation.startswith("ListObjects")]
    assert {entry.operation for entry in listings} == {operation}
    assert len({str(entry.query) for entry in listings}) == 2  # one that comes late may be asked for twice


@pytest.mark.parametrize(
    ("options", "variables", "host"),
    [
        (("--addressing-style", "virtual"), {}, "bkt.no-such-host.invalid"),
        (("--addressing-style", "path"), {}, "no-such-host.invalid"),
        (("--addressing-style", "auto"), {}, "no-such-host.invalid"),
        ((), {"ORBIT_ADDRESSING_STYLE": "virtual"}, "bkt.no-such-host.invalid"),
        (("--force-path-style",), {"ORBIT_ADDRESSING_STYLE": "virtual"}, "no-such-host.invalid"),
    ],
)
def test_addressing_style(options, variables, host, orbit, file):
    """``virtual`` puts the bucket into the host's name, ``path`` and ``--force-path-style`` do not."""
    orbit = orbit.with_environment(AWS_ENDPOINT_URL_S3="http://no-such-host.invalid", **variables)
    result = orbit("cp", file, "s3://bkt/k", "--retry-attempts", "0", *options)
    assert result.code == 2
    assert f"the host {host} does not exist" in result.errors[0]


@pytest.mark.parametrize("size", [7, 6 * MIB])
@pytest.mark.parametrize(("options", "is_signed"), [((), True), (("--unsigned-payload",), False)])
def test_unsigned_payload(options, is_signed, size, orbit, server, tmp_path):
    """Over plain HTTP bodies are part of the signature; ``--unsigned-payload`` leaves them out."""
    path = tmp_path / "file"
    path.write_bytes(content(1, size))
    orbit("cp", path, "s3://bkt/k", "--part-size", "5", *options).expect(0)
    sent = [one for one in server.store.log if one.operation in {"PutObject", "UploadPart"}]
    assert {one.headers["x-amz-content-sha256"] != "UNSIGNED-PAYLOAD" for one in sent} == {is_signed}
    assert server.store.read("bkt", "k") == content(1, size)


@pytest.mark.parametrize("retries", [0, 2])
def test_retry_attempts(retries, orbit, server, gate, file):
    """``--retry-attempts N``: N retries after the first try, then the failure says how many tries there were."""
    gate.refuse("PutObject", "InternalError")
    result = orbit("cp", "--json", file, "s3://bkt/k", "--retry-attempts", str(retries)).expect(1)
    assert server.store.counts["PutObject"] == retries + 1
    (failure,) = result.failures
    assert (failure["code"], failure["status"], failure["retryable"]) == ("InternalError", 500, True)
    assert failure["attempts"] == retries + 1
    assert result.summary["retries"] == retries


def test_retry_that_helps(orbit, server, gate, file):
    """A refusal that passes costs a retry and nothing else."""
    gate.refuse("PutObject", "SlowDown", times=2)
    result = orbit("cp", "--json", file, "s3://bkt/k").expect(0)
    assert (result.done[0]["attempts"], result.summary["retries"]) == (3, 2)
    assert server.store.read("bkt", "k") == b"content"


async def stall(request, response):
    """Send half of an object's body, and then nothing more."""

    async def transmit(line):
        await line.write(line.head + line.body[: len(line.body) // 2])
        await asyncio.Event().wait()

    if request.operation == "GetObject":
        response.transmit = transmit
    return response


@pytest.mark.parametrize("seconds", [1, 3])
def test_timeout(seconds, tmp_path):
    """``--timeout S``: a body that stands still for so long is given up."""
    server = S3Server(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    server.seams = Seams(revise=stall)
    server.store.create_bucket("bkt")
    server.store.put("bkt", "k", content(1, 1000))
    options = ("--timeout", str(seconds), "--retry-attempts", "0")
    with server:
        orbit = Orbit(Endpoint(kind="embedded", url=server.url).environment)
        result = orbit("cp", "--json", "s3://bkt/k", tmp_path / "k", *options).expect(1)
    assert [event["code"] for event in result.failures] == ["E_TIMEOUT"]
    assert f"no byte moved for {seconds} s" in result.failures[0]["error"]
    assert seconds <= result.summary["duration_secs"] < seconds + 25
    assert not (tmp_path / "k").exists()


def test_acceleration_is_for_aws(orbit, file):
    """``--use-acceleration`` with another service's endpoint is refused in one line."""
    result = orbit("cp", file, "s3://bkt/k", "--use-acceleration")
    assert (result.code, len(result.errors)) == (2, 1)
    assert "--use-acceleration is for AWS's own hosts" in result.errors[0]
