"""orbit: moves data between local disks and S3, fast, and proves that what arrived is what was sent.

This page is the map of the house.

The rooms. Imports go down only; import-linter holds it::

    cli      argv and environment in, exit code out; the only room that prints or exits
    client   the library: what ``import orbit_fast`` gives, over io, on the caller's own loop
    proc     many processes: supervisor, workers, pipes, shared memory, signals
    io       one process, one loop: connections, the S3 client, files, credentials     (testing: the embedded S3 server)
    core     values and bytes; no clock, no randomness, no operating system: what can be decided from values alone

The way of a job (``orbit cp SRC DST``):

1. `cli.run` turns argv and environment into frozen settings (`core.settings`), all from one table (`core.options`).
2. `proc.job` reads the arguments as sources and a destination; a `proc.supervisor.Supervisor` does the job. It is the
   command's own process, has one thread and one selector, and never touches the network, or payload bytes but for
   those of stdin and stdout.
3. Finders (`proc.finders`) walk local trees and have S3 listings fetched; `proc.intake` filters, names and numbers
   what they find; `core.ledger` decides who does what: a pure table, events in, orders out.
4. Workers (`proc.worker`, one uvloop each) take orders from a pipe. An order becomes a *flow* (`io.upload`,
   `io.download`, `io.copy`, `io.listing`): a generator that yields the requests it wants made. `io.client` encodes,
   signs, sends, retries and repairs. A small object for which nothing special was asked passes on the express lane
   (`io.lane`), which gives it to its flow as soon as anything is not as it always is.
5. What came of it goes back as an event with the finished output line in it; `proc.report` forwards the line to the one
   writer of stdout, counts, and says the summary last.

The way of a byte. Up: disk → slot (shared memory) → checksum → socket. Down: socket → slot → checksum → temporary file
→ rename. Never whole objects or parts in memory. From stdin and to stdout: through the *stage*, an area of shared
memory of the supervisor's, whole ranges at once (`proc.pipejob`, `proc.catjob`). From one service to another: through
slots (`io.relay`).

The way of every other command. One that moves nothing (``ls``, ``rm``, ``head`` …) is a *task*: a value of
`core.tasks`, a flow in `io.tasks` that a worker runs, its lines made in `core.render`. ``sync`` merges two sorted sides
(`core.merge`, `proc.sync_finder`) into copies for the same ledger, and deletes last (`core.guard`). ``run`` does all of
them in one engine (`proc.script`).

Words, the same in code, documentation, logs and JSON: *job* what the user asked · *transfer* one object ↔ one file ·
*part* one byte range of a transfer, counted from 1 · *slot* a fixed piece of shared memory · *lease* the right to use
a slot · *order* supervisor → worker · *event* worker → supervisor · *attempt* one try of one request · *land* a part's
bytes are at their place, verified · *publish* rename the file, complete the upload · *site* one bucket at one endpoint.

Priorities, when two conflict: no wrong byte ≻ no lost or wrongly deleted object ≻ no hang ≻ throughput per CPU-second ≻
bounded memory ≻ latency ≻ start-up time ≻ everything else.

Where to look: part sizes are chosen in `core.layout` · what is tried again, in `core.retry` · the one line that waits
before a retry, in `io.run` · what is asked for once more because its answer is late, in `io.tail` · what happens when a
worker dies, in `core.ledger.Ledger.worker_lost` and `proc.crew` · what survives a kill, in `core.journal`,
`proc.recorder` and `io.resumption` · who frees a slot, in `proc.slots` · why an exit code, in `core.tally` and
`core.errors` · what an error advises, in `core.advice` · what a list names, in `core.manifest` and `proc.named` · what
keeps two syncs apart, in `proc.destination_lock` · what happens on disks that take ``A`` and ``a`` for one name, in
`io.spelling`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orbit_fast.client import errors as errors
    from orbit_fast.client.batch import BatchConfig as BatchConfig
    from orbit_fast.client.batch import BatchError as BatchError
    from orbit_fast.client.batch import BatchOutcome as BatchOutcome
    from orbit_fast.client.batch import BatchResult as BatchResult
    from orbit_fast.client.client import S3Client as S3Client
    from orbit_fast.client.config import S3Config as S3Config
    from orbit_fast.client.config import S3ConfigBuilder as S3ConfigBuilder
    from orbit_fast.client.engine import Engine as Engine
    from orbit_fast.client.engine_events import EngineEvent as EngineEvent
    from orbit_fast.client.engine_events import EngineProgress as EngineProgress
    from orbit_fast.client.engine_events import EngineReport as EngineReport
    from orbit_fast.client.engine_events import ObjectDeleted as ObjectDeleted
    from orbit_fast.client.engine_events import ObjectDone as ObjectDone
    from orbit_fast.client.engine_events import ObjectEvent as ObjectEvent
    from orbit_fast.client.engine_events import ObjectFailed as ObjectFailed
    from orbit_fast.client.engine_events import ObjectPlanned as ObjectPlanned
    from orbit_fast.client.engine_events import ObjectSkipped as ObjectSkipped
    from orbit_fast.client.engine_job import EngineJob as EngineJob
    from orbit_fast.client.engine_options import EngineOptions as EngineOptions
    from orbit_fast.client.errors import AccessDenied as AccessDenied
    from orbit_fast.client.errors import Authentication as Authentication
    from orbit_fast.client.errors import BucketNotFound as BucketNotFound
    from orbit_fast.client.errors import Cancelled as Cancelled
    from orbit_fast.client.errors import ChecksumMismatch as ChecksumMismatch
    from orbit_fast.client.errors import CircuitOpen as CircuitOpen
    from orbit_fast.client.errors import EngineLost as EngineLost
    from orbit_fast.client.errors import IntegrityError as IntegrityError
    from orbit_fast.client.errors import InvalidBucketName as InvalidBucketName
    from orbit_fast.client.errors import InvalidConfig as InvalidConfig
    from orbit_fast.client.errors import InvalidKey as InvalidKey
    from orbit_fast.client.errors import InvalidRange as InvalidRange
    from orbit_fast.client.errors import LocalError as LocalError
    from orbit_fast.client.errors import Network as Network
    from orbit_fast.client.errors import NotFound as NotFound
    from orbit_fast.client.errors import ObjectArchived as ObjectArchived
    from orbit_fast.client.errors import PreconditionFailed as PreconditionFailed
    from orbit_fast.client.errors import RateLimitExceeded as RateLimitExceeded
    from orbit_fast.client.errors import ResumeStateError as ResumeStateError
    from orbit_fast.client.errors import S3Error as S3Error
    from orbit_fast.client.errors import Service as Service
    from orbit_fast.client.errors import SourceChanged as SourceChanged
    from orbit_fast.client.errors import Timeout as Timeout
    from orbit_fast.client.errors import TooLarge as TooLarge
    from orbit_fast.client.errors import UploadGone as UploadGone
    from orbit_fast.client.options import ObjectOptions as ObjectOptions
    from orbit_fast.client.progress import BatchProgress as BatchProgress
    from orbit_fast.client.progress import ChunkCompleted as ChunkCompleted
    from orbit_fast.client.progress import Progress as Progress
    from orbit_fast.client.progress import ProgressAggregator as ProgressAggregator
    from orbit_fast.client.progress import ProgressEvent as ProgressEvent
    from orbit_fast.client.progress import ProgressReceiver as ProgressReceiver
    from orbit_fast.client.progress import ProgressReporter as ProgressReporter
    from orbit_fast.client.progress import ThroughputTracker as ThroughputTracker
    from orbit_fast.client.progress import TransferCompleted as TransferCompleted
    from orbit_fast.client.progress import TransferDirection as TransferDirection
    from orbit_fast.client.progress import TransferFailed as TransferFailed
    from orbit_fast.client.progress import TransferStarted as TransferStarted
    from orbit_fast.client.progress import TransferStats as TransferStats
    from orbit_fast.client.recovery import BackoffStrategy as BackoffStrategy
    from orbit_fast.client.recovery import CircuitBreaker as CircuitBreaker
    from orbit_fast.client.recovery import CircuitBreakerConfig as CircuitBreakerConfig
    from orbit_fast.client.recovery import CircuitState as CircuitState
    from orbit_fast.client.recovery import RetryPolicy as RetryPolicy
    from orbit_fast.client.recovery import with_retry as with_retry
    from orbit_fast.client.results import ListResult as ListResult
    from orbit_fast.client.results import ObjectMetadata as ObjectMetadata
    from orbit_fast.client.results import S3Bucket as S3Bucket
    from orbit_fast.client.results import S3Object as S3Object
    from orbit_fast.client.results import TransferResult as TransferResult
    from orbit_fast.client.results import UploadedPart as UploadedPart
    from orbit_fast.client.resume import ResumeState as ResumeState
    from orbit_fast.client.storage import S3ServerSideEncryption as S3ServerSideEncryption
    from orbit_fast.client.storage import S3StorageClass as S3StorageClass
    from orbit_fast.client.streams import ObjectStream as ObjectStream
    from orbit_fast.client.versioning import DeleteMarker as DeleteMarker
    from orbit_fast.client.versioning import ObjectVersion as ObjectVersion
    from orbit_fast.client.versioning import RestoreOptions as RestoreOptions
    from orbit_fast.client.versioning import VersionComparison as VersionComparison
    from orbit_fast.client.versioning import VersioningStatus as VersioningStatus
    from orbit_fast.client.versioning import VersionsList as VersionsList

__version__ = "0.1.0"

_MODULES = ("errors",)
_HOMES = {
    "AccessDenied": "errors",
    "Authentication": "errors",
    "BackoffStrategy": "recovery",
    "BatchConfig": "batch",
    "BatchError": "batch",
    "BatchOutcome": "batch",
    "BatchProgress": "progress",
    "BatchResult": "batch",
    "BucketNotFound": "errors",
    "Cancelled": "errors",
    "ChecksumMismatch": "errors",
    "ChunkCompleted": "progress",
    "CircuitBreaker": "recovery",
    "CircuitBreakerConfig": "recovery",
    "CircuitOpen": "errors",
    "CircuitState": "recovery",
    "DeleteMarker": "versioning",
    "Engine": "engine",
    "EngineEvent": "engine_events",
    "EngineJob": "engine_job",
    "EngineLost": "errors",
    "EngineOptions": "engine_options",
    "EngineProgress": "engine_events",
    "EngineReport": "engine_events",
    "IntegrityError": "errors",
    "InvalidBucketName": "errors",
    "InvalidConfig": "errors",
    "InvalidKey": "errors",
    "InvalidRange": "errors",
    "ListResult": "results",
    "LocalError": "errors",
    "Network": "errors",
    "NotFound": "errors",
    "ObjectArchived": "errors",
    "ObjectDeleted": "engine_events",
    "ObjectDone": "engine_events",
    "ObjectEvent": "engine_events",
    "ObjectFailed": "engine_events",
    "ObjectMetadata": "results",
    "ObjectOptions": "options",
    "ObjectPlanned": "engine_events",
    "ObjectSkipped": "engine_events",
    "ObjectStream": "streams",
    "ObjectVersion": "versioning",
    "PreconditionFailed": "errors",
    "Progress": "progress",
    "ProgressAggregator": "progress",
    "ProgressEvent": "progress",
    "ProgressReceiver": "progress",
    "ProgressReporter": "progress",
    "RateLimitExceeded": "errors",
    "RestoreOptions": "versioning",
    "ResumeState": "resume",
    "ResumeStateError": "errors",
    "RetryPolicy": "recovery",
    "S3Bucket": "results",
    "S3Client": "client",
    "S3Config": "config",
    "S3ConfigBuilder": "config",
    "S3Error": "errors",
    "S3Object": "results",
    "S3ServerSideEncryption": "storage",
    "S3StorageClass": "storage",
    "Service": "errors",
    "SourceChanged": "errors",
    "ThroughputTracker": "progress",
    "Timeout": "errors",
    "TooLarge": "errors",
    "TransferCompleted": "progress",
    "TransferDirection": "progress",
    "TransferFailed": "progress",
    "TransferResult": "results",
    "TransferStarted": "progress",
    "TransferStats": "progress",
    "UploadGone": "errors",
    "UploadedPart": "results",
    "VersionComparison": "versioning",
    "VersioningStatus": "versioning",
    "VersionsList": "versioning",
    "with_retry": "recovery",
}
"""Public names and the modules of the client room that they live in; loaded when they are first asked for."""

__all__ = [
    "AccessDenied",
    "Authentication",
    "BackoffStrategy",
    "BatchConfig",
    "BatchError",
    "BatchOutcome",
    "BatchProgress",
    "BatchResult",
    "BucketNotFound",
    "Cancelled",
    "ChecksumMismatch",
    "ChunkCompleted",
    "CircuitBreaker",
    "CircuitBreakerConfig",
    "CircuitOpen",
    "CircuitState",
    "DeleteMarker",
    "Engine",
    "EngineEvent",
    "EngineJob",
    "EngineLost",
    "EngineOptions",
    "EngineProgress",
    "EngineReport",
    "IntegrityError",
    "InvalidBucketName",
    "InvalidConfig",
    "InvalidKey",
    "InvalidRange",
    "ListResult",
    "LocalError",
    "Network",
    "NotFound",
    "ObjectArchived",
    "ObjectDeleted",
    "ObjectDone",
    "ObjectEvent",
    "ObjectFailed",
    "ObjectMetadata",
    "ObjectOptions",
    "ObjectPlanned",
    "ObjectSkipped",
    "ObjectStream",
    "ObjectVersion",
    "PreconditionFailed",
    "Progress",
    "ProgressAggregator",
    "ProgressEvent",
    "ProgressReceiver",
    "ProgressReporter",
    "RateLimitExceeded",
    "RestoreOptions",
    "ResumeState",
    "ResumeStateError",
    "RetryPolicy",
    "S3Bucket",
    "S3Client",
    "S3Config",
    "S3ConfigBuilder",
    "S3Error",
    "S3Object",
    "S3ServerSideEncryption",
    "S3StorageClass",
    "Service",
    "SourceChanged",
    "ThroughputTracker",
    "Timeout",
    "TooLarge",
    "TransferCompleted",
    "TransferDirection",
    "TransferFailed",
    "TransferResult",
    "TransferStarted",
    "TransferStats",
    "UploadGone",
    "UploadedPart",
    "VersionComparison",
    "VersioningStatus",
    "VersionsList",
    "__version__",
    "errors",
    "with_retry",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"orbit_fast.client.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"orbit_fast.client.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
