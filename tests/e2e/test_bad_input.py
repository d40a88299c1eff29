"""Bad input: one clear line on stderr and exit 2; under ``--json`` one failure event and the summary, and no stderr.

Every row is a command line. ``D`` stands for the test's directory, which holds the file ``f``, the directory ``dir``
with one file in it, and nothing else; the server has the bucket ``bkt`` with the one object ``k``.
"""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from orbit_fast.testing.settings import Identity
from tests.kit.powers import without_root_powers
from tests.kit.trees import read_tree

WRONG_SECRET = {"AWS_SECRET_ACCESS_KEY": "wrong"}
UNKNOWN_KEY = {"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN000000000"}
EXPIRED = {"AWS_ACCESS_KEY_ID": "ASIAEXPIRED000000000", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
NOBODY = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_EC2_METADATA_DISABLED": "true"}

NO_BUCKET = "NoSuchBucket: NoSuchBucket: The specified bucket does not exist"
MAKE_IT = ": look at the name (orbit ls says what there is), or make it with orbit mb s3://gone"
BAD_SIGNATURE = (
    "SignatureDoesNotMatch: SignatureDoesNotMatch: The request signature we calculated does not match the signature "
    "you provided. Check your key and signing method."
)
UNKNOWN = "InvalidAccessKeyId: InvalidAccessKeyId: The AWS Access Key Id you provided does not exist in our records."
LOOK_AT_SECRET = ": look at AWS_SECRET_ACCESS_KEY or --profile: the secret key is not that key id's"
LOOK_AT_KEY = ": look at AWS_ACCESS_KEY_ID or --profile, and whether --endpoint-url is the keys' service"
TOO_LATE = "ExpiredToken: ExpiredToken: The provided token has expired."
RENEW = ": get fresh ones: log in again (aws sso login), or renew the temporary keys"
LOOK = "(orbit ls s3://bkt/ says what is there)"
UNSIGNED = (
    "AccessDenied: AccessDenied: Access Denied (s3://bkt/k): it needs s3:GetObject; where readers pay, "
    "--request-payer; --profile names other credentials"
)
NO_CREDENTIALS = (
    "E_CREDENTIALS: no credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with "
    "--profile, run 'aws configure', or use --no-sign-request for public buckets"
)
PROFILES = "(aws configure list-profiles says which there are)"
UNTRUSTED = (
    "E_TLS_TRUST: the certificate of 127.0.0.1 is not trusted: unable to get local issuer certificate "
    "(give its authority with --ca-bundle FILE)"
)
SIZES = "(for example 50MiB, 1.5GB, 64K, 4096)"

ROWS = {
    "no such file": ("cp D/nope s3://bkt/", {}, "E_NO_SOURCE: no such file or directory: D/nope"),
    "no such directory": ("cp -R D/nope s3://bkt/", {}, "E_NO_SOURCE: no such file or directory: D/nope"),
    "no such key": ("cp s3://bkt/nope D/o", {}, f"NoSuchKey: no such object: s3://bkt/nope {LOOK}"),
    "no such key to copy": ("cp s3://bkt/nope s3://bkt/o", {}, f"NoSuchKey: no such object: s3://bkt/nope {LOOK}"),
    "nothing under the prefix": ("cp -R s3://bkt/nope/ D/o", {}, f"E_NO_SOURCE: nothing matches s3://bkt/nope/ {LOOK}"),
    "nothing matches": ("cp s3://bkt/nope* D/o", {}, f"E_NO_SOURCE: nothing matches s3://bkt/nope* {LOOK}"),
    "no such bucket, list": ("cp -R s3://gone/ D/o", {}, f"{NO_BUCKET} (s3://gone){MAKE_IT}"),
    "no such bucket, key": ("cp s3://gone/k D/o", {}, f"{NO_BUCKET} (s3://gone/k){MAKE_IT}"),
    "no such bucket, tree": ("cp -R D/dir s3://gone/", {}, f"{NO_BUCKET} (s3://gone){MAKE_IT}"),
    "wrong secret, list": ("cp -R s3://bkt/ D/o", WRONG_SECRET, f"{BAD_SIGNATURE} (s3://bkt){LOOK_AT_SECRET}"),
    "wrong secret, key": ("cp s3://bkt/k D/o", WRONG_SECRET, f"{BAD_SIGNATURE} (s3://bkt/k){LOOK_AT_SECRET}"),
    "wrong secret, tree": ("cp -R D/dir s3://bkt/", WRONG_SECRET, f"{BAD_SIGNATURE} (s3://bkt){LOOK_AT_SECRET}"),
    "unknown access key": (
        "cp s3://bkt/k D/o",
        UNKNOWN_KEY,
        f"{UNKNOWN} (s3://bkt/k){LOOK_AT_KEY}",
    ),
    "expired token, key": (
        "cp s3://bkt/k D/o",
        EXPIRED,
        f"{TOO_LATE} (s3://bkt/k){RENEW}",
    ),
    "expired token, tree": (
        "cp -R D/dir s3://bkt/",
        EXPIRED,
        f"{TOO_LATE} (s3://bkt){RENEW}",
    ),
    "no credentials": ("cp s3://bkt/k D/o", NOBODY, NO_CREDENTIALS),
    "unsigned": ("cp s3://bkt/k D/o --no-sign-request", {}, UNSIGNED),
    "no such profile": (
        "cp s3://bkt/k D/o --aws-profile nobody",
        {},
        f"E_USAGE: no such AWS profile: nobody {PROFILES}",
    ),
    "endpoint without scheme": (
        "cp s3://bkt/k D/o --endpoint-url localhost:9000",
        {},
        "E_USAGE: --endpoint-url must begin with http:// or https://: 'localhost:9000'",
    ),
    "endpoint with a bad port": (
        "cp s3://bkt/k D/o --endpoint-url http://h:99999",
        {},
        "E_USAGE: --endpoint-url is not a URL: 'http://h:99999'",
    ),
    "endpoint of the environment": (
        "cp s3://bkt/k D/o",
        {"AWS_ENDPOINT_URL_S3": "nonsense"},
        "E_USAGE: AWS_ENDPOINT_URL_S3 must begin with http:// or https://: 'nonsense'",
    ),
    "nobody listens": (
        "cp -R D/dir s3://bkt/ --endpoint-url CLOSED --retry-attempts 1",
        {},
        "E_CONNECT: CLOSED (127.0.0.1) takes no connection: Connection refused (does it run, is --endpoint-url right?)",
    ),
    "no such host": (
        "cp s3://bkt/k D/o --endpoint-url http://no-such-host.invalid --retry-attempts 1",
        {},
        "E_DNS: the host no-such-host.invalid does not exist (is --endpoint-url right, or --region?)",
    ),
    "untrusted certificate": ("cp s3://bkt/k D/o --endpoint-url TLS", {}, UNTRUSTED),
    "untrusted certificate, tree": ("cp -R D/dir s3://bkt/ --endpoint-url TLS", {}, UNTRUSTED),
    "certificates that are not there": (
        "cp s3://bkt/k D/o --endpoint-url TLS --ca-bundle D/nope",
        {},
        "E_USAGE: the CA bundle 'D/nope' cannot be used: No such file or directory",
    ),
    "destination below a file": (
        "cp s3://bkt/k D/f/o",
        {},
        "E_IO: the destination is a file, not a directory: D/f",
    ),
    "many into a file": (
        "cp -R s3://bkt/ D/f",
        {},
        "E_USAGE: the destination must be a directory and is not: D/f",
    ),
    "unknown option": (
        "cp --recursiv D/dir s3://bkt/",
        {},
        "E_USAGE: no such option: --recursiv (did you mean --recursive?)",
    ),
    "bad size": (
        "cp --part-size 12parsecs D/f s3://bkt/",
        {},
        f"E_USAGE: --part-size: not a size: '12parsecs' {SIZES}",
    ),
    "size too small": ("cp --part-size 1KiB D/f s3://bkt/", {}, "E_USAGE: --part-size: '1KiB' is less than 5.0 MiB"),
    "bad size of the environment": (
        "cp D/f s3://bkt/",
        {"ORBIT_PART_SIZE": "many"},
        f"E_USAGE: ORBIT_PART_SIZE: not a size: 'many' {SIZES}",
    ),
    "bad number": ("cp --workers 0 D/f s3://bkt/", {}, "E_USAGE: --workers: '0' is not a whole number from 1 to 65536"),
    "bad choice": ("cp --sse DES D/f s3://bkt/", {}, "E_USAGE: --sse: 'DES' is not one of AES256, aws:kms"),
    "bad age": (
        "cp --newer-than soon D/f s3://bkt/",
        {},
        "E_USAGE: --newer-than: not an age or date: 'soon' (for example 24h, 7d, 2026-01-31, 2026-01-31T12:00:00Z)",
    ),
    "bad metadata": ("cp --metadata novalue D/f s3://bkt/", {}, "E_USAGE: --metadata: 'novalue' is not NAME=VALUE"),
    "bad region": ("cp D/f s3://bkt/ --region not/one", {}, "E_USAGE: not a region: 'not/one'"),
    "bad bucket": (
        "cp D/f s3://B!/",
        {},
        "InvalidBucketName: not a bucket name: 'B!' (1 to 255 of letters, digits, '.', '-' and '_')",
    ),
    "one argument": ("cp D/f", {}, "E_USAGE: cp needs a source and a destination: orbit cp SRC... DST"),
    "both local": ("cp D/f D/g", {}, "E_USAGE: one side must be in S3 (s3://bucket/key); both are local"),
    "mixed sources": ("cp D/f s3://bkt/k s3://bkt/x/", {}, "E_USAGE: sources must be all local or all in S3"),
    "a directory": (
        "cp D/dir s3://bkt/",
        {},
        "E_USAGE: D/dir is a directory: add --recursive to copy what is in it",
    ),
    "a bucket": ("cp s3://bkt D/o", {}, "E_USAGE: s3://bkt/ is a bucket: add --recursive, or a key or wildcard"),
    "a key that is none": (
        "cp D/f s3://bkt/ --sse-c-key-file D/f",
        {},
        "E_USAGE: --sse-c-key-file: 'D/f' holds no 256-bit key: 32 bytes, or their base64, are expected",
    ),
}

OBJECT_ROWS = {
    "no such bucket": ("cp D/f s3://gone/", {}, "D/f s3://gone/f", f"{NO_BUCKET} (s3://gone/f){MAKE_IT}"),
    "no such bucket to copy to": (
        "cp s3://bkt/k s3://gone/",
        {},
        "s3://bkt/k s3://gone/k",
        f"{NO_BUCKET} (s3://gone/k){MAKE_IT}",
    ),
    "wrong secret": (
        "cp D/f s3://bkt/",
        WRONG_SECRET,
        "D/f s3://bkt/f",
        f"{BAD_SIGNATURE} (s3://bkt/f){LOOK_AT_SECRET}",
    ),
    "expired token": (
        "cp D/f s3://bkt/",
        EXPIRED,
        "D/f s3://bkt/f",
        f"{TOO_LATE} (s3://bkt/f){RENEW}",
    ),
    "untrusted certificate": ("cp D/f s3://bkt/ --endpoint-url TLS", {}, "D/f s3://bkt/f", UNTRUSTED),
    "nobody listens": (
        "cp D/f s3://bkt/ --endpoint-url CLOSED --retry-attempts 1",
        {},
        "D/f s3://bkt/f",
        "E_CONNECT: CLOSED (127.0.0.1) takes no connection: Connection refused (does it run, is --endpoint-url right?)",
    ),
    "metadata that no header carries": (
        "cp D/f s3://bkt/ --metadata a=\u00e9",
        {},
        "D/f s3://bkt/f",
        "E_USAGE: metadata 'a' holds characters that an HTTP header cannot carry (ASCII only): '\u00e9'",
    ),
}
"""Where the one object of the job is named too, because its own request was the one that failed."""


@pytest.fixture
def fill(server, tmp_path, closed, request):
    """Puts the test's own names into a text; makes what the rows speak of."""
    server.store.put("bkt", "k", b"content")
    server.identities[EXPIRED["AWS_ACCESS_KEY_ID"]] = Identity(
        access_key=EXPIRED["AWS_ACCESS_KEY_ID"], secret_key="s", token="t", expires_at_s=1.0
    )
    (tmp_path / "f").write_bytes(b"file")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "a").write_bytes(b"a")

    def fill(text):
        if "TLS" in text.split():
            text = text.replace(" TLS", " " + request.getfixturevalue("tls").server.url)
        return text.replace("CLOSED", closed).replace("D/", f"{tmp_path}/")

    return fill


@pytest.fixture(scope="session")
def closed():
    """The URL of a port on which nobody listens and which nobody else is given: bound, not listening."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def nothing_changed(server, tmp_path):
    """Nothing was written, here or there."""
    return server.store.keys("bkt") == ["k"] and read_tree(tmp_path) == {"f": b"file", "dir/a": b"a"}


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS)
def test_one_line_and_exit_2(row, orbit, server, fill, tmp_path):
    """The line says what is wrong; nothing is written; the JSON form says the same."""
    typed, environment, said = ROWS[row]
    arguments = [fill(argument) for argument in fill(typed).split(" ")]
    orbit = orbit.with_environment(**environment)
    code, _, message = fill(said).partition(": ")

    orbit(*arguments).expect(2, err=f'ERROR "cp": {code}: {message_of(code, message)}\n'.encode())
    report = orbit(*arguments, "--json").expect(2)

    assert [(event["code"], event["error"]) for event in report.failures] == [(code, message)]
    assert "source" not in report.failures[0]
    assert (report.counts, report.summary["interrupted"]) == ((0, 0, 0), False)
    assert nothing_changed(server, tmp_path)


def message_of(code, message):
    """The text line names a code once."""
    return message.removeprefix(f"{code}: ")


@pytest.mark.slow
@pytest.mark.parametrize("row", OBJECT_ROWS)
def test_the_only_object(row, orbit, server, fill, tmp_path):
    """A job of one object that cannot be done names the object in its one line."""
    typed, environment, named, said = OBJECT_ROWS[row]
    arguments = [fill(argument) for argument in fill(typed).split(" ")]
    orbit = orbit.with_environment(**environment)
    code, _, message = fill(said).partition(": ")

    orbit(*arguments).expect(2, err=f'ERROR "cp {fill(named)}": {code}: {message_of(code, message)}\n'.encode())
    report = orbit(*arguments, "--json").expect(2)

    found = [(event["source"], event["destination"], event["code"], event["error"]) for event in report.failures]
    assert found == [(*fill(named).split(" "), code, message)]
    assert report.counts == (0, 0, 1)
    assert nothing_changed(server, tmp_path)


@pytest.mark.slow
def test_unknown_command(orbit):
    """Exit 2, one line, and the JSON form under the name of the program."""
    orbit("copy", "a", "s3://bkt/").expect(2, err=b'ERROR "orbit": E_USAGE: no such command: copy (did you mean cp?)\n')
    report = orbit("--json", "copy", "a", "s3://bkt/").expect(2)
    assert [(event["operation"], event["code"]) for event in report.failures] == [("orbit", "E_USAGE")]
    assert report.summary["command"] == "orbit"


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [("cp", "s3://bkt/k", "ro/o"), ("cp", "-R", "s3://bkt/", "ro"), ("cp", "-R", "s3://bkt/", "ro/new")]
)
def test_unwritable_destination(arguments, orbit, server, fill, tmp_path):
    """A directory that may not be written is told before anything is fetched."""
    closed = tmp_path / "ro"
    closed.mkdir(mode=0o555)
    orbit = replace(orbit, directory=tmp_path, prefix=without_root_powers())
    result = orbit(*arguments)
    reason = (
        "the destination cannot be made: Permission denied: ro/new"
        if arguments[-1] == "ro/new"
        else "the destination directory cannot be written: ro"
    )
    result.expect(2, err=f'ERROR "cp": E_IO: {reason}\n'.encode())
    report = orbit(*arguments, "--json").expect(2)
    assert [(event["code"], event["error"]) for event in report.failures] == [("E_IO", reason)]
    assert list(closed.iterdir()) == []
    assert server.store.counts["GetObject"] == 0


@pytest.mark.slow
def test_one_of_many_that_is_missing_fails_alone(orbit, server, tmp_path):
    """The others are copied and the exit code is 1; where nothing is there at all it is 2."""
    server.store.put("bkt", "there", b"1")
    (tmp_path / "here").write_bytes(b"2")
    result = orbit("cp", "--json", "s3://bkt/there", "s3://bkt/none", "s3://bkt/no*", tmp_path / "out").expect(1)
    assert sorted((event["source"], event["code"]) for event in result.failures) == [
        ("s3://bkt/no*", "E_NO_SOURCE"),
        ("s3://bkt/none", "NoSuchKey"),
    ]
    assert (tmp_path / "out" / "there").read_bytes() == b"1"
    result = orbit("cp", "--json", tmp_path / "here", tmp_path / "gone", "s3://bkt/up/").expect(1)
    assert [event["code"] for event in result.failures] == ["E_NO_SOURCE"]
    assert server.store.read("bkt", "up/here") == b"2"
    orbit("cp", "--json", tmp_path / "gone", tmp_path / "away", "s3://bkt/up/").expect(2)
