"""Credentials from everywhere that botocore finds them, and one clear line where there are none."""

import datetime as dt
import http.server
import json
import os
import sys
import threading

import botocore.session
import pytest

from orbit_fast.core.errors import Authentication
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.model import Credentials
from orbit_fast.core.settings import ClientSettings
from orbit_fast.io import credentials
from orbit_fast.io.credentials import needs_botocore
from orbit_fast.io.credentials import resolve

SECRET = "wJalrXUtnFEMIsecretcanary"
EXPIRES = "2099-01-02T03:04:05Z"
EXPIRES_S = dt.datetime(2099, 1, 2, 3, 4, 5, tzinfo=dt.UTC).timestamp()
STS_ANSWER = (
    '<{0}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{0}Result><Credentials>'
    "<AccessKeyId>AKASSUMED</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
    f"<Expiration>{EXPIRES}</Expiration></Credentials></{{0}}Result></{{0}}Response>"
)
STS_REFUSAL = (
    '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
    "<Code>AccessDenied</Code><Message>not\n authorized to assume</Message></Error></ErrorResponse>"
)
JSON_ANSWER = json.dumps(
    {"Code": "Success", "AccessKeyId": "AKJSON", "SecretAccessKey": "s", "Token": "t", "Expiration": EXPIRES}
)


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """A clean environment: no AWS variable, an empty home. Both this process's and the mapping that is passed."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Environment(dict):
        def __setitem__(self, name, value):
            super().__setitem__(name, value)
            monkeypatch.setenv(name, value)

        def write(self, text, name):
            path = tmp_path / ".aws" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            return str(path)

    made = Environment(os.environ)
    made["AWS_EC2_METADATA_DISABLED"] = "true"
    return made


@pytest.fixture
def service():
    """A loopback server that is STS, the container agent and the instance's metadata, told what to answer."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode()
            self.server.requests.append(f"{self.command} {self.path} {body}")
            status, text = self.server.answer(self.command, self.path, body)
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PUT = do_GET  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_):
            """Keep stderr clean."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.requests = []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _sts(_, __, body):
    action = "AssumeRoleWithWebIdentity" if "WithWebIdentity" in body else "AssumeRole"
    return 200, STS_ANSWER.format(action)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, Credentials("AK", SECRET, "", 0.0, "env")),
        ({"AWS_SESSION_TOKEN": "new"}, Credentials("AK", SECRET, "new", 0.0, "env")),
        ({"AWS_SECURITY_TOKEN": "old"}, Credentials("AK", SECRET, "old", 0.0, "env")),
        ({"AWS_SESSION_TOKEN": "new", "AWS_SECURITY_TOKEN": "old"}, Credentials("AK", SECRET, "old", 0.0, "env")),
        ({"AWS_PROFILE": "other"}, Credentials("AK", SECRET, "", 0.0, "env")),
        ({"AWS_CREDENTIAL_EXPIRATION": EXPIRES}, Credentials("AK", SECRET, "", EXPIRES_S, "env")),
    ],
)
def test_from_the_environment_as_botocore_reads_it(environment, variables, expected):
    """Keys in the environment are taken as they are, and are those that botocore's chain would find."""
    environment.write("[profile other]\nregion = x\n", "config")
    for name, value in {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": SECRET, **variables}.items():
        environment[name] = value
    assert needs_botocore(ClientSettings(), environment) == ("AWS_CREDENTIAL_EXPIRATION" in variables)
    found = resolve(ClientSettings(), environment)
    assert found == expected
    theirs = botocore.session.Session().get_credentials().get_frozen_credentials()
    assert (found.access_key, found.secret_key, found.token) == (*theirs[:2], theirs[2] or "")


def test_the_quick_way_imports_no_botocore(environment, monkeypatch):
    """Neither keys in the environment nor anonymous access open a session."""
    monkeypatch.setattr(credentials, "open_session", None)
    environment["AWS_ACCESS_KEY_ID"] = "AK"
    environment["AWS_SECRET_ACCESS_KEY"] = SECRET
    assert resolve(ClientSettings(), environment).access_key == "AK"
    anonymous = resolve(ClientSettings(no_sign_request=True, profile="nobody"), environment)
    assert anonymous.is_anonymous()
    assert anonymous.provider == "anonymous"


@pytest.mark.parametrize(
    ("options", "variables", "expected"),
    [
        ({}, {}, True),
        ({"no_sign_request": True}, {}, False),
        ({"no_sign_request": True, "profile": "p"}, {}, False),
        ({}, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}, False),
        ({}, {"AWS_ACCESS_KEY_ID": "a"}, True),
        ({}, {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "s"}, True),
        ({"profile": "p"}, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}, True),
        ({"credentials_file": "f"}, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}, True),
    ],
)
def test_when_botocore_is_needed(options, variables, expected):
    """Only where the environment does not say it all."""
    assert needs_botocore(ClientSettings(**options), variables) is expected


def test_an_option_wins_over_the_environment(environment, tmp_path):
    """A profile or a credentials file on the command line is taken although the environment has keys."""
    environment["AWS_ACCESS_KEY_ID"] = "AKENV"
    environment["AWS_SECRET_ACCESS_KEY"] = "env"
    environment.write(
        "[default]\naws_access_key_id = AKDEF\naws_secret_access_key = d\n"
        "[other]\naws_access_key_id = AKOTHER\naws_secret_access_key = o\naws_session_token = t\n",
        "credentials",
    )
    (tmp_path / "own").write_text(
        "[default]\naws_access_key_id = AKOWN\naws_secret_access_key = w\n"
        "[other]\naws_access_key_id = AKOWN2\naws_secret_access_key = w\n"
    )
    own = str(tmp_path / "own")

    def found(**options):
        return resolve(ClientSettings(**options), environment)

    assert found() == Credentials("AKENV", "env", "", 0.0, "env")
    assert found(profile="other") == Credentials("AKOTHER", "o", "t", 0.0, "shared-credentials-file")
    assert found(profile="default").access_key == "AKDEF"
    assert found(credentials_file=own).access_key == "AKOWN"
    assert found(credentials_file=own, profile="other").access_key == "AKOWN2"
    environment["AWS_PROFILE"] = "other"
    assert found(credentials_file=own).access_key == "AKOWN2"


def test_from_files_in_the_usual_places(environment):
    """The shared credentials file wins over the configuration file."""
    environment.write("[default]\naws_access_key_id = AKCONF\naws_secret_access_key = c\n", "config")
    assert resolve(ClientSettings(), environment).provider == "config-file"
    environment.write("[default]\naws_access_key_id = AKSHARED\naws_secret_access_key = c\n", "credentials")
    assert resolve(ClientSettings(), environment).access_key == "AKSHARED"


def test_from_a_process(environment, tmp_path):
    """A credential process is run again each time: a second call is a refresh."""
    script = tmp_path / "give.py"
    script.write_text(
        "import json, pathlib\n"
        f"path = pathlib.Path({str(tmp_path / 'count')!r})\n"
        "count = int(path.read_text()) + 1 if path.exists() else 1\n"
        "path.write_text(str(count))\n"
        f"print(json.dumps({{'Version': 1, 'AccessKeyId': f'AK{{count}}', 'SecretAccessKey': 's',"
        f" 'SessionToken': 't', 'Expiration': {EXPIRES!r}}}))\n"
    )
    environment.write(f"[profile p]\ncredential_process = {sys.executable} {script}\n", "config")
    environment["AWS_PROFILE"] = "p"
    assert resolve(ClientSettings(), environment) == Credentials("AK1", "s", "t", EXPIRES_S, "custom-process")
    assert resolve(ClientSettings(), environment).access_key == "AK2"


def test_from_an_assumed_role(environment, service):
    """A role is assumed with the source profile's keys, and its end is known."""
    service.answer = _sts
    environment.write(
        "[profile role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = base\nregion = us-west-2\n"
        "[profile base]\naws_access_key_id = AK\naws_secret_access_key = s\n",
        "config",
    )
    environment["AWS_ENDPOINT_URL_STS"] = service.url
    found = resolve(ClientSettings(profile="role"), environment)
    assert found == Credentials("AKASSUMED", "s", "t", EXPIRES_S, "assume-role")
    assert "Action=AssumeRole&" in service.requests[0]


def test_from_a_web_identity(environment, service, tmp_path):
    """A token file is exchanged for a role's keys, as in Kubernetes."""
    service.answer = _sts
    (tmp_path / "token").write_text("header.payload.signature")
    environment["AWS_WEB_IDENTITY_TOKEN_FILE"] = str(tmp_path / "token")
    environment["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/x"
    environment["AWS_ENDPOINT_URL_STS"] = service.url
    found = resolve(ClientSettings(region="eu-west-1"), environment)
    assert (found.access_key, found.provider) == ("AKASSUMED", "assume-role-with-web-identity")
    (tmp_path / "token").unlink()
    with pytest.raises(Authentication, match=r"could not be obtained: .*No such file"):
        resolve(ClientSettings(region="eu-west-1"), environment)


def test_from_a_container(environment, service):
    """The container agent is asked at the address it gives."""
    service.answer = lambda *_: (200, JSON_ANSWER)
    environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{service.url}/creds"
    found = resolve(ClientSettings(), environment)
    assert found == Credentials("AKJSON", "s", "t", EXPIRES_S, "container-role")


def test_from_an_instance(environment, service):
    """Instance metadata is asked with a session token of its own (IMDSv2)."""

    def answer(method, path, _):
        if method == "PUT":
            return 200, "imds-token"
        return 200, JSON_ANSWER if path.endswith("/role") else "role"

    service.answer = answer
    environment["AWS_EC2_METADATA_DISABLED"] = "false"
    environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = service.url
    found = resolve(ClientSettings(), environment)
    assert (found.access_key, found.expires_at_s, found.provider) == ("AKJSON", EXPIRES_S, "iam-role")
    assert service.requests[0].startswith("PUT /latest/api/token")


SSO_PROFILE = (
    "[profile sso]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n"
    "[sso-session s]\nsso_region = us-east-1\nsso_start_url = https://example.awsapps.com/start\n"
)


@pytest.mark.parametrize(
    ("config", "options", "variables", "kind", "complaint"),
    [
        ("", {}, {}, Authentication, "no credentials found: set AWS_ACCESS_KEY_ID and "),
        ("", {}, {"AWS_ACCESS_KEY_ID": "AK"}, Authentication,
         "incomplete credentials: AWS_SECRET_ACCESS_KEY is missing"),
        ("", {}, {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_CREDENTIAL_EXPIRATION": "soon"},
         Authentication, "the credentials could not be obtained: "),
        ("", {"profile": "nobody"}, {}, InvalidConfig, "no such AWS profile: nobody"),
        ("", {}, {"AWS_PROFILE": "nobody"}, InvalidConfig, "no such AWS profile: nobody"),
        ("", {"credentials_file": "/no/such/file"}, {}, InvalidConfig,
         "--credentials-file: No such file or directory: /no/such/file"),
        ("", {"credentials_file": "/"}, {}, InvalidConfig, "--credentials-file: Is a directory: /"),
        ("[default", {}, {}, InvalidConfig, "not a readable AWS configuration file: "),
        ("[profile p]\nrole_arn = x\nsource_profile = none\n", {"profile": "p"}, {}, InvalidConfig,
         'The source_profile "none" referenced in the profile "p" does not exist'),
        ("[profile p]\nrole_arn = x\nsource_profile = q\n[profile q]\nrole_arn = y\nsource_profile = p\n",
         {"profile": "p"}, {}, InvalidConfig, "Infinite loop in credential configuration"),
        ("[profile p]\nrole_arn = x\n", {"profile": "p"}, {}, Authentication, "incomplete credentials: "),
        ("[profile p]\ncredential_process = false\n", {"profile": "p"}, {}, Authentication,
         "the credentials could not be obtained: Error when retrieving credentials from custom-process"),
        ("[profile p]\ncredential_process = echo nothing\n", {"profile": "p"}, {}, Authentication,
         "the credentials could not be obtained: "),
        ("[profile p]\ncredential_process = /no/such/program\n", {"profile": "p"}, {}, Authentication,
         "the credentials could not be obtained: "),
        (SSO_PROFILE, {"profile": "sso"}, {}, Authentication,
         "the login session is missing or has expired: run 'aws sso login --profile sso'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_clear_line(environment, config, options, variables, kind, complaint):
    """Each kind of trouble says what it is, stops the job with exit code 2, and shows no secret."""
    if config:
        environment.write(config, "config")
    for name, value in variables.items():
        environment[name] = value
    with pytest.raises(S3Error) as caught:
        resolve(ClientSettings(**options), environment)
    assert type(caught.value) is kind
    assert caught.value.message.startswith(complaint)
    assert "\n" not in caught.value.message
    assert int(caught.value.exit_code) == 2
    assert SECRET not in caught.value.message
    assert caught.value.__cause__ is None


def test_a_refused_role_says_what_the_service_said(environment, service):
    """The operation, the code and the message, in one line."""
    service.answer = lambda *_: (403, STS_REFUSAL)
    environment.write(
        "[profile role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = base\nregion = us-west-2\n"
        f"[profile base]\naws_access_key_id = AK\naws_secret_access_key = {SECRET}\n",
        "config",
    )
    environment["AWS_ENDPOINT_URL_STS"] = service.url
    with pytest.raises(Authentication) as caught:
        resolve(ClientSettings(profile="role"), environment)
    assert caught.value.message == (
        "the credentials could not be obtained: AssumeRole: AccessDenied: not authorized to assume"
    )
    assert caught.value.code == "AccessDenied"


def test_an_endless_message_is_cut(environment, tmp_path):
    """What a credential process says on stderr does not fill the screen."""
    script = tmp_path / "fail.py"
    script.write_text("import sys\nsys.exit('x' * 10000)\n")
    environment.write(f"[profile p]\ncredential_process = {sys.executable} {script}\n", "config")
    with pytest.raises(Authentication) as caught:
        resolve(ClientSettings(profile="p"), environment)
    assert len(caught.value.message) < 400


def test_no_secret_is_shown():
    """The repr of credentials holds neither secret nor token."""
    text = repr(Credentials("AKIAEXAMPLE", SECRET, "token-canary", 0.0, "env"))
    assert SECRET not in text
    assert "token-canary" not in text
