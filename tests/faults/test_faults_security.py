"""What must not happen whoever is hostile: secrets shown, hosts wandered to, memory exhausted, terminals driven.

Rows without a test here:

===  ==================================================================================================================
S1   workers that cannot be dumped: not promised; who may read their memory is the same user.
S3   presigned URLs: nothing prints any yet; that the redactor knows them is tested in `core`.
S4   TLS: row C7.
S7   the instance's metadata service is botocore's to ask.
S15  how dependencies are pinned is no behaviour of the command. S16: there is no journal yet.
===  ==================================================================================================================
"""

from __future__ import annotations

import ast
import base64
import contextlib
import os
import pty
import re
import threading
from pathlib import Path

import pytest

import orbit_fast
from orbit_fast.testing import HttpResponse
from orbit_fast.testing import Identity
from orbit_fast.testing import S3Server
from orbit_fast.testing.blob import Content
from tests.kit import faults_actions as act
from tests.kit.command import Orbit
from tests.kit.command import descendants
from tests.kit.command import finish
from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import LARGE
from tests.kit.fault_run import SMALL
from tests.kit.fault_run import open_lab
from tests.kit.faults import ALWAYS
from tests.kit.faults import Rule
from tests.kit.faults_verdict import Aim
from tests.kit.trees import content

LIST = "ListObjectsV2"
GET = "GetObject"
COMPLETE = "CompleteMultipartUpload"
CREATE = "CreateMultipartUpload"
SECRET = "wJalrXUtnCANARY/K7MDENGsecret+bPxRfiCYEXAMPLE"
TOKEN = "FwoGZXIvCANARYtokenXIvYXdzEBYaDHJlYWxseSBsb25nIHRva2Vu+/8="
CUSTOMER_KEY = b"CANARY-customer-key-of-32-bytes!"
CANARIES = (SECRET, TOKEN, CUSTOMER_KEY.decode(), base64.b64encode(CUSTOMER_KEY).decode())
IDENTITY = Identity(access_key="AKIDCANARY0000000000", secret_key=SECRET, token=TOKEN)
SIGNATURE = re.compile(rb"[Ss]ignature=[0-9a-f]{64}|AWS4-HMAC-SHA256|[?&]X-Amz-Signature=[0-9a-f]")


@pytest.fixture
def guarded(tmp_path):
    """A lab whose credentials are canaries, with a session token; they stand in a file and in the environment."""
    with open_lab(tmp_path, identity=IDENTITY) as lab:
        lab.environment |= {
            "AWS_ACCESS_KEY_ID": IDENTITY.access_key,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SESSION_TOKEN": TOKEN,
        }
        yield lab


def keep_in_a_file(lab):
    """Move the credentials out of the environment into a file; the option that names it."""
    path = lab.directory / "credentials"
    path.write_text(
        f"[default]\naws_access_key_id = {IDENTITY.access_key}\naws_secret_access_key = {SECRET}\n"
        f"aws_session_token = {TOKEN}\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        lab.environment.pop(name)
    return ("--credentials-file", path)


def customer_key(lab):
    """The option that names a file with the customer's key."""
    path = lab.directory / "customer.key"
    path.write_bytes(CUSTOMER_KEY)
    return ("--sse-c-key-file", path)


def shows_nothing(*texts):
    """No canary and no signature is in any of these."""
    for text in texts:
        for canary in CANARIES:
            assert canary.encode() not in text, (canary, text[-2000:])
        assert SIGNATURE.search(text) is None, text[-2000:]


# --- S1: what others see of the processes -----------------------------------------------------------------------------


def _seen(pid):
    """What ``ps`` shows of a process, and its environment as it was given."""
    base = Path("/proc") / str(pid)
    return (base / "cmdline").read_bytes() + (base / "comm").read_bytes(), (base / "environ").read_bytes()


def look_at_processes(lab, *arguments):
    """Run the command, and look at all its processes while an object's bytes are held back."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("there is no /proc to look at")
    arrived, until = threading.Event(), threading.Event()
    lab.put("object", content(7, LARGE))
    lab.plan.add(Rule(action=act.pause(arrived=arrived, until=until), operation=GET))
    command = lab.command(*arguments, f"s3://{BUCKET}/object", lab.target / "object")
    with Orbit(lab.environment).start(*command, "--processes", "2") as process:
        try:
            assert arrived.wait(60)
            pids = [process.pid, *(child.pid for child in descendants(process.pid))]
            found = [_seen(pid) for pid in pids]
        finally:
            until.set()
        result = finish(process).expect(0)
    assert len(found) >= 3
    shows_nothing(result.out, result.err)
    return found


def test_s1_no_secret_stands_in_a_process_list(guarded):
    """Credentials from a file are in no argument, title or environment of the supervisor and its workers."""
    for shown, environment in look_at_processes(guarded, *keep_in_a_file(guarded)):
        shows_nothing(shown, environment)


def test_s1_the_environment_stays_what_the_user_gave(guarded):
    """Workers inherit the user's environment, credentials in it included; nothing is added, and no argument has any."""
    given = {f"{name}={value}".encode() for name, value in guarded.environment.items()}
    given |= {b"HOME=/dev/null", f"PATH={os.environ['PATH']}".encode()}
    for shown, environment in look_at_processes(guarded):
        shows_nothing(shown)
        assert {line for line in environment.split(b"\0") if line} <= given


# --- S2, S3: what is written ------------------------------------------------------------------------------------------


def _echo(request):
    """An error document that repeats what the request carried, as some services do for debugging."""
    told = " ".join(f"{name}: {value}" for name, value in request.headers.items())
    body = (
        f"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>denied: {told} "
        f"https://h/k?X-Amz-Credential=AKID%2F1&amp;X-Amz-Security-Token={TOKEN}&amp;X-Amz-Signature={'ab' * 32}"
        f"</Message><StringToSign>{told}</StringToSign><AWSSecretAccessKey>{SECRET}</AWSSecretAccessKey>"
        f"<RequestId>FAULT</RequestId></Error>"
    )
    headers = [("content-type", "application/xml")]
    if request.method == "HEAD":
        return HttpResponse(status=403, headers=headers, length=0)
    return HttpResponse(status=403, headers=headers, body=Content.of(body.encode()))


TROUBLES = {
    "nothing": None,
    "echo": act.handle(run=_echo),
    "refused": act.error(code="SignatureDoesNotMatch", status=403, message=f"StringToSign Signature={'cd' * 32}"),
    "reset": act.reset(),
    "not HTTP": act.raw(data=f"x-amz-security-token: {TOKEN}\r\n\r\n"),
    "a page": act.html(status=500),
    "redirect": act.error(
        code="TemporaryRedirect",
        status=307,
        headers={"location": f"http://h.invalid/?X-Amz-Signature={'ef' * 32}&X-Amz-Security-Token={TOKEN}"},
    ),
}
FORMS = {"json": (), "text": ("--log-level", "debug"), "loud": ("-v", "-v", "--stat", "--log-level", "debug")}


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart", GET, LIST])
@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("form", FORMS)
def test_s2_s3_no_secret_is_written(guarded, form, trouble, operation):
    """Whatever happens and however much is said: no secret, token, customer's key or signature is in the output."""
    lab = guarded
    if TROUBLES[trouble] is not None:
        lab.plan.add(Rule(action=TROUBLES[trouble], operation=operation, times=ALWAYS))
    if operation in {"PutObject", "UploadPart"}:
        lab.file("object", SMALL if operation == "PutObject" else LARGE)
        way = (lab.source / "object", f"s3://{BUCKET}/object")
    else:
        lab.put("p/object", content(7, SMALL))
        way = ("-R", f"s3://{BUCKET}/p/", lab.target)
    command = [
        one for one in lab.command(*FORMS[form], "--retry-attempts", "1", *way) if form == "json" or one != "--json"
    ]
    result = Orbit(lab.environment)(*command)
    assert (result.code == 0) == (trouble == "nothing"), result
    assert result.out or result.err
    shows_nothing(result.out, result.err)


@pytest.mark.parametrize("trouble", ["nothing", "echo"])
def test_s2_the_customers_key_is_not_written(guarded, trouble):
    """Nor is the key of SSE-C, which every request carries (over TLS)."""
    lab = guarded
    if trouble == "echo":
        lab.plan.add(Rule(action=TROUBLES["echo"], times=ALWAYS))
    lab.file("object", SMALL)
    command = lab.command(
        *customer_key(lab), "-v", "--log-level", "debug", lab.source / "object", f"s3://{BUCKET}/object"
    )
    result = Orbit(lab.environment)(*command)
    shows_nothing(result.out, result.err)


# --- S5, S6: where requests go ----------------------------------------------------------------------------------------

WAYS = ["PutObject", CREATE, "UploadPart", COMPLETE, GET, "HeadObject", LIST, "CopyObject"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("operation", WAYS)
def test_s5_a_second_host_sees_no_request(guarded, operation, status):
    """A redirect to another S3 service that would take everything: it sees nothing, and its bytes land nowhere."""
    with S3Server(access_key=IDENTITY.access_key, secret_key=SECRET) as stranger:
        stranger.store.create_bucket(BUCKET)
        stranger.store.put(BUCKET, "object", b"forged")
        before = dict(stranger.store.counts)
        where = f"{stranger.url}/{BUCKET}/object"
        body = f"<?xml version='1.0'?><Error><Code>PermanentRedirect</Code><Endpoint>{stranger.url}</Endpoint></Error>"
        redirect = act.reply(status=status, body=body, headers={"location": where, "content-type": "application/xml"})
        guarded.plan.add(Rule(action=redirect, operation=operation, times=ALWAYS))
        guarded.exercise(operation).honest(1, 2)
        assert dict(stranger.store.counts) == before


def test_s6_nothing_is_read_from_the_working_directory(guarded):
    """Settings that somebody leaves in the directory where the command runs are not taken."""
    hostile = guarded.directory / "hostile"
    (hostile / ".aws").mkdir(parents=True)
    settings = "[default]\nendpoint_url = http://127.0.0.1:9\nregion = nowhere\n"
    for name in (".aws/config", ".aws/credentials", "config", ".orbitrc"):
        (hostile / name).write_text(settings)
    (hostile / ".orbit.toml").write_text('endpoint_url = "http://127.0.0.1:9"\n')
    (hostile / ".env").write_text("AWS_ENDPOINT_URL=http://127.0.0.1:9\n")
    for name in ("orbit_fast", "botocore", "uvloop", "click"):
        (hostile / f"{name}.py").write_text("raise SystemExit(77)\n")
    guarded.cwd = hostile
    guarded.upload(LARGE).right()


# --- S13, S17: what a name or a message does to who reads it ----------------------------------------------------------

EVIL = '\x1b]0;owned\x07\x1b[2J\x1b[31mred\u009b1mC1\u202egnp.\r\nERROR "cp x y": forged'


def on_terminal(lab, *arguments):
    """Run the command with a terminal for stdout and stderr; what it wrote."""
    ours, theirs = pty.openpty()
    command = [one for one in lab.command(*arguments) if one != "--json"]
    found = bytearray()

    def read():
        with contextlib.suppress(OSError):  # the terminal's other end is closed
            while data := os.read(ours, 65536):
                found.extend(data)

    reader = threading.Thread(target=read)
    try:
        with Orbit({**lab.environment, "TERM": "xterm"}).start(*command, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            reader.start()
            code = process.wait(60)
    finally:
        reader.join(60)
        os.close(ours)
    return code, bytes(found)


def _in_key(lab):
    name = f"a{EVIL}".replace("/", "")
    lab.put(f"p/{name}", content(1, 10))
    return 0


def _in_bad_key(lab):
    lab.put(f"p/../{EVIL}", content(1, 10))
    return 1


def _in_message(lab):
    lab.put("p/object", content(1, 10))
    message = (
        EVIL.replace("\x1b", "&#x1b;").replace("\x07", "").replace("\u009b", "&#x9b;").replace("\u202e", "&#x202e;")
    )
    broken = act.error(code="AccessDenied", status=403, message=message)
    raw = act.error(code="Bad\x1b[31m\x9b2JCode", status=400, message=EVIL.encode().decode("latin-1"))
    lab.plan.add(Rule(action=broken, operation=GET), Rule(action=raw, operation=GET, times=ALWAYS))


PLACES = {"key": _in_key, "refused key": _in_bad_key, "message": _in_message}
DRIVES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u202e]|\x1b\\](?!8;)|\x1b\\[2J|\x1b\\[31mred")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("options", [(), ("--no-progress", "-v", "--log-level", "debug")], ids=["progress", "plain"])
def test_s13_names_and_messages_do_not_drive_a_terminal(lab, place, options):
    """Escape sequences in keys and in the service's messages are shown, not obeyed."""
    wanted = PLACES[place](lab)
    code, written = on_terminal(lab, "-R", *options, f"s3://{BUCKET}/p/", lab.target)
    assert wanted is None or code == wanted, written
    text = written.decode()
    assert DRIVES.search(text) is None, text
    assert "forged" in text or place == "message", text


@pytest.mark.parametrize("place", PLACES)
def test_s17_names_and_messages_forge_no_line(lab, place):
    """A newline in a key or message begins no line of its own, on stdout or stderr, in text or JSON."""
    PLACES[place](lab)
    command = lab.command("-R", "-v", "--log-level", "debug", f"s3://{BUCKET}/p/", lab.target)
    for form in (command, [one for one in command if one != "--json"]):
        result = Orbit(lab.environment)(*form)
        lines = (result.out + result.err).splitlines()
        assert lines
        assert not [line for line in lines if line.startswith(b'ERROR "cp x y"')], lines
        assert DRIVES.search(result.err.decode()) is None, result.err
        assert DRIVES.search(result.out.decode()) is None, result.out


# --- S14, S18 ---------------------------------------------------------------------------------------------------------


def test_s14_temporary_names_are_not_to_be_guessed(lab):
    """Two runs share no temporary name, so nobody can prepare a link in its place."""
    lab.put("object", content(7, LARGE))
    names = []

    def look():
        names.extend(path.name for path in lab.target.glob(".orbit-*"))

    for _ in range(2):
        lab.plan.add(Rule(action=act.call(run=look), operation=GET, part=3))
        lab.download(content(7, LARGE), "--concurrency", "1").right()
    runs = {name.split("-")[1] for name in names}
    assert len(runs) == 2


def test_s14_a_world_writable_destination_is_served_safely(lab):
    """In a directory that everybody may write to, the temporary file is its owner's alone from its first moment."""
    lab.target.chmod(0o777)
    lab.prefix = ("sh", "-c", 'umask 000; exec "$@"', "sh")
    modes = []

    def look():
        modes.extend(path.stat().st_mode & 0o777 for path in lab.target.glob(".orbit-*"))

    lab.put("object", content(7, LARGE))
    lab.plan.add(Rule(action=act.call(run=look), operation=GET, part=3))
    lab.download(content(7, LARGE), "--concurrency", "1").right()
    assert modes == [0o600]


COMMANDS = ["$(touch OWNED)", "`touch OWNED`", "; touch OWNED;", "| touch OWNED", "a && touch OWNED", "-oProxy=touch"]


def test_s18_names_are_never_commands(lab):
    """Names that a shell would obey go up and come back as names."""
    lab.cwd = lab.directory / "here"
    lab.cwd.mkdir()
    data = {name: lab.file(name, 100, seed) for seed, name in enumerate(COMMANDS)}
    lab.run(Aim(wanted=data, bucket=BUCKET), "-R", lab.source, f"s3://{BUCKET}/").right()
    lab.download_all(data).right()
    assert list(lab.cwd.iterdir()) == []


SHELLS = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell", "spawnlp", "execlp", "execvp"}


def test_s18_there_is_no_shell_in_the_program():
    """No line of the package gives text to a shell or searches PATH for what it runs."""
    root = Path(orbit_fast.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            name = getattr(node, "attr", "") or getattr(node, "id", "")
            is_shell = isinstance(node, ast.keyword) and node.arg == "shell"
            if name in SHELLS or is_shell:
                found.append(f"{path.relative_to(root)}:{getattr(node, 'lineno', 0)} {name}")
    assert found == []
