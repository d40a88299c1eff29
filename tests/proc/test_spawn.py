"""Workers: born with nothing but what is theirs, watched, and gone when they should be."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from orbit_fast.core.errors import Internal
from orbit_fast.proc.channel import BrokenFrame
from orbit_fast.proc.channel import PeerGone
from orbit_fast.proc.child import CRASHED
from orbit_fast.proc.child import fork_child
from orbit_fast.proc.errand import Errand
from orbit_fast.proc.signals import SignalWatch
from orbit_fast.proc.spawn import UNKNOWN_STATUS
from orbit_fast.proc.spawn import Method
from orbit_fast.proc.spawn import SpawnFailed
from orbit_fast.proc.spawn import WorkerSpec
from orbit_fast.proc.spawn import preferred_method
from orbit_fast.proc.spawn import start_worker
from tests.kit import worker_entries
from tests.kit.worker_entries import receive
from tests.kit.worker_entries import tell

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
both = pytest.mark.parametrize("method", [Method.FORK, pytest.param(Method.EXEC, marks=pytest.mark.slow)])
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # pytest's timeout is a thread


def open_fds():
    """The numbers of this process's file descriptors (one of them reads the list)."""
    return [int(path.name) for path in Path("/proc/self/fd").iterdir()]


@pytest.fixture
def start():
    """Starts workers by the name of their entry, and ends them."""
    started = []

    def begin(name, index=0, method=Method.FORK, **more):
        worker = start_worker(index, f"{worker_entries.NAME}:{name}", method=method, **more)
        started.append(worker)
        return worker

    yield begin
    for worker in started:
        worker.kill()
        assert worker.wait(60) is not None
        worker.close()
        worker.close()


@both
def test_orders_and_events(start, method):
    """A worker takes orders and answers until its orders end; then it ends with status 0."""
    worker = start("echo", method=method)
    for text in (b"abc", b"", bytes(range(256)) * 1000):
        tell(worker.channel, text)
        assert receive(worker.channel) == [text[::-1]]
    assert worker.poll() is None
    assert worker.wait(0) is None
    os.close(worker.channel.write_fd)
    assert worker.wait(60) == 0
    assert worker.poll() == 0
    worker.channel.write_fd = os.open(os.devnull, os.O_WRONLY)


@linux_only
@both
def test_a_worker_is_born_clean(start, method):
    """It has only its own file descriptors, a name, no stdout, and leaves interrupts to its parent."""
    secret_read, secret_write = os.pipe()
    with SignalWatch():
        worker = start("describe", index=12, method=method)
        facts = json.loads(receive(worker.channel)[0])
    assert worker.wait(60) == 0
    assert facts["fds"] == sorted([0, 1, 2, *facts["own"]])
    assert (facts["pid"], facts["ppid"]) == (worker.pid, os.getpid())
    assert facts["stdin"] == facts["stdout"] == os.devnull
    assert bytes.fromhex(facts["cmdline"]) == b"orbit: worker 12\0"
    assert facts["comm"] == "orbit:worker12"
    assert set(facts["ignored"]) >= {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ}
    assert signal.SIGCHLD not in facts["ignored"]
    assert facts["blocked"] == []
    assert facts["wakeup"] == -1
    assert facts["path"] == sys.path
    os.close(secret_read)
    os.close(secret_write)


@linux_only
def test_process_lists_show_the_name(start):
    """`ps` shows which worker it is."""
    worker = start("sleep", index=3)
    receive(worker.channel)
    shown = subprocess.run(["ps", "-o", "args=", "-p", str(worker.pid)], capture_output=True, check=True).stdout
    assert shown.strip() == b"orbit: worker 3"
    assert psutil.Process(worker.pid).name() == "orbit: worker 3"


@both
@pytest.mark.parametrize(("entry", "status"), [("exit_seven", 7), ("crash", CRASHED), ("no_such_entry", CRASHED)])
def test_exit_status(start, method, entry, status, capfd):
    """The status is the entry's own; an exception is one line on stderr that says who, what and where."""
    worker = start(entry, method=method)
    assert worker.wait(60) == status
    errors = capfd.readouterr().err
    assert errors.count("\n") == (status == CRASHED)
    if entry == "crash":
        assert errors.startswith("orbit: worker 0 ended by RuntimeError at worker_entries.py:")
        assert errors.endswith(": the worker is broken\n")


@both
def test_killed(start, method):
    """A killed worker's life line and event pipe end at once, and its status names the signal."""
    worker = start("sleep", method=method)
    assert receive(worker.channel) == [b"asleep"]
    assert not select.select([worker], [], [], 0)[0]
    worker.kill()
    assert select.select([worker], [], [], 30)[0]
    assert receive(worker.channel) == []
    assert worker.channel.is_ended
    assert worker.wait(60) == -signal.SIGKILL
    assert "ended -9" in repr(worker)
    worker.kill()


def test_killed_before_it_runs(start):
    """A worker killed in the moment of its birth is noticed like any other."""
    worker = start("sleep")
    worker.kill()
    assert worker.wait(60) == -signal.SIGKILL
    worker.channel.send(b"order")
    with pytest.raises(PeerGone):
        worker.channel.flush()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_to_the_group_do_not_end_a_worker(start, number):
    """What a terminal or a service manager sends to everybody is answered by the supervisor alone."""
    worker = start("echo")
    tell(worker.channel, b"ready")
    receive(worker.channel)
    worker.kill(number)
    tell(worker.channel, b"still here?")
    assert receive(worker.channel) == [b"?ereh llits"]


def test_stopped_worker_can_be_killed(start):
    """A worker that is stopped neither answers nor ends; waiting for it ends, and a kill reaches it."""
    worker = start("echo")
    worker.kill(signal.SIGSTOP)
    assert worker.wait(0.01) is None
    worker.kill()
    assert worker.wait(60) == -signal.SIGKILL


@pytest.mark.parametrize("entry", ["half_a_frame", "nonsense"])
def test_a_worker_that_says_nonsense(start, entry):
    """Half a message and no message at all are both broken frames."""
    worker = start(entry)
    with pytest.raises(BrokenFrame):
        receive(worker.channel)
    assert issubclass(BrokenFrame, Internal)


def test_a_second_worker_does_not_hold_the_first_ones_pipes(start):
    """A worker started later does not keep an earlier one's pipes open: its end is seen while the other lives."""
    first = start("sleep", index=0)
    second = start("sleep", index=1)
    for worker in (first, second):
        assert receive(worker.channel) == [b"asleep"]
    first.kill()
    assert receive(first.channel) == []
    assert first.wait(60) == -signal.SIGKILL
    assert second.poll() is None


def test_reaped_by_somebody_else(start):
    """Where somebody else has reaped the worker, its end is known and its status is not."""
    worker = start("exit_seven")
    os.waitpid(worker.pid, 0)
    assert worker.wait(60) == UNKNOWN_STATUS


@linux_only
@pytest.mark.slow
@pytest.mark.parametrize("method", list(Method))
def test_workers_die_with_their_supervisor(method):
    """When the supervisor is killed, a worker that does not even read its orders is gone too."""
    code = (
        "import sys, signal\n"
        "from orbit_fast.proc.spawn import Method, start_worker\n"
        "from tests.kit import worker_entries\n"
        f"worker = start_worker(0, worker_entries.NAME + ':sleep', method=Method.{method.name})\n"
        "worker_entries.receive(worker.channel)\n"
        "print(worker.pid, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as supervisor:
        worker = os.pidfd_open(int(supervisor.stdout.readline()))
        supervisor.kill()
    assert supervisor.returncode == -signal.SIGKILL
    assert select.select([worker], [], [], 30)[0]
    os.close(worker)


@linux_only
def test_no_file_descriptors_left():
    """Without file descriptors a worker is refused with one line, and those that were opened are closed again."""

    def work():
        before = open_fds()
        limit = next(n for n in range(1000) if n - sum(fd < n for fd in before) == 4)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        try:
            start_worker(0, "nowhere:nothing", method=Method.FORK)
        except SpawnFailed as error:
            return [str(error), len(open_fds()) - len(before)]
        return ["started", 0]

    text, leaked = Errand("limited", work, list, deadline_s=30, monotonic_s=lambda: 0.0).wait()
    assert text == "worker 0 cannot be started: Too many open files"
    assert leaked == 0


def test_fork_is_preferred_only_with_one_thread():
    """A process with one thread forks (on Linux); one with more executes: a fork would copy their locks as they are."""
    release = threading.Event()
    thread = threading.Thread(target=release.wait, args=(30,))
    thread.start()
    assert preferred_method() is Method.EXEC
    release.set()
    thread.join(60)
    alone = Errand("alone", lambda: preferred_method().value, str, deadline_s=30, monotonic_s=lambda: 0.0).wait()
    assert alone == ("fork" if sys.platform == "linux" else "exec")


@pytest.mark.slow
def test_nothing_is_imported_from_the_working_directory(start, tmp_path, monkeypatch):
    """A file in the directory that orbit is used in never becomes part of a worker."""
    (tmp_path / "json.py").write_text("raise SystemExit(99)")
    monkeypatch.chdir(tmp_path)
    assert start("exit_seven", method=Method.EXEC).wait(60) == 7


def test_standard_fds_are_not_given_away():
    """A child whose pipes stand where stdin and stdout belong is refused before there is a process."""
    spec = WorkerSpec(0, "nowhere:nothing", 0, 1, -1, 5, os.getpid())
    assert spec.fds == (0, 1, 5)
    with pytest.raises(ValueError, match="where stdin, stdout and stderr belong"):
        fork_child(lambda: 0, title=spec.title, keep=spec.fds)
