"""Errands: every one ends with an answer or a failure, and leaves no process."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path

import msgspec
import pytest

from orbit_fast.core.errors import Authentication
from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import LocalError
from orbit_fast.core.messages import Failure
from orbit_fast.core.model import Credentials
from orbit_fast.proc import errand as room
from orbit_fast.proc.channel import encode_frame
from orbit_fast.proc.errand import Errand


def go(work, kind=str, deadline_s=30.0, clock=time.monotonic):
    """An errand under way."""
    return Errand("testing", work, kind, deadline_s=deadline_s, monotonic_s=clock)


def raiser(error):
    """A function that raises."""

    def work():
        raise error

    return work


def test_answer_comes_back_typed():
    """What the function returns arrives as the same value, made in another process."""
    errand = go(lambda: Credentials("AKIA", "very-secret", provider=str(os.getpid())), Credentials)
    assert not errand.is_done
    answer = errand.wait()
    assert (answer.access_key, answer.secret_key) == ("AKIA", "very-secret")
    assert answer.provider != str(os.getpid())
    assert errand.is_done
    assert errand.fileno() == -1
    assert "very-secret" not in repr(errand)
    assert errand.wait() is answer


def test_large_answer():
    """An answer larger than the pipe arrives whole."""
    assert go(lambda: "x" * 1_000_000).wait() == "x" * 1_000_000


def test_orbit_error_comes_back_as_its_failure():
    """An error of orbit's own keeps its code and exit status."""
    failure = go(raiser(Authentication("no credentials found"))).wait()
    assert failure == Failure.of(Authentication("no credentials found"))
    assert failure.exit_code == Exit.NOT_POSSIBLE


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (raiser(ValueError("odd")), "ValueError: odd"),
        (object, "TypeError"),
        (lambda: 5, "wrong kind"),
        (lambda: os._exit(3), "status 3"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "status -9"),
        (raiser(SystemExit(0)), "status 70"),
    ],
)
def test_every_other_end_is_a_failure(work, words, capfd):
    """A bug, a wrong answer, a crash or a kill is an internal failure that says what happened."""
    failure = go(work).wait()
    assert isinstance(failure, Failure)
    assert failure.code == "E_INTERNAL"
    assert words in failure.message


def test_nonsense_on_the_pipe():
    """What is not a frame is a failure, and the child that wrote it is killed."""
    errand = go(signal.pause)
    assert not errand.advance()
    errand._take(b"Traceback (most recent call last)")
    assert errand.is_done
    assert errand.result.code == "E_INTERNAL"


def test_deadline():
    """A child that hangs is killed at the deadline, not before, and the failure says how long it took."""
    now = [100.0]
    errand = go(signal.pause, deadline_s=5.0, clock=lambda: now[0])
    pid = errand._pid
    now[0] = 104.9
    assert not errand.advance()
    assert errand.expires_s == 105.0
    now[0] = 105.0
    assert errand.advance()
    assert (errand.result.code, errand.result.retryable) == ("E_TIMEOUT", True)
    assert "5 s" in errand.result.message
    assert not Path(f"/proc/{pid}").exists()


def test_waiting_ends_at_the_deadline():
    """Waiting for a child that hangs ends too."""
    assert go(signal.pause, deadline_s=0.02).wait().code == "E_TIMEOUT"


def test_answer_in_time_counts_although_noticed_late():
    """An answer that is there at the deadline is taken, not thrown away."""
    now = [0.0]
    errand = go(lambda: "here", clock=lambda: now[0])
    select.select([errand], [], [], 30)
    now[0] = 1000.0
    assert errand.wait() == "here"


def test_answer_counts_although_the_child_goes_on():
    """The answer is enough: a child that does not end after it is ended."""
    errand = go(signal.pause)
    errand._take(encode_frame(b"A" + msgspec.msgpack.encode("early")))
    assert errand.result == "early"


def test_close_kills():
    """Closing an errand that is under way leaves no process and no file descriptor; closing again does nothing."""
    errand = go(signal.pause)
    errand.close()
    assert errand.result.code == "E_CANCELLED"
    errand.close()
    assert errand.advance()


def test_close_keeps_the_answer():
    """Closing an errand that is done changes nothing."""
    errand = go(lambda: "kept")
    errand.wait()
    errand.close()
    assert errand.result == "kept"


def test_no_process_to_be_had(monkeypatch):
    """Where the system gives no process, one line says so and nothing is left open."""

    def refuse(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(room, "fork_child", refuse)
    with pytest.raises(LocalError, match="no process to be had"):
        go(lambda: "")


def test_child_cannot_write_to_stdout(capfd):
    """What a helper prints never gets between the lines of the report."""

    def work():
        os.write(1, b"stray")
        return "done"

    assert go(work).wait() == "done"
    assert capfd.readouterr().out == ""
