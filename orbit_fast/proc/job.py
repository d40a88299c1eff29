"""A copy job: what the arguments mean, and everything that is needed to do it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orbit_fast.core.console import Console
from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.hands import Limits
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.location import KeySource
from orbit_fast.core.location import LocalKind
from orbit_fast.core.location import S3Url
from orbit_fast.core.location import is_s3_url
from orbit_fast.core.location import key_source
from orbit_fast.core.location import local_destination
from orbit_fast.core.location import parse_s3_url
from orbit_fast.core.settings import JobSettings
from orbit_fast.io.clock import Clock
from orbit_fast.io.directories import prepare_destination
from orbit_fast.proc.finders import FileFinder
from orbit_fast.proc.finders import Finder
from orbit_fast.proc.finders import ObjectFinder
from orbit_fast.proc.finders import TreeFinder
from orbit_fast.proc.intake import Destination
from orbit_fast.proc.intake import Intake
from orbit_fast.proc.report import Report
from orbit_fast.proc.sides import Side
from orbit_fast.proc.supervisor import Supervisor
from orbit_fast.proc.writer import hold_standard_fds

if TYPE_CHECKING:
    from orbit_fast.proc.audit import Audit

MAX_PROCESSES = 64
"""More workers than this one supervisor cannot keep busy with small objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the arguments mean.

    Attributes:
        keys: S3 sources.
        paths: local sources.
        destination: where to.
        sides: the buckets; the destination's is the first where it is in S3.
        source_sites: the number of each S3 source's side.
    """

    keys: tuple[KeySource, ...]
    paths: tuple[bytes, ...]
    destination: Destination
    sides: tuple[Side, ...]
    source_sites: tuple[int, ...]


def run_copy(
    sources: Sequence[str],
    destination: str,
    settings: JobSettings,
    environment: Mapping[str, str],
    console: Console,
) -> Exit | int:
    """Copy `sources` to `destination`, report on stdout and stderr, and find the exit code.

    Raises:
        InvalidConfig: the arguments do not make a job.
    """
    hold_standard_fds()
    plan = plan_copy(sources, destination, settings)
    clock = Clock()
    report = Report(settings, console, clock.monotonic_s)
    processes = worker_count(settings)
    share = -(-settings.transfer.workers // processes)
    limits = Limits(
        workers=processes,
        depth=2 * share,
        concurrency=settings.transfer.concurrency,
        objects=settings.transfer.workers,
    )
    ledger = Ledger(limits)
    supervisor = Supervisor(
        settings,
        environment,
        report,
        ledger,
        sides=plan.sides,
        processes=processes,
    )
    intake = Intake(settings, plan.destination, ledger, report)
    if len(plan.keys) + len(plan.paths) > 1:
        intake.watch_collisions()
    audit = _audit(plan, settings, report, supervisor)
    supervisor.set_sources(_finders(plan, settings, intake, supervisor), intake, audit)
    if plan.destination.url is not None and plan.destination.many and not settings.output.dry_run:
        supervisor.questions.probe(plan.destination.site)
    return supervisor.run()


def _audit(plan: Plan, settings: JobSettings, report: Report, supervisor: Supervisor) -> Audit | None:
    """Who looks after the job whether its objects are there, where that is wanted and the destination can be listed."""
    if not settings.transfer.audit or plan.destination.url is None or settings.output.dry_run:
        return None
    from orbit_fast.proc.audit import Audit  # noqa: PLC0415 - sqlite3 is for those who ask for an audit

    buckets = [side.bucket for side in plan.sides]
    return Audit(buckets, plan.destination.site, report, supervisor.questions.ask)


def worker_count(settings: JobSettings) -> int:
    """How many worker processes: what was asked for, else one a CPU that is ours; no more than objects at once."""
    wanted = settings.transfer.processes
    if not wanted:
        try:
            wanted = len(os.sched_getaffinity(0))
        except AttributeError:  # not on macOS
            wanted = os.cpu_count() or 1
    return max(1, min(wanted, MAX_PROCESSES, settings.transfer.workers))


def plan_copy(sources: Sequence[str], destination: str, settings: JobSettings) -> Plan:
    """What the arguments mean.

    Raises:
        InvalidConfig: they do not make a job.
    """
    selection = settings.selection
    if not sources:
        raise InvalidConfig("no source is given")
    remote = [is_s3_url(source) for source in sources]
    if any(remote) != all(remote):
        raise InvalidConfig("sources must be all local or all in S3")
    if not any(remote) and not is_s3_url(destination):
        raise InvalidConfig("one side must be in S3 (s3://bucket/key); both are local")
    keys = tuple(
        key_source(parse_s3_url(source), recursive=selection.recursive, raw=selection.raw)
        for source, is_remote in zip(sources, remote, strict=True)
        if is_remote
    )
    paths = () if any(remote) else tuple(os.fsencode(source) for source in sources)
    is_tree = [_is_tree(path, recursive=selection.recursive) for path in paths]
    many = len(sources) > 1 or any(is_tree) or any(key.is_many for key in keys)
    return _place(keys, paths, destination, settings, many=many)


def _place(
    keys: tuple[KeySource, ...], paths: tuple[bytes, ...], destination: str, settings: JobSettings, *, many: bool
) -> Plan:
    sides: list[Side] = []
    if is_s3_url(destination):
        url = parse_s3_url(destination)
        sides.append(Side(url.bucket, is_destination=True))
        if keys and settings.source != settings.dest:
            raise InvalidConfig(
                "source and destination have different endpoints or credentials: a copy inside the service needs the "
                "same on both sides (copy through a local directory instead)",
            )
        target = Destination(url=url, site=0, many=many)
    else:
        path = os.fsencode(destination)
        local = local_destination(path, _kind(path), many=many)
        if not settings.output.dry_run:
            prepare_destination(local.path if local.is_directory else os.path.dirname(local.path))
        target = Destination(local=local, many=many)
    numbers: dict[str, int] = {}
    for key in keys:
        if key.url.bucket not in numbers:
            numbers[key.url.bucket] = _number_of(key.url, sides)
    source_sites = tuple(numbers[key.url.bucket] for key in keys)
    return Plan(keys=keys, paths=paths, destination=target, sides=tuple(sides), source_sites=source_sites)


def _number_of(url: S3Url, sides: list[Side]) -> int:
    """The number of a source's side; the destination's own when it is the same bucket."""
    for number, side in enumerate(sides):
        if side.bucket == url.bucket:
            return number
    sides.append(Side(url.bucket))
    return len(sides) - 1


def _finders(plan: Plan, settings: JobSettings, intake: Intake, supervisor: Supervisor) -> list[Finder]:
    selection = settings.selection
    finders: list[Finder] = [
        ObjectFinder(key, site, intake, supervisor.questions.ask, version_id=selection.version_id)
        for key, site in zip(plan.keys, plan.source_sites, strict=True)
    ]
    for path in plan.paths:
        if os.path.isdir(path):
            finders.append(TreeFinder(path, intake, follow_symlinks=selection.follow_symlinks))
        else:
            finders.append(FileFinder(path, intake))
    return finders


def _is_tree(path: bytes, *, recursive: bool) -> bool:
    """Whether a local source is a directory.

    Raises:
        SourceMissing: there is nothing of this name.
        InvalidConfig: it is a directory, and nobody said that its content is meant; or neither file nor directory.
    """
    shown = os.fsdecode(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise SourceMissing(f"no such file or directory: {shown}") from None
    except OSError as error:
        raise SourceMissing(f"cannot look at {shown}: {error.strerror}") from None
    if stat.S_ISDIR(mode):
        if not recursive:
            raise InvalidConfig(f"{shown} is a directory: add --recursive to copy what is in it")
        return True
    if not stat.S_ISREG(mode):
        raise InvalidConfig(f"{shown} is neither a file nor a directory")
    return False


def _kind(path: bytes) -> LocalKind:
    if os.path.isdir(path):
        return LocalKind.DIRECTORY
    return LocalKind.FILE if os.path.lexists(path) else LocalKind.NOTHING
