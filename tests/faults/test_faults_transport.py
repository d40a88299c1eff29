"""The way between: connections that break, stall, are refused, are not trusted, or do not speak HTTP.

Rows without a test here:

===  ==================================================================================================================
C3   no answer to Complete: its limit is a quarter of an hour; the tests of `io.pace` have it.
C6   a name server that is slow, or that changes its mind: needs a resolver of its own; the tests of `io.resolver` have
     both.
C14  HTTP proxies are not supported, so none can fail.
===  ==================================================================================================================
"""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme

from tests.kit import faults_actions as act
from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import LARGE
from tests.kit.fault_run import SMALL
from tests.kit.fault_run import open_lab
from tests.kit.faults import ALWAYS
from tests.kit.faults import Rule
from tests.kit.faults_verdict import Aim
from tests.kit.trees import content

COMPLETE = "CompleteMultipartUpload"
CREATE = "CreateMultipartUpload"
OPERATIONS = ("PutObject", CREATE, "UploadPart", COMPLETE, "GetObject", "HeadObject", "ListObjectsV2", "CopyObject")


PHASES = {
    "before it is done": act.reset(),
    "closed before it is done": act.close(),
    "after it is done": act.lose_reply(),
    "closed after it is done": act.lose_reply(how="close"),
    "inside the head": act.cut_head(keep=12),
    "closed inside the head": act.cut_head(keep=60, how="close"),
    "between two requests": act.close_idle(),
    "reset between two requests": act.close_idle(how="reset"),
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_c1_a_broken_connection_is_overcome(lab, operation, phase):
    """A connection that breaks once, at whatever moment and whatever was asked, costs no object.

    An upload that was created while nobody heard its id cannot be aborted: that one may stay.
    """
    lab.plan.add(Rule(action=PHASES[phase], operation=operation))
    lab.exercise(operation).right(orphans=operation == CREATE)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_c1_connections_that_always_break_fail(lab, operation):
    """A service that resets for ever fails the job or the object, and what was there stays."""
    lab.plan.add(Rule(action=act.reset(), operation=operation, times=ALWAYS))
    lab.exercise(operation).honest(1, 2)


@pytest.mark.parametrize("action", [act.reset_while_sending(), act.answer_early(resets=True)], ids=["reset", "answer"])
@pytest.mark.parametrize("size", [2_000_000, LARGE])
def test_c1_a_reset_while_the_body_is_sent_is_overcome(lab, action, size):
    """RST in the middle of an upload's body: the body goes out again from its start."""
    lab.plan.add(Rule(action=action, operation="PutObject" if size < LARGE else "UploadPart"))
    lab.upload(size).right()


def test_c1_stale_connections_cost_no_try(lab):
    """Connections that the service closes between two requests are no failure: none of the tries is used up."""
    data = {f"f{number:02}": content(number, 500) for number in range(20)}
    for name, one in data.items():
        lab.put(name, one)
    lab.plan.add(Rule(action=act.close_idle(), operation="GetObject", times=ALWAYS))
    lab.download_all(data, "--retry-attempts", "0", "--workers", "2").right()


@pytest.mark.parametrize("size", [300_000, LARGE])
@pytest.mark.slow
def test_c2_a_stalled_download_is_asked_for_again(lab, size):
    """No byte for longer than ``--timeout``: the connection is given up, the object is not."""
    lab.plan.add(Rule(action=act.cut(keep=100_000, how="hang"), operation="GetObject", part=2 if size == LARGE else 0))
    lab.download(size=size).right()


@pytest.mark.slow
def test_c2_downloads_that_always_stall_fail(lab):
    """Stalling for ever fails the object within the time that the limits add up to."""
    lab.plan.add(Rule(action=act.cut(keep=0, how="hang"), operation="GetObject", times=ALWAYS))
    lab.download(None, "--retry-attempts", "1", size=300_000).failed(1, "E_STALLED", "E_TIMEOUT")


@pytest.mark.slow
def test_c2_a_stalled_upload_is_sent_again(lab):
    """The service stops reading in the middle of a part: it goes out again on another connection."""
    lab.plan.add(Rule(action=act.stop_reading(), operation="UploadPart", part=2))
    lab.upload(2 * LARGE, "--part-size", "10").right()


def _hang(directory, operation):
    directory.mkdir()
    with open_lab(directory, Rule(action=act.hang(), operation=operation)) as lab:
        return lab.exercise(operation, deadline_s=90).right()


def _trickle(directory):
    directory.mkdir()
    with open_lab(directory, Rule(action=act.drip(step=1, gap_s=0.3), operation="GetObject")) as lab:
        return lab.download().right()


@pytest.mark.slow
def test_c3_c4_no_answer_and_a_trickle_are_given_up_in_time(tmp_path):
    """No first byte: 30 s for GET, HEAD and listings, 60 s for PUT; less than 1 KiB/s for 30 s: tried again."""
    with ThreadPoolExecutor(5) as threads:
        hung = {
            operation: threads.submit(_hang, tmp_path / operation, operation)
            for operation in ("GetObject", "HeadObject", "ListObjectsV2", "PutObject")
        }
        slow = threads.submit(_trickle, tmp_path / "trickle")
        seconds = {operation: one.result().seconds for operation, one in hung.items()}
        seconds["trickle"] = slow.result().seconds
    assert {name: value for name, value in seconds.items() if value > 55 and name != "PutObject"} == {}


def test_c5_a_closed_port_ends_the_job_soon(lab):
    """Nobody listens: three tries, and the job is not possible."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen: nobody else can meanwhile
        lab.endpoint_url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        run = lab.upload().failed(2, "E_CONNECT")
    assert run.seconds < 30


@pytest.mark.slow
def test_c5_a_black_hole_ends_the_job(lab):
    """Nobody answers the connection's first packet: the limit of 5 s, and few tries."""
    with contextlib.ExitStack() as stack:
        hole = stack.enter_context(socket.socket())
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        for _ in range(4):  # fill the queue of connections that nobody accepts
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(hole.getsockname())
        lab.endpoint_url = f"http://127.0.0.1:{hole.getsockname()[1]}"
        lab.upload(SMALL).failed(2, "E_CONNECT", "E_TIMEOUT")


@pytest.mark.slow
def test_c6_a_name_that_does_not_exist_ends_the_job(lab):
    """No such host: few tries, a failure that names the host."""
    lab.endpoint_url = "http://nowhere.invalid:9"
    run = lab.upload(SMALL).failed(2, "E_DNS")
    assert "nowhere.invalid" in run.failure["error"]


def _context(authority, *names, **how):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **how).configure_cert(context)
    return context


def _bundle(authority, directory):
    path = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return ("--ca-bundle", str(path))


YESTERDAY = dt.datetime.now(tz=dt.UTC) - dt.timedelta(days=1)
CERTIFICATES = {
    "unknown authority": (("127.0.0.1",), {}, False),
    "expired": (("127.0.0.1",), {"not_after": YESTERDAY, "not_before": YESTERDAY - dt.timedelta(days=9)}, True),
    "other host": (("storage.example",), {}, True),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_c7_what_is_not_trusted_is_not_spoken_to(tmp_path, kind):
    """A certificate that is not trusted, expired or another host's: no request is made, and no second try."""
    names, how, is_known = CERTIFICATES[kind]
    authority = trustme.CA()
    with open_lab(tmp_path, tls=_context(authority, *names, **how)) as lab:
        bundle = _bundle(authority, tmp_path) if is_known else ()
        lab.upload(SMALL, *bundle).failed(2, "E_TLS_TRUST")
        assert lab.plan.requests == []


def test_c7_what_is_trusted_is_spoken_to(tmp_path):
    """``--ca-bundle`` trusts an authority; ``--no-verify-ssl`` everybody."""
    authority = trustme.CA()
    with open_lab(tmp_path, tls=_context(authority, "127.0.0.1")) as lab:
        lab.upload(LARGE, *_bundle(authority, tmp_path)).right()
        lab.download(None, "--no-verify-ssl", size=LARGE, name="other").right()


def test_c7_an_old_protocol_is_refused(tmp_path):
    """TLS before 1.2 is not spoken."""
    authority = trustme.CA()
    context = _context(authority, "127.0.0.1")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with open_lab(tmp_path, tls=context) as lab:
        lab.upload(SMALL, *_bundle(authority, tmp_path)).honest(1, 2)
        assert lab.plan.requests == []


@contextlib.contextmanager
def _hanging_up():
    """A listener that closes each connection when the first bytes have come."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        count = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        count.append(connection.recv(100))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], count
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(60)


def test_c7_a_handshake_that_is_cut_fails(lab):
    """The other side hangs up in every handshake: a few tries, then a failure; trust is not the matter."""
    with _hanging_up() as (port, seen):
        lab.endpoint_url = f"https://127.0.0.1:{port}"
        lab.upload().honest(1, 2)
        assert 1 < len(seen) <= 6


GARBAGE = {
    "HTTP/0.9": "hello, world\n",
    "ssh": "SSH-2.0-OpenSSH_9.2\r\n",
    "status": "HTTP/1.1 abc OK\r\n\r\n",
    "short status": "HTTP/1.1 20 OK\r\n\r\n",
    "http/2": "HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    "zeros": "\0" * 300,
    "header": "HTTP/1.1 200 OK\r\nno colon here\r\ncontent-length: 0\r\n\r\n",
    "name": "HTTP/1.1 200 OK\r\nbad name: x\r\ncontent-length: 0\r\n\r\n",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_c8_what_is_not_http_once_is_overcome(lab, kind):
    """One answer that is not HTTP is tried again on another connection."""
    lab.plan.add(Rule(action=act.raw(data=GARBAGE[kind]), operation="GetObject"))
    lab.download().right()


@pytest.mark.parametrize("operation", ["GetObject", "PutObject", "ListObjectsV2", COMPLETE])
@pytest.mark.parametrize("kind", ["HTTP/0.9", "status", "http/2"])
def test_c8_what_is_not_http_for_ever_fails(lab, kind, operation):
    """Nothing but such answers fails; none is ever a success."""
    lab.plan.add(Rule(action=act.raw(data=GARBAGE[kind]), operation=operation, times=ALWAYS))
    lab.exercise(operation).failed(2 if operation == "ListObjectsV2" else 1, "E_HTTP", "E_LIST_INCOMPLETE")


OK = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n"
EXCESSES = {
    "a header of 1 MiB": act.raw(data=f"{OK}x-large: {'x' * 1048576}\r\n\r\n"),
    "10,000 headers": act.raw(data=OK + "".join(f"x-{number}: y\r\n" for number in range(10_000)) + "\r\n"),
    "a head without end": act.raw(data="x-more: of this\r\n", repeat=100_000),
    "a status line without end": act.raw(data="HTTP/1.1 200 " + "x" * 1_000_000),
    "interim answers without end": act.raw(data="HTTP/1.1 103 Early Hints\r\n\r\n", repeat=100_000),
}


@pytest.mark.parametrize("kind", EXCESSES)
def test_c9_answers_without_bound_are_cut_off(lab, kind):
    """Heads and interim answers have limits: beyond them the connection is closed and the object fails."""
    lab.plan.add(Rule(action=EXCESSES[kind], operation="GetObject", times=ALWAYS))
    lab.download(None, "--retry-attempts", "1").failed(1, "E_HTTP_LIMIT", "E_HTTP")


@pytest.mark.parametrize("kind", EXCESSES)
def test_c9_one_answer_without_bound_is_overcome(lab, kind):
    """One of them is tried again."""
    lab.plan.add(Rule(action=EXCESSES[kind], operation="GetObject"))
    lab.download().right()


@pytest.mark.parametrize("operation", ["GetObject", "PutObject", COMPLETE])
def test_c9_a_few_interim_answers_are_passed_over(lab, operation):
    """100 and 103 before the answer are no answer."""
    interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    lab.plan.add(Rule(action=act.say_before(data=interim, repeat=3), operation=operation, times=ALWAYS))
    lab.exercise(operation).right()


CHUNKINGS = {
    "plain": act.chunked(),
    "small": act.chunked(step=7000),
    "extension": act.chunked(extension=";name=value"),
    "trailer": act.chunked(trailer="x-amz-checksum-crc32: AAAAAA==\r\nx-more: y\r\n"),
}


@pytest.mark.parametrize("kind", CHUNKINGS)
@pytest.mark.parametrize("size", [300_000, LARGE])
def test_c10_chunks_are_read(lab, kind, size):
    """Chunked answers with extensions and trailers are the object."""
    lab.plan.add(Rule(action=CHUNKINGS[kind], operation="GetObject", times=ALWAYS))
    lab.download(size=size).right()


@pytest.mark.parametrize("operation", [COMPLETE, CREATE, "ListObjectsV2"])
def test_c10_documents_in_chunks_are_read(lab, operation):
    """Documents come in chunks too, byte by byte if need be."""
    lab.plan.add(Rule(action=act.chunked(step=1), operation=operation, times=ALWAYS))
    lab.exercise(operation).right()


@pytest.mark.parametrize("kind", [{"extension": ";" + "x" * 100_000}, {"trailer": "x: " + "y" * 100_000 + "\r\n"}])
def test_c10_chunks_have_limits(lab, kind):
    """Extensions and trailers without bound are cut off; once, that is overcome."""
    lab.plan.add(Rule(action=act.chunked(**kind), operation="GetObject"))
    lab.download(size=300_000).right()


def test_c11_nothing_is_expected(lab):
    """No request asks for 100 Continue, so none can wait for it or poison a connection; empty files go out as well."""
    files = {f"f{number:02}": lab.file(f"f{number:02}", 0 if number % 2 else 700, number) for number in range(20)}
    files["large"] = lab.file("large", LARGE)
    lab.run(Aim(wanted=files, bucket=BUCKET), "-R", "--workers", "2", lab.source, f"s3://{BUCKET}/").right()
    assert not [request for request in lab.plan.requests if "expect" in request.headers]


def test_c11_an_answer_of_417_is_an_answer(lab):
    """417 from a service that misreads something is a failure like another 4xx."""
    lab.plan.add(Rule(action=act.reply(status=417), operation="PutObject", times=ALWAYS))
    lab.upload().failed(1)


@pytest.mark.parametrize("resets", [False, True], ids=["close", "reset"])
@pytest.mark.parametrize("size", [2_000_000, LARGE])
def test_c12_an_answer_before_the_body_is_read_is_heard(lab, size, resets):
    """The service refuses a large body early and closes: its answer counts, not the broken pipe."""
    operation = "PutObject" if size < LARGE else "UploadPart"
    denied = act.answer_early(code="AccessDenied", status=403, resets=resets)
    lab.plan.add(Rule(action=denied, operation=operation, times=ALWAYS))
    run = lab.upload(size)
    if resets:
        run.honest(1, 2)  # a reset may destroy the answer before it is read
    else:
        run.failed(2, "AccessDenied")


@pytest.mark.parametrize("size", [2_000_000, LARGE])
def test_c12_an_early_slowdown_is_waited_out(lab, size):
    """503 in the middle of the body is tried again."""
    lab.plan.add(Rule(action=act.answer_early(), operation="PutObject" if size < LARGE else "UploadPart"))
    lab.upload(size).right()


def test_c13_an_unread_body_does_not_reach_the_next_answer(lab):
    """A failure with a body of a MiB, then the next object over the same pool: every answer is its own."""
    data = {f"f{number:02}": content(number, SMALL) for number in range(10)}
    for name, one in data.items():
        lab.put(name, one)
    long = act.error(code="NoSuchKey", status=404, message="x" * 1_048_576)
    lab.plan.add(Rule(action=long, operation="GetObject", key="f0[37]", times=ALWAYS))
    run = lab.download_all(data, "--workers", "1").honest(1)
    assert run.result.counts == (8, 0, 2)


@pytest.mark.slow
def test_c15_a_slow_but_steady_way_is_no_failure(lab):
    """Pieces with pauses between them, longer in all than the time limit: no retry, no failure."""
    lab.plan.add(Rule(action=act.drip(step=20_000, gap_s=0.25), operation="GetObject", times=ALWAYS))
    run = lab.download(None, "--timeout", "3", size=300_000).right()
    assert run.result.summary["retries"] == 0
