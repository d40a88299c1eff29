"""A sync job: what its two arguments mean, and everything that is needed to do it.

Both sides are directories: what follows a prefix's last ``/`` is a name, and so is a path below a local directory. A
source in S3 may be a wildcard; then only the names that it matches belong to the job, on both sides.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orbit_fast.core.console import Console
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.filter_record import record_filters
from orbit_fast.core.guard import Case
from orbit_fast.core.guard import DeleteVerify
from orbit_fast.core.guard import LimitKind
from orbit_fast.core.location import LocalDestination
from orbit_fast.core.location import LocalKind
from orbit_fast.core.location import S3Url
from orbit_fast.core.location import Wildcard
from orbit_fast.core.location import has_wildcard
from orbit_fast.core.location import is_s3_url
from orbit_fast.core.location import local_destination
from orbit_fast.core.location import parse_s3_url
from orbit_fast.core.location import wildcard_prefix
from orbit_fast.core.messages import Ask
from orbit_fast.core.messages import Failure
from orbit_fast.core.plan import Mode
from orbit_fast.core.plan import Rule
from orbit_fast.core.relaying import is_relayed
from orbit_fast.core.relaying import is_same_endpoint
from orbit_fast.core.relaying import plan_relay
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import Look
from orbit_fast.core.sync import SyncOptions
from orbit_fast.core.sync import SyncPlan
from orbit_fast.core.visible import clean
from orbit_fast.core.visible import lossy
from orbit_fast.core.visible import printable
from orbit_fast.io.clock import Clock
from orbit_fast.io.directories import prepare_destination
from orbit_fast.proc.aftermath import Recovery
from orbit_fast.proc.destination_lock import DestinationLock
from orbit_fast.proc.destination_lock import place_of
from orbit_fast.proc.extras import Extras
from orbit_fast.proc.filter_memory import FilterMemory
from orbit_fast.proc.intake import Destination
from orbit_fast.proc.intake import Intake
from orbit_fast.proc.job import limits_of
from orbit_fast.proc.job import worker_count
from orbit_fast.proc.journal import state_directory
from orbit_fast.proc.key_stream import Listings
from orbit_fast.proc.manifest_out import writing_manifest
from orbit_fast.proc.open_files import fitted
from orbit_fast.proc.progress import Amount
from orbit_fast.proc.questions import Asker
from orbit_fast.proc.report import Level
from orbit_fast.proc.report import Report
from orbit_fast.proc.search import Last
from orbit_fast.proc.sides import Side
from orbit_fast.proc.supervisor import Supervisor
from orbit_fast.proc.sync_deletion import Deletion
from orbit_fast.proc.sync_finder import End
from orbit_fast.proc.sync_finder import SyncFinder
from orbit_fast.proc.sync_sides import ListedSide
from orbit_fast.proc.sync_sides import LocalSide
from orbit_fast.proc.sync_sides import as_job_failure
from orbit_fast.proc.voice import LineVoice
from orbit_fast.proc.voice import Voice
from orbit_fast.proc.writer import hold_standard_fds

if TYPE_CHECKING:
    from orbit_fast.core.errors import S3Error
    from orbit_fast.core.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncJob:
    """What the arguments mean.

    Attributes:
        source: where the source's names stand.
        target: where the destination's names stand.
        destination: the same, as the intake reads it.
        sides: the buckets; the destination's is the first where it is in S3.
        begins: with what the names of interest begin.
        options: what is compared and deleted.
        look: how pairs are looked at that the listings do not decide.
        memory: what the last sync of the two sides left, where this one deletes.
    """

    source: End
    target: End
    destination: Destination
    sides: tuple[Side, ...]
    begins: str
    options: SyncOptions
    look: Look
    memory: FilterMemory | None = None


def plan_sync(source: str, destination: str, settings: JobSettings) -> SyncJob:
    """What the arguments mean.

    Raises:
        InvalidConfig: they do not make a job.
        SourceMissing: there is no such directory.
    """
    _check(settings)
    if not is_s3_url(source) and not is_s3_url(destination):
        raise InvalidConfig("one side must be in S3 (s3://bucket/key); both are local")
    sides: list[Side] = []
    target, place = _target(destination, settings, sides)
    begins, pattern = "", ""
    if is_s3_url(source):
        url = parse_s3_url(source)
        key = _as_prefix(url.key)
        if not settings.selection.raw and has_wildcard(url.key):
            begins = wildcard_prefix(url.key)
            key, begins = begins[: begins.rfind("/") + 1], begins[begins.rfind("/") + 1 :]
            pattern = url.key[len(key) :]
        side = Side(url.bucket, settings.source)
        if side not in sides:
            sides.append(side)
        end = End(url=S3Url(url.bucket, key), site=sides.index(side))
        _refuse_overlap(end, target, sides, settings)
        if target.url is not None and is_relayed(settings):
            place = _relayed(place, end, sides, settings)
    else:
        end = End(root=_directory(source))
    options = _options(settings, end, target, pattern)
    return SyncJob(
        source=end,
        target=target,
        destination=place,
        sides=tuple(sides),
        begins=begins,
        options=options,
        look=_look(settings, options),
    )


def run_sync(
    source: str, destination: str, settings: JobSettings, environment: Mapping[str, str], console: Console, command: str
) -> int:
    """Make `destination` what `source` is, report on stdout and stderr, and find the exit code.

    Args:
        source: a directory, a prefix, or a wildcard in S3.
        destination: a directory or a prefix.
        settings: of the job.
        environment: of the process.
        console: the terminal.
        command: what the user typed, for advice.

    Raises:
        InvalidConfig: the arguments do not make a job, or another sync is writing to the destination.
    """
    hold_standard_fds()
    settings = fitted(settings, worker_count(settings))
    job = plan_sync(source, destination, settings)
    plain = plain_settings(settings)
    clock = Clock()
    report = Report(plain, console, clock.monotonic_s, command="sync")
    job = with_memory(job, settings, environment, report)
    with ExitStack() as held:
        lock = lock_of(job, settings, environment, report)
        held.callback(lock.release)
        if not settings.output.dry_run:
            lock.take(_waiting(report, settings) if settings.sync.wait else None)
        processes = worker_count(settings)
        limits = limits_of(settings, processes)
        recovery = Recovery([source], destination, settings, environment, report, operation="sync", limits=limits)
        ledger = recovery.ledger
        supervisor = Supervisor(plain, environment, report, ledger, sides=job.sides, processes=processes)
        recovery.serve(supervisor, job.destination.local)
        around = SyncAround(
            voice=report,
            ledger=ledger,
            ask=supervisor.questions.ask,
            vary=supervisor.vary,
            listings=Listings(clock.monotonic_s),
            sides=job.sides,
        )
        finder, lasts = begin_sync(job, settings, command, around)
        supervisor.set_sources(recovery.finders([finder]), around.amount, recovery.last(*lasts))
        held.enter_context(writing_manifest(settings, supervisor, report))
        return supervisor.run()


def lock_of(job: SyncJob, settings: JobSettings, environment: Mapping[str, str], report: Report) -> DestinationLock:
    """What keeps two syncs from one destination, or from one inside the other."""
    target = job.target
    place = place_of(target.url or target.root, settings.dest.endpoint_url, environment)
    what = str(target.url) if target.url is not None else printable(lossy(target.root)[0])
    return DestinationLock(state_directory(environment), place, what, log=partial(report.log, Level.DEBUG))


def with_memory(job: SyncJob, settings: JobSettings, environment: Mapping[str, str], report: Report) -> SyncJob:
    """The job with what the last sync of its two sides left, where it deletes."""
    if not job.options.deletes:
        return job
    now_s = Clock().now_s()
    scope = job.options.scope
    sides = [
        place_of(job.source.url or job.source.root, settings.source.endpoint_url, environment),
        scope.pattern.encode("utf-8", "surrogatepass") if scope is not None else b"",
        place_of(job.target.url or job.target.root, settings.dest.endpoint_url, environment),
    ]
    record = record_filters(settings.selection, deletes_excluded=job.options.deletes_excluded, now_ns=int(now_s * 1e9))
    log = partial(report.log, Level.INFO)
    memory = FilterMemory(state_directory(environment), b"\0".join(sides), record, now_s=now_s, log=log)
    return dataclasses.replace(job, memory=memory)


def _waiting(report: Report, settings: JobSettings) -> Callable[[str], None]:
    """Says whose end is waited for."""

    def say(text: str) -> None:
        if not settings.output.quiet:
            report.forward(b"", f"orbit: {clean(text)}: waiting for its end\n".encode())
            report.pump()

    return say


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncAround:
    """The job that a sync is done in: its own, or a script's.

    Attributes:
        voice: counts and says what becomes of objects.
        ledger: takes what is to be copied.
        ask: has pages fetched and tasks done; returns the number that the answer will have.
        vary: numbers settings.
        listings: of the job.
        sides: the S3 sides of the job.
        amount: what has been found.
        line: of the script, or 0.
    """

    voice: Report | LineVoice
    ledger: Ledger
    ask: Callable[[Asker, Ask], int]
    vary: Callable[[JobSettings], int]
    listings: Listings
    sides: Sequence[Side]
    amount: Amount = field(default_factory=Amount)
    line: int = 0


def plain_settings(settings: JobSettings) -> JobSettings:
    """What objects are copied with: all was decided on before, so whoever copies looks at no condition again."""
    return replace(settings, operation="cp", selection=replace(settings.selection, if_source_newer=False))


def begin_sync(
    job: SyncJob, settings: JobSettings, command: str, around: SyncAround
) -> tuple[SyncFinder, tuple[Last, ...]]:
    """Who compares the sides, and those whose turn comes when every copy has ended, in their order.

    Args:
        job: what the arguments mean; sides have the numbers of the job that it is done in.
        settings: as the user gave them.
        command: what the user typed, for advice.
        around: that job.
    """
    plain = plain_settings(settings)
    looking = replace(plain, sync=replace(plain.sync, look=job.look))
    copying, asking = (Intake(plain, job.destination, around.ledger, around.voice) for _ in range(2))
    copying.serve(around.amount, variant=around.vary(plain), line=around.line)
    asking.serve(around.amount, variant=around.vary(looking), line=around.line)
    plan, extras = SyncPlan(job.options), Extras(job.target.root if job.options.deletes else b"")
    finder = SyncFinder(
        _sides(job, settings, around.voice, around.ask, around.listings),
        (job.source, job.target),
        plan,
        (copying, asking),
        extras=extras,
        report=around.voice,
        needs_source=_needs_source(job, settings),
    )

    def case() -> Case:
        return Case(
            is_whole=finder.is_done,
            failed=around.voice.failures,
            at_source=plan.at_source,
            at_destination=plan.at_destination,
            extras=len(extras),
            limit=settings.sync.max_delete,
            allows_empty_source=settings.sync.allow_empty_source,
            verify=settings.sync.delete_verify,
            weakened=job.memory.weakened() if job.memory is not None else (),
            allows_changed_filters=settings.sync.allow_changed_filters,
            command=command,
        )

    def done() -> None:
        if job.memory is not None and not settings.output.dry_run:
            job.memory.keep()

    ends = (job.source, job.target)
    deletion = Deletion(extras, ends, case, report=around.voice, ask=around.ask, on_done=done)
    return finder, (deletion, *_audit(job, settings, around))


def _sides(
    job: SyncJob,
    settings: JobSettings,
    voice: Voice,
    ask: Callable[[Asker, Ask], int],
    listings: Listings,
) -> tuple[LocalSide | ListedSide, LocalSide | ListedSide]:
    """What is to be compared with what."""

    def unnamed(path: bytes, error: S3Error) -> None:
        voice.failed((path, ""), Failure.of(error))

    def side(end: End, *, is_source: bool) -> LocalSide | ListedSide:
        if end.url is None:
            follows = settings.selection.follow_symlinks and is_source
            return LocalSide(end.root, follow_symlinks=follows, is_source=is_source, on_unnamed=unnamed)
        what = f"the {'source' if is_source else 'destination'} {end.url}"
        failed = partial(as_job_failure, what=what)
        return ListedSide(end.site, end.url.key, job.begins, ask, listings, on_failure=failed)

    return side(job.source, is_source=True), side(job.target, is_source=False)


# --- what the options mean --------------------------------------------------------------------------------------------


def _deletes(settings: JobSettings) -> bool:
    return settings.sync.delete or settings.sync.mode == Mode.MIRROR


def _check(settings: JobSettings) -> None:
    """Refuse options that would do nothing.

    Raises:
        InvalidConfig: naming one.
    """
    if _deletes(settings):
        return
    sync = settings.sync
    given = {
        "--delete-excluded": sync.delete_excluded,
        "--max-delete": sync.max_delete.kind is not LimitKind.USUAL,
        "--delete-verify": sync.delete_verify is not DeleteVerify.AUTO,
        "--allow-changed-filters": sync.allow_changed_filters,
    }
    for option, is_given in given.items():
        if is_given:
            raise InvalidConfig(f"{option} is about deleting: add --delete")


def _options(settings: JobSettings, source: End, target: End, pattern: str) -> SyncOptions:
    sync = settings.sync
    rule = Rule(
        mode=Mode(sync.mode),
        size_only=sync.size_only,
        checksum=sync.checksum,
        asks_when_newer=source.url is not None and (target.url is None or settings.transfer.preserve_metadata),
        conditions=settings.selection,
    )
    return SyncOptions(
        rule=rule,
        selection=settings.selection,
        source_is_local=source.url is None,
        destination_is_local=target.url is None,
        deletes=_deletes(settings),
        deletes_excluded=sync.delete_excluded,
        scope=Wildcard(pattern) if pattern else None,
        tells_identical=settings.output.verbose > 0,
    )


def _look(settings: JobSettings, options: SyncOptions) -> Look:
    if options.rule.checksum:
        return Look.CHECKSUM
    if not options.rule.asks_when_newer:
        return Look.NONE
    return Look.TIMES if settings.transfer.preserve_metadata else Look.CONTENT


def _needs_source(job: SyncJob, settings: JobSettings) -> bool:
    """Whether a prefix without anything is an error: a mistyped one looks like that. A bucket may be empty."""
    url = job.source.url
    return url is not None and bool(url.key + job.begins) and not settings.sync.allow_empty_source


# --- where the sides are ----------------------------------------------------------------------------------------------


def _as_prefix(key: str) -> str:
    return key if not key or key.endswith("/") else f"{key}/"


def _directory(source: str) -> bytes:
    """The local source.

    Raises:
        SourceMissing: there is nothing of this name.
        InvalidConfig: it is no directory.
    """
    path = os.fsencode(source)
    if not path:
        raise InvalidConfig("the source is empty")
    if not os.path.lexists(path):
        raise SourceMissing(f"no such directory: {source}")
    if not os.path.isdir(path):
        raise InvalidConfig(f"{source} is not a directory: orbit cp copies files")
    return path if path.endswith(b"/") else path + b"/"


def _target(destination: str, settings: JobSettings, sides: list[Side]) -> tuple[End, Destination]:
    if is_s3_url(destination):
        url = parse_s3_url(destination)
        sides.append(Side(url.bucket, settings.dest))
        prefix = S3Url(url.bucket, _as_prefix(url.key))
        return End(url=prefix, site=0), Destination(url=prefix, site=0, many=True)
    path = os.fsencode(destination)
    kind = LocalKind.DIRECTORY if os.path.isdir(path) else LocalKind.NOTHING
    if kind is LocalKind.NOTHING and os.path.lexists(path):
        kind = LocalKind.FILE
    local: LocalDestination = local_destination(path, kind, many=True)
    if not settings.output.dry_run:
        prepare_destination(local.path, is_durable=settings.transfer.durable)
    root = local.path if local.path.endswith(b"/") else local.path + b"/"
    return End(root=root), Destination(local=local, many=True)


def _refuse_overlap(source: End, target: End, sides: Sequence[Side], settings: JobSettings) -> None:
    """A prefix cannot be synced with itself, or with a part of itself: each copy would be found as a new source.

    Raises:
        InvalidConfig: it is tried.
    """
    if source.url is None or target.url is None or source.url.bucket != target.url.bucket:
        return
    if sides[source.site] != sides[target.site] and not is_same_endpoint(settings):
        return
    here, there = source.url.key, target.url.key
    if here.startswith(there) or there.startswith(here):
        raise InvalidConfig(f"{source.url} and {target.url} overlap: a sync would find its own copies")


def _relayed(place: Destination, source: End, sides: Sequence[Side], settings: JobSettings) -> Destination:
    is_same = sides[source.site].bucket == sides[0].bucket and is_same_endpoint(settings)
    relay = plan_relay(settings, worker_count(settings), frozenset({source.site} if is_same else ()))
    return Destination(url=place.url, site=place.site, many=True, relay=relay)


def _audit(job: SyncJob, settings: JobSettings, around: SyncAround) -> list[Last]:
    """Who looks after the job whether its objects are there, where that is wanted and the destination can be listed."""
    if not settings.transfer.audit or job.target.url is None or settings.output.dry_run:
        return []
    from orbit_fast.proc.audit import Audit  # noqa: PLC0415 - sqlite3 is for those who ask for an audit

    buckets = [side.bucket for side in around.sides]
    return [Audit(buckets, job.target.site, around.voice, around.ask, around.listings)]
