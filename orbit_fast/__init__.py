"""orbit: moves data between local disks and S3, fast, and proves that what arrived is what was sent.

This page is the map of the house.

The rooms. Imports go down only; import-linter holds it::

    cli      argv and environment in, exit code out; the only room that prints or exits
    proc     many processes: supervisor, workers, pipes, shared memory, signals
    io       one process, one loop: connections, the S3 client, files, credentials     (testing: the embedded S3 server)
    core     values and bytes; no clock, no randomness, no operating system: what can be decided from values alone

The way of a job (``orbit cp SRC DST``):

1. `cli.run` turns argv and environment into frozen settings (`core.settings`), all from one table (`core.options`).
2. `proc.job` reads the arguments as sources and a destination; a `proc.supervisor.Supervisor` does the job. It is the
   command's own process, has one thread and one selector, and never touches payload bytes or the network.
3. Finders (`proc.finders`) walk local trees and have S3 listings fetched; `proc.intake` filters, names and numbers
   what they find; `core.ledger` decides who does what: a pure table, events in, orders out.
4. Workers (`proc.worker`, one uvloop each) take orders from a pipe. An order becomes a *flow* (`io.upload`,
   `io.download`, `io.copy`, `io.listing`): a generator that yields the requests it wants made. `io.client` encodes,
   signs, sends, retries and repairs. A small object for which nothing special was asked passes on the express lane
   (`io.lane`), which gives it to its flow as soon as anything is not as it always is.
5. What came of it goes back as an event with the finished output line in it; `proc.report` forwards the line to the one
   writer of stdout, counts, and says the summary last.

The way of a byte. Up: disk → slot (shared memory) → checksum → socket. Down: socket → slot → checksum → temporary file
→ rename. Never whole objects or parts in memory.

Words, the same in code, documentation, logs and JSON: *job* what the user asked · *transfer* one object ↔ one file ·
*part* one byte range of a transfer, counted from 1 · *slot* a fixed piece of shared memory · *lease* the right to use
a slot · *order* supervisor → worker · *event* worker → supervisor · *attempt* one try of one request · *land* a part's
bytes are at their place, verified · *publish* rename the file, complete the upload · *site* one bucket at one endpoint.

Priorities, when two conflict: no wrong byte ≻ no lost or wrongly deleted object ≻ no hang ≻ throughput per CPU-second ≻
bounded memory ≻ latency ≻ start-up time ≻ everything else.

Where to look: part sizes are chosen in `core.layout` · what is tried again, in `core.retry` · the one line that waits
before a retry, in `io.run` · what happens when a worker dies, in `core.ledger.Ledger.worker_lost` and `proc.crew` · who
frees a slot, in `proc.slots` · why an exit code, in `core.tally` and `core.errors`.
"""

from __future__ import annotations

__version__ = "0.1.0"
