"""The crew: the worker processes of a job, from their start to the reading of their exit status.

Workers are numbered; a number is a set of slots and a row of counters, and a dead worker's number goes to the one that
replaces it, once the dead one has been reaped: then its connections are closed and nothing is sent from its slots.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator

import msgspec

from orbit_fast.core.messages import Event
from orbit_fast.core.messages import Order
from orbit_fast.core.messages import Stop
from orbit_fast.core.messages import decode_event
from orbit_fast.core.messages import encode
from orbit_fast.proc.channel import BrokenFrame
from orbit_fast.proc.channel import PeerGone
from orbit_fast.proc.slots import SlotArena
from orbit_fast.proc.spawn import SpawnFailed
from orbit_fast.proc.spawn import WorkerProcess
from orbit_fast.proc.spawn import start_worker

ENTRY = "orbit_fast.proc.worker:run_worker"

MAX_DEATHS = 10
"""Workers that may die in one job; a machine that kills more of them (for want of memory, say) will kill them all."""

REAP_S = 5.0


class Crew:
    """The processes, and the pipes to them, in one selector.

    Attributes:
        deaths: workers that ended though nobody told them to.
    """

    def __init__(self, selector: selectors.BaseSelector, arena: SlotArena, *, size: int) -> None:
        self._selector = selector
        self._arena = arena
        self._size = size
        self._workers: dict[int, WorkerProcess] = {}
        self._is_listening = True
        self.deaths = 0

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that live."""
        return [worker.pid for worker in self._workers.values()]

    @property
    def indices(self) -> list[int]:
        """Numbers of the workers that live."""
        return list(self._workers)

    def pid(self, index: int) -> int:
        """Process id of a worker."""
        return self._workers[index].pid

    def kill(self, index: int) -> None:
        """End a worker by force; its death is noticed like any other."""
        self._workers[index].kill()

    def start_up_to(self, wanted: int) -> None:
        """Start workers until there are `wanted`, or as many as there may be.

        Raises:
            LocalError: the system gives not even one process.
        """
        while len(self._workers) < min(wanted, self._size):
            index = next(number for number in range(self._size) if number not in self._workers)
            try:
                worker = start_worker(index, ENTRY, arena_fd=self._arena.fd)
            except SpawnFailed:
                if not self._workers:
                    raise
                self._size = len(self._workers)  # fewer will do
                return
            self._workers[index] = worker
            worker.channel.watch_backlog = self._backlog_watcher(worker)
            if self._is_listening:
                self._selector.register(worker.channel.read_fd, selectors.EVENT_READ, worker)

    def send(self, index: int, order: Order) -> None:
        """Give a worker an order. To one that has just died: its death will be noticed and its work dealt again."""
        worker = self._workers[index]
        worker.channel.send(encode(order))
        self._flush(worker)

    def send_each(self, orders: Iterable[tuple[int, Order]]) -> None:
        """As `send`, many orders at once: each worker's pipe is written to once."""
        told: dict[int, WorkerProcess] = {}
        for index, order in orders:
            told[index] = worker = self._workers[index]
            worker.channel.send(encode(order))
        for worker in told.values():
            self._flush(worker)

    def send_all(self, order: Order) -> None:
        """Give every worker an order."""
        for index in list(self._workers):
            self.send(index, order)

    def listen(self, *, wanted: bool) -> None:
        """Take events, or leave them in the pipes: workers slow down when their pipes are full."""
        if wanted == self._is_listening:
            return
        self._is_listening = wanted
        for worker in self._workers.values():
            if wanted:
                self._selector.register(worker.channel.read_fd, selectors.EVENT_READ, worker)
            else:
                self._selector.unregister(worker.channel.read_fd)

    def read(self, worker: WorkerProcess) -> Iterator[Event]:
        """The events that one worker has sent. After the last one of a dead worker comes nothing more: see `is_dead`.

        A worker that talks nonsense is killed; what it had in hand is another one's.
        """
        try:
            for payload in worker.channel.read():
                yield decode_event(payload)
        except (BrokenFrame, msgspec.DecodeError, UnicodeDecodeError):
            worker.kill()

    def bury(self, worker: WorkerProcess) -> int:
        """Take a dead worker out: reaped, unregistered, its slots free. Its exit status."""
        status = worker.wait(REAP_S)
        if status is None:
            worker.kill()
            status = worker.wait(REAP_S) or 0
        if self._is_listening:
            self._selector.unregister(worker.channel.read_fd)
        self._unwatch_backlog(worker)
        worker.close()
        del self._workers[worker.index]
        self._arena.reclaim(worker.index)
        return status

    def stop(self, *, patience_s: float) -> None:
        """End every worker: by word first, by force where one does not end within `patience_s` seconds.

        Once one has used the patience up, the others have had their time too.
        """
        for worker in self._workers.values():
            worker.channel.send(encode(Stop(abort=True)))
            self._flush(worker)
        for worker in list(self._workers.values()):
            if worker.wait(patience_s) is None:
                patience_s = 0.0
                worker.kill()
            self.bury(worker)

    def _flush(self, worker: WorkerProcess) -> None:
        try:
            worker.channel.flush()
        except PeerGone:
            worker.kill()  # it reads no more: make sure that it is dead, and let its end be read from its pipe

    def _backlog_watcher(self, worker: WorkerProcess) -> Callable[[bool], None]:
        def watch(has_backlog: bool) -> None:  # noqa: FBT001 - the channel's callback
            if has_backlog:
                self._selector.register(worker.channel.write_fd, selectors.EVENT_WRITE, worker)
            else:
                self._unwatch_backlog(worker)

        return watch

    def flush(self, worker: WorkerProcess) -> None:
        """The pipe to a worker has room again."""
        self._flush(worker)

    def _unwatch_backlog(self, worker: WorkerProcess) -> None:
        if worker.channel.write_fd in self._selector.get_map():
            self._selector.unregister(worker.channel.write_fd)
