"""Plays flows by hand: replies and errors from a table, no client, no socket, no loop.

A `Stage` is what a worker gives to its flows, with real slots and real files; `check_clean` asserts that nothing of it
is left in use. A `Driver` answers a flow's calls one after another, drawing request bodies, feeding sinks and checking
replies as the client would, and remembers what was asked. `Tries` plays the retries of one call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import S3Error
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Reply
from orbit_fast.core.model import Request
from orbit_fast.core.model import Site
from orbit_fast.core.settings import JobSettings
from orbit_fast.io.files import Landings
from orbit_fast.io.files import is_temp_name
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Pause
from orbit_fast.io.transfer import Surroundings
from orbit_fast.proc.slots import SlotArena
from orbit_fast.proc.slots import SlotPool

SLOT = 4096
RUN = "0123456789abcdef"
ENDPOINT = Endpoint("http", "127.0.0.1", 9, "127.0.0.1:9", is_custom=True)


def open_fds() -> dict[int, str]:
    """The file descriptors of this process, with what they lead to."""
    found = {}
    for path in Path("/dev/fd").iterdir():
        with contextlib.suppress(OSError):
            found[int(path.name)] = str(path.readlink())
    return found


class Stage:
    """Surroundings for flows, below a directory."""

    def __init__(self, root: Path, settings: JobSettings, *, slots: int = 2) -> None:
        self.root = root
        self._arena = SlotArena.create(max_memory=slots * SLOT, workers=1, slot_size=SLOT)
        self._fds = open_fds()
        self.pool = SlotPool(self._arena, 0)
        self.landings = Landings(umask=0o022, run=RUN)
        self.now_s = 100.0
        self.around = Surroundings(
            settings=settings,
            sites={0: Site(0, "here", ENDPOINT), 1: Site(1, "there", ENDPOINT)},
            receive=memoryview(bytearray(SLOT)),
            lease=self.pool.lease,
            monotonic_s=lambda: self.now_s,
            landings=self.landings,
        )

    def temps(self) -> list[Path]:
        """Temporary files below the directory."""
        return [path for path in self.root.rglob("*") if is_temp_name(path.name.encode())]

    def check_clean(self, *, temps: int = 0) -> None:
        """No slot, no directory in use, no descriptor, and so many temporary files, are left."""
        assert (self.pool.leased, self.pool.lingering) == (0, 0)
        assert len(self.temps()) == temps, self.temps()
        self.landings.close()
        assert self.landings.directories.open_count == 0
        assert open_fds().keys() <= self._fds.keys(), {k: v for k, v in open_fds().items() if k not in self._fds}

    def close(self) -> None:
        """Give the slots back."""
        self.pool.close()
        self._arena.close()


@contextlib.contextmanager
def staged(root: Path, settings: JobSettings | None = None, *, slots: int = 2) -> Iterator[Stage]:
    """A stage whose end, where no exception is under way, is checked."""
    stage = Stage(root, settings or JobSettings(), slots=slots)
    yield stage
    stage.check_clean(temps=len(stage.temps()))
    stage.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A reply whose body goes into the call's sink.

    Attributes:
        data: the bytes.
        headers: of the reply; Content-Length is added unless `is_chunked`.
        status: HTTP status.
        is_chunked: the length is not said.
        cut: an error that comes after so many bytes.
    """

    data: bytes
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    is_chunked: bool = False
    cut: tuple[int, S3Error] | None = None


@dataclass(frozen=True, slots=True)
class Tries:
    """What the tries of one call are answered: as the client does it, all but the last one must fail.

    Attributes:
        answers: one of each try; the flow hears of the last one only.
    """

    answers: Sequence[Any]


Answer = Reply | S3Error | Body | Tries | Callable[[Call], Any]
"""What a call is answered; a callable is asked when the call is made."""


@dataclass(slots=True)
class Driver:
    """Answers one flow.

    Attributes:
        answers: in the order of the calls.
        requests: what was asked, every try of it.
        bodies: the bytes of each request's body.
        pauses: how often the flow let others go first.
    """

    answers: Sequence[Answer]
    requests: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    pauses: int = 0

    @property
    def operations(self) -> list[str]:
        """S3's names of what was asked."""
        return [request.operation for request in self.requests]

    def headers(self, number: int = -1) -> dict[str, str]:
        """The headers of one request."""
        return dict(self.requests[number].headers)

    def run(self, flow: Any) -> Any:
        """Play the flow to its end: what it returns. An `S3Error` that ends it is raised."""
        step: Callable[[], Any] = lambda: next(flow)  # noqa: E731 - bound anew below
        for answer in (*self.answers, None):
            try:
                call = self._next(flow, step)
            except StopIteration as stop:
                assert answer is None, f"nobody asked for {answer}"
                return stop.value
            assert answer is not None, f"one call too many: {call.request}"
            step = self._step(flow, call, answer)
        raise AssertionError("not reached")

    def run_until(self, flow: Any, count: int) -> bool:
        """Play the flow until it has made `count` calls; whether it came so far."""
        step: Callable[[], Any] = lambda: next(flow)  # noqa: E731 - as above
        for number in range(count):
            try:
                call = self._next(flow, step)
            except StopIteration:
                return False
            if number + 1 < count:
                step = self._step(flow, call, self.answers[number])
        return True

    def _next(self, flow: Any, step: Callable[[], Any]) -> Call:
        call = step()
        while isinstance(call, Pause):
            self.pauses += 1
            call = next(flow)
        self.requests.append(call.request)
        return call

    def _step(self, flow: Any, call: Call, answer: Any) -> Callable[[], Any]:
        tries = answer.answers if isinstance(answer, Tries) else [answer]
        for number, one in enumerate(tries, start=1):
            if number > 1:
                self._try_again(call)
            result = self._answered(call, one)
            assert number == len(tries) or isinstance(result, S3Error), f"not tried again after {result}"
            result.attempts = max(result.attempts, number)
        if isinstance(result, S3Error):
            return lambda: flow.throw(result)
        return lambda: flow.send(result)

    def _try_again(self, call: Call) -> None:
        """As `Run` makes another try of a call."""
        if call.body is not None:
            call.body.rewind()
        if call.again is not None:
            call.request = call.again()
        self.requests.append(call.request)

    def _answered(self, call: Call, answer: Any) -> Any:
        """What one try of a call brings: its reply, checked, or an error."""
        self.bodies.append(call.request.body if call.body is None else b"")
        if callable(answer):
            answer = answer(call)
        try:
            if call.body is not None:
                self.bodies[-1] = drawn(call.body)
            if isinstance(answer, Body):
                answer = received(call, answer)
            if isinstance(answer, Reply) and call.check is not None:
                answer.decoded = call.check(answer)
        except S3Error as error:
            return error
        return answer


def drawn(body: Any) -> bytes:
    """All bytes of a request body, one chunk at a time."""
    taken = b""
    while len(taken) < body.size:
        taken += bytes(body.next_chunk())
    return taken


def received(call: Call, body: Body) -> Reply:
    """Feed a sink as a connection does: at most as much as its buffer takes, at most to the end of the body."""
    sink = call.sink
    assert sink is not None, f"{call.request.operation} has no sink"
    headers = dict(body.headers)
    if not body.is_chunked:
        headers.setdefault("content-length", str(len(body.data)))
    sink.begin(body.status, headers, -1 if body.is_chunked else int(headers["content-length"]))
    rest = memoryview(body.data)
    if body.cut is not None:
        rest = rest[: body.cut[0]]
    while rest:
        buffer = sink.buffer()
        count = min(len(buffer), len(rest))
        buffer[:count] = rest[:count]
        sink.received(count)
        rest = rest[count:]
    if body.cut is not None:
        raise body.cut[1]
    sink.finish()
    return Reply(status=body.status, headers=headers)


def interrupt_everywhere(stage: Stage, make_flow: Callable[[], Any], answers: Sequence[Answer]) -> int:
    """Close the flow, and throw into it, at each of its calls; nothing may be left. How many calls it makes."""
    count = 0
    while True:
        flow = make_flow()
        if not Driver(answers).run_until(flow, count + 1):
            return count
        flow.close()
        stage.check_clean()
        flow = make_flow()
        Driver(answers).run_until(flow, count + 1)
        with contextlib.suppress(S3Error, StopIteration):
            flow.throw(Cancelled("cancelled"))
        flow.close()
        del flow
        stage.check_clean()
        count += 1


def reply(body: bytes = b"", /, *, attempts: int = 1, status: int = 200, **headers: str) -> Reply:
    """A reply; header names with ``_`` for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers=named, body=body, attempts=attempts)


def etag_reply(etag: str, **headers: str) -> Reply:
    """The reply to a body that was stored."""
    return reply(etag=f'"{etag}"', **headers)
