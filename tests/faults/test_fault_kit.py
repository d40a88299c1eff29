"""The kit under test: each action does on the wire what it says, plans are data, the judge believes nobody."""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from tests.kit import faults_actions as act
from tests.kit.command import Result
from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import Run
from tests.kit.fault_run import stored
from tests.kit.faults import ALWAYS
from tests.kit.faults import EFFECTS
from tests.kit.faults import Injector
from tests.kit.faults import Rule
from tests.kit.faults import rules_from_json
from tests.kit.faults_verdict import Aim
from tests.kit.faults_verdict import State
from tests.kit.faults_verdict import Verdict
from tests.kit.faults_verdict import judge

DATA = bytes(range(256)) * 40


@pytest.fixture
def server():
    """A server with one object, ``GET /faulty/k``, that needs no signature."""
    server = S3Server(settings=ServerSettings(allow_anonymous=True))
    server.plan = Injector(server)
    with server:
        server.store.create_bucket(BUCKET)
        server.store.put(BUCKET, "k", DATA)
        yield server


def ask(server, *rules, method="GET", key="k", body=None, headers=None):
    """Everything that comes back on a connection of its own, and how it ends.

    It is silence where nothing comes for half a second although the server has done all that it will do.
    """
    server.plan.add(*rules)
    before, is_silent = len(server.plan.requests), any(one.action.is_silent for one in rules)

    def is_through():
        is_idle = all(connection._task is None for connection in list(server._connections))
        return len(server.plan.requests) > before and (is_silent or is_idle)

    lines = [
        f"{method} /{BUCKET}/{key} HTTP/1.1",
        "host: x",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    with socket.create_connection((server.host, server.port), timeout=0.5) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))
        found, was_through = b"", False
        while True:
            try:
                piece = connection.recv(1 << 16)
            except ConnectionResetError:
                return found, "reset"
            except TimeoutError:
                if was_through:
                    return found, "silence"
                was_through = is_through()
                continue
            if not piece:
                return found, "close"
            found += piece


def rule(action, **how):
    """A rule for everything."""
    return Rule(action=action, **how)


LENGTH = len(DATA)
WIRE = [
    (act.error(code="SlowDown", status=503), rb"HTTP/1.1 503 .*<Code>SlowDown</Code>", "silence"),
    (act.reply(status=418, body="tea"), rb"HTTP/1.1 418 .*\r\n\r\ntea$", "silence"),
    (act.html(), rb"HTTP/1.1 200 .*text/html.*Hotel", "silence"),
    (act.hang(), rb"^$", "silence"),
    (act.reset(), rb"^$", "reset"),
    (act.close(), rb"^$", "close"),
    (act.raw(data="SSH-2.0\r\n"), rb"^SSH-2.0\r\n$", "close"),
    (act.lose_reply(), rb"^$", "reset"),
    (act.lose_reply(how="close"), rb"^$", "close"),
    (act.lose_reply(how="hang"), rb"^$", "silence"),
    (act.replace_reply(body="other"), rb"200 .*\r\n\r\nother$", "silence"),
    (act.headers(drop=["etag"], put={"x-more": "1"}), rb"^(?!.*etag: ).*x-more: 1\r\n", "silence"),
    (act.flip(offset=3), re.escape(DATA[:3]) + b"\x13" + re.escape(DATA[4:]) + b"$", "silence"),
    (act.overwrite(data="<Error>", offset=2), rb"\r\n\r\n\x00\x01<Error>\x09", "silence"),
    (act.cut(keep=10), rb"content-length: 10240\r\n\r\n" + re.escape(DATA[:10]) + b"$", "close"),
    (act.cut(keep=10, how="hang"), rb"\r\n\r\n" + re.escape(DATA[:10]) + b"$", "silence"),
    (act.cut_head(keep=15, how="close"), rb"^HTTP/1.1 200 OK$", "close"),
    (act.resize(keep=5), rb"content-length: 5\r\n\r\n" + re.escape(DATA[:5]) + b"$", "silence"),
    (act.resize(add=2), rb"content-length: 10242\r\n.*\xaa\xaa$", "silence"),
    (act.overrun(add=3), rb"content-length: 10240\r\n.*\xaa\xaa\xaa$", "silence"),
    (act.chunked(keep=4, step=2),
     rb"^(?!.*content-length).*\r\n\r\n2\r\n\x00\x01\r\n2\r\n\x02\x03\r\n0\r\n\r\n$", "silence"),
    (act.chunked(keep=2, ends=False), rb"\r\n\r\n2\r\n\x00\x01\r\n$", "close"),
    (act.chunked(keep=2, extension=";a=b", trailer="t: 1\r\n"),
     rb"\r\n2;a=b\r\n\x00\x01\r\n0\r\nt: 1\r\n\r\n$", "silence"),
    (act.until_close(keep=7), rb"^(?!.*content-length).*\r\n\r\n" + re.escape(DATA[:7]) + b"$", "close"),
    (act.frame(pattern="content-length: ([0-9]+)", to=r"content-length: -\1"), rb"content-length: -10240\r\n", "close"),
    (act.say_before(data="HTTP/1.1 103 Early\r\n\r\n", repeat=2),
     rb"^(HTTP/1.1 103 Early\r\n\r\n){2}HTTP/1.1 200", "silence"),
    (act.close_idle(), re.escape(DATA) + b"$", "close"),
    (act.drip(step=5000, gap_s=0.01), re.escape(DATA) + b"$", "silence"),
    (act.warm(spaces=2, gap_s=0.01),
     rb"\r\n\r\n1\r\n \r\n1\r\n \r\n2800\r\n" + re.escape(DATA) + rb"\r\n0\r\n\r\n$", "silence"),
    (act.delay(seconds=0.05), re.escape(DATA) + b"$", "silence"),
    (act.query(drop=["x"]), re.escape(DATA) + b"$", "silence"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("action", "pattern", "end"), WIRE, ids=[f"{row[0].name}-{n}" for n, row in enumerate(WIRE)])
def test_an_action_does_on_the_wire_what_it_says(server, action, pattern, end):
    """The bytes that a client sees and the way in which they end, for each action; it happens once."""
    found, how = ask(server, rule(action))
    assert re.search(pattern, found, re.DOTALL), found[:600]
    assert how == end
    assert len(server.plan.fired) == 1
    assert server.plan.unfired() == []


@pytest.mark.slow
def test_a_range_that_is_ignored(server):
    """The service answers a range with the whole object."""
    found, _ = ask(server, rule(act.ignore_range()), headers={"range": "bytes=5-9"})
    assert found.startswith(b"HTTP/1.1 200 ")
    assert found.endswith(DATA)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "end"),
    [(act.reset_while_sending(), "reset"), (act.stop_reading(), "silence"), (act.answer_early(), "close")],
)
def test_a_body_that_is_not_read(server, action, end):
    """Actions on the head act before the body has been read, and nothing is stored."""
    found, how = ask(server, rule(action), method="PUT", key="new", body=b"x" * 1000)
    assert how in {end, "reset"}
    assert (b"503" in found) == (action.name == "answer_early" and how == end)
    assert server.store.keys(BUCKET) == ["k"]


@pytest.mark.slow
def test_damage_on_the_way_is_seen_by_the_server(server):
    """An upload whose bytes are changed under way is refused by the service's own check."""
    headers = {"content-md5": "XUFAKrxLKna5cZ2REBfFkg=="}  # of "hello"
    found, _ = ask(server, rule(act.damage_upload(offset=1)), method="PUT", key="new", body=b"hello", headers=headers)
    assert b"<Code>BadDigest</Code>" in found
    found, _ = ask(server, method="PUT", key="new", body=b"hello", headers=headers)
    assert found.startswith(b"HTTP/1.1 200 ")
    assert server.store.read(BUCKET, "new") == b"hello"


@pytest.mark.slow
def test_a_service_that_stores_other_bytes(server):
    """The stored bytes are others, and the ETag is theirs."""
    found, _ = ask(server, rule(act.store_damaged(offset=0)), method="PUT", key="new", body=b"hello")
    assert server.store.read(BUCKET, "new") == b"xello"
    assert server.store.bucket(BUCKET).find("new").etag.encode() in found


def test_a_service_that_hides_keys(server):
    """The page names only the others, and counts only them; the object is there all the same."""
    server.store.put(BUCKET, "l", DATA)
    server.plan.add(rule(act.hide(keys="k")))
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    connection.request("GET", f"/{BUCKET}?list-type=2")
    page = connection.getresponse().read()
    connection.close()
    assert (b"<Key>k<" in page, b"<Key>l<" in page, b"<KeyCount>1<" in page) == (False, True, True)
    assert _get(server, f"/{BUCKET}/k") == 200


def test_an_operation_is_done_or_not(server):
    """What acts before keeps the operation from being done; what acts after leaves it done."""
    ask(server, rule(act.reset()), method="PUT", key="before", body=b"x")
    ask(server, rule(act.lose_reply()), method="PUT", key="after", body=b"x")
    assert server.store.keys(BUCKET) == ["after", "k"]


def _get(server, path, headers=None):
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    try:
        connection.request("GET", path, headers=headers or {})
        return connection.getresponse().status
    finally:
        connection.close()


def test_rules_choose_their_exchanges(server):
    """Operation, key, part, try, header, first hit and number of hits each narrow a rule down."""
    for name in ("a", "b"):
        server.store.put(BUCKET, name, DATA)
    fail = act.error(code="SlowDown", status=503)
    server.plan.add(
        Rule(action=fail, operation="HeadObject GetObject", key="^a$", nth=2, times=2),
        Rule(action=fail, key="^b$", attempt=3, times=ALWAYS),
        Rule(action=fail, key="^k$", part=2, times=ALWAYS),
        Rule(action=fail, key="^k$", header="x-b.*", times=ALWAYS),
    )
    assert [_get(server, f"/{BUCKET}/a") for _ in range(5)] == [200, 503, 503, 200, 200]
    assert [_get(server, f"/{BUCKET}/b") for _ in range(4)] == [200, 200, 503, 200]
    ranges = [f"bytes={first}-{first + 9}" for first in (0, 5 * 1024 * 1024)]
    assert [_get(server, f"/{BUCKET}/k", {"range": one}) for one in ranges] == [206, 503]
    assert [_get(server, f"/{BUCKET}/k", {name: "1"}) for name in ("x-a", "x-b", "x-bc")] == [200, 503, 503]


def _hits(seed):
    server = S3Server(settings=ServerSettings(allow_anonymous=True))
    plan = Injector(server, [Rule(action=act.reply(status=503), probability=0.5, times=ALWAYS)], seed=seed)
    with server:
        server.store.create_bucket(BUCKET)
        found = [_get(server, f"/{BUCKET}/none") for _ in range(30)]
    assert plan.seed == seed
    return found


def test_chance_comes_from_the_seed():
    """The same seed makes the same faults, another one others; neither all nor none."""
    first = _hits(1)
    assert first == _hits(1)
    assert first != _hits(2)
    assert set(first) == {404, 503}


def test_plans_are_data():
    """Every plan without a hook can be written down and read back."""
    rules = [Rule(action=row[0], key="x", nth=3, header="y", probability=0.25) for row in WIRE]
    assert rules_from_json([one.to_json() for one in rules]) == rules
    with pytest.raises(TypeError):
        Rule(action=act.call(run=print)).to_json()


def test_every_action_is_tried_here():
    """No action without a test of it in this file."""
    text = Path(__file__).read_text(encoding="utf-8") + Path(__file__).with_name("test_faults_versions.py").read_text(
        encoding="utf-8"
    )
    unused = {name for name in EFFECTS if f"act.{name}(" not in text}
    assert unused - {"edit", "then"} == set()


def test_hooks_run_before_the_body_is_read(server):
    """A hook on the head runs once, and the operation goes on."""
    seen = []
    action = act.call_on_head(run=lambda: seen.append(server.store.keys(BUCKET)))
    ask(server, rule(action), method="PUT", key="new", body=b"x")
    assert (seen, server.store.keys(BUCKET)) == ([["k"]], ["k", "new"])


def test_bodies_are_edited_and_hooks_run(server):
    """A document is edited by pattern; a hook runs after the operation and before its answer."""
    seen = []
    ask(server, rule(act.then(run=lambda: seen.append(server.store.keys(BUCKET)))), method="PUT", key="new", body=b"x")
    assert seen == [["k", "new"]]
    server.plan.add(rule(act.edit(pattern="<Key>k<", to="<Key>other<")))
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    connection.request("GET", f"/{BUCKET}?list-type=2")
    assert b"<Key>other<" in connection.getresponse().read()
    connection.close()


def test_an_exchange_waits_for_the_test(server):
    """A paused exchange is answered when the test says go, and not before."""
    arrived, go = threading.Event(), threading.Event()
    server.plan.add(rule(act.pause(arrived=arrived, until=go)))
    answer = []
    thread = threading.Thread(target=lambda: answer.append(_get(server, f"/{BUCKET}/k")))
    thread.start()
    assert arrived.wait(60)
    assert answer == []
    go.set()
    thread.join(60)
    assert answer == [200]


# --- the judge --------------------------------------------------------------------------------------------------------

JUDGED = [
    (b"new", b"new", None, State.RIGHT),
    (b"new", b"new", b"new", State.RIGHT),
    (b"two", (b"one", b"two"), None, State.RIGHT),
    (None, b"new", None, State.UNTOUCHED),
    (b"old", b"new", b"old", State.UNTOUCHED),
    (b"ne", b"new", None, State.PARTIAL),
    (b"", b"new", b"old", State.PARTIAL),
    (b"nEw", b"new", None, State.DAMAGED),
    (b"newer", b"new", None, State.WRONG),
    (None, b"new", b"old", State.WRONG),
]


@pytest.mark.parametrize(("found", "wanted", "before", "state"), JUDGED)
def test_a_name_is_judged_by_its_bytes(found, wanted, before, state):
    """Right, untouched, part of it, damaged, or something else."""
    assert judge(found, wanted, before) is state


def test_litter_and_unfinished_uploads_are_found(server, tmp_path):
    """Temporary files, names nobody asked for and unfinished uploads are part of the verdict."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".orbit-1.tmp").write_bytes(b"x")
    (tmp_path / "old").write_bytes(b"old")
    found = Aim(wanted={"a": b"x"}, before={"old": b"old"}, directory=tmp_path).judge(server)
    assert found.litter == ("sub/.orbit-1.tmp",)
    ask(server, method="POST", key="big?uploads", body=b"")
    found = Aim(wanted={"k": DATA}, bucket=BUCKET).judge(server)
    assert found == Verdict(states={"k": State.RIGHT}, uploads=("big",))


OK = Verdict(states={"k": State.RIGHT})
NOT = Verdict(states={"k": State.UNTOUCHED})
EVENT = (
    b'{"operation":"cp","success":true,"source":"s3://b/k","destination":"/x/k","size":1,"verified":"size",'
    b'"attempts":1,"duration_ms":1,"process":0}\n'
)


def _summary(code):
    return (
        b'{"operation":"summary","command":"cp","success":%b,"files_copied":1,"files_skipped":0,"files_failed":0,'
        b'"files_deleted":0,"bytes_copied":1,"duration_secs":0.1,"throughput_bps":1,"retries":0,"unverified":0,'
        b'"exit_code":%d,"interrupted":false}\n' % (b"true" if code == 0 else b"false", code)
    )


def _run(server, code, verdict, *, out=b"", err=b"", seconds=1.0):
    return Run(Result((), code, out + _summary(code), err), verdict, server.plan, seconds, 10.0)


def test_an_honest_run_passes(server):
    """Exit 0 with everything right, and a failure with everything as it was."""
    _run(server, 0, OK, out=EVENT).right()
    _run(server, 1, NOT).honest(1)
    _run(server, 1, OK).honest(1, unproven=True)


LIES = {
    "wrong success": (0, NOT, {}),
    "false failure": (1, OK, {}),
    "damage under the name": (1, Verdict(states={"k": State.DAMAGED}), {}),
    "a part under the name": (1, Verdict(states={"k": State.PARTIAL}), {}),
    "done and not there": (1, NOT, {"out": EVENT}),
    "litter": (0, Verdict(states={"k": State.RIGHT}, litter=("x",)), {}),
    "upload": (1, Verdict(states={"k": State.UNTOUCHED}, uploads=("x",)), {}),
    "late": (1, NOT, {"seconds": 11.0}),
    "traceback": (1, NOT, {"err": b"Traceback (most recent call last)"}),
    "another status": (2, NOT, {}),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_run_that_breaks_the_rule_is_red(server, lie):
    """Each way to be dishonest makes the run red."""
    code, verdict, how = LIES[lie]
    with pytest.raises(AssertionError):
        _run(server, code, verdict, **how).honest(0, 1)


def test_a_fault_that_never_happened_makes_the_run_red(server):
    """A plan that was not carried out proves nothing."""
    server.plan.add(rule(act.reset()))
    with pytest.raises(AssertionError):
        _run(server, 0, OK).right()
    _run(server, 0, OK).right(fires=False)


def test_stored_objects_are_as_other_clients_leave_them():
    """Checksums of each kind, the ETag of parts, an ETag of one's own."""
    plain = stored("k", b"hello", now_s=1)
    assert (plain.etag, plain.checksum.algorithm) == ("5d41402abc4b2a76b9719d911017c592", "CRC64NVME")
    parts = stored("k", b"hello", now_s=1, part_size=3, checksum="CRC32", kind="COMPOSITE")
    assert (parts.etag[-2:], parts.checksum.value[-2:], parts.part_sizes) == ("-2", "-2", (3, 2))
    bare = stored("k", b"hello", now_s=1, checksum="", etag="x")
    assert (bare.etag, bare.checksum) == ("x", None)


# --- the table of faults ----------------------------------------------------------------------------------------------

ROWS = {"a": 28, "b": 16, "c": 15, "l": 12, "f": 13, "v": 9}


@pytest.mark.parametrize("letter", ROWS)
def test_every_row_has_a_test_or_a_reason(letter):
    """Each fault of the table has a test named after it, or stands in a module's list of those without one."""
    text = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_faults_*.py"))
    named = set()
    for names in re.findall(r"def test_((?:[a-z][0-9]+_)+)", text):
        named.update(names.strip("_").split("_"))
    named.update(row.lower() for row in re.findall(rf"\b({letter.upper()}[0-9]+)\b  ", text))
    reasons = re.findall(rf"\b({letter.upper()}[0-9]+)\b", "".join(re.findall(r"===\n(.*?)\n===", text, re.DOTALL)))
    named.update(row.lower() for row in reasons)
    assert {f"{letter}{number}" for number in range(1, ROWS[letter] + 1)} - named == set()


def test_a_reset_is_a_reset(server):
    """The client's kernel sees RST, not an orderly end: SO_ERROR says so."""
    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        server.plan.add(rule(act.reset()))
        connection.sendall(f"GET /{BUCKET}/k HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        deadline = time.monotonic() + 60
        code = 0
        while not code and time.monotonic() < deadline:
            code = struct.unpack("i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR, 4))[0]
        assert code == 104
