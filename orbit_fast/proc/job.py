"""A copy job: what the arguments mean, and everything that is needed to do it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from selectors import BaseSelector
from typing import TYPE_CHECKING

from orbit_fast.core.console import Console
from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.hands import Limits
from orbit_fast.core.location import KeySource
from orbit_fast.core.location import LocalKind
from orbit_fast.core.location import is_s3_url
from orbit_fast.core.location import key_source
from orbit_fast.core.location import local_destination
from orbit_fast.core.location import parse_s3_url
from orbit_fast.core.relaying import Relay
from orbit_fast.core.relaying import is_relayed
from orbit_fast.core.relaying import is_same_endpoint
from orbit_fast.core.relaying import plan_relay
from orbit_fast.core.relaying import relay_workers
from orbit_fast.core.settings import JobSettings
from orbit_fast.io.clock import Clock
from orbit_fast.io.directories import prepare_destination
from orbit_fast.proc.aftermath import Recovery
from orbit_fast.proc.finders import FileFinder
from orbit_fast.proc.finders import Finder
from orbit_fast.proc.finders import NumberedAsk
from orbit_fast.proc.finders import ObjectFinder
from orbit_fast.proc.finders import OneOfMany
from orbit_fast.proc.finders import TreeFinder
from orbit_fast.proc.intake import Destination
from orbit_fast.proc.intake import Intake
from orbit_fast.proc.key_stream import Listings
from orbit_fast.proc.manifest_out import writing_manifest
from orbit_fast.proc.named import NamedFiles
from orbit_fast.proc.named import NamedKeys
from orbit_fast.proc.named import named_source
from orbit_fast.proc.named import open_names
from orbit_fast.proc.open_files import fitted
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
    settings = fitted(settings, worker_count(settings))
    clock = Clock()
    report = Report(settings, console, clock.monotonic_s, command=settings.operation)
    processes = worker_count(settings)
    limits = limits_of(settings, processes)
    operation = settings.operation
    recovery = Recovery(sources, destination, settings, environment, report, operation=operation, limits=limits)
    ledger = recovery.ledger
    supervisor = Supervisor(
        settings,
        environment,
        report,
        ledger,
        sides=plan.sides,
        processes=processes,
    )
    recovery.serve(supervisor, plan.destination.local)
    intake = Intake(settings, plan.destination, ledger, report)
    if len(plan.keys) + len(plan.paths) > 1:
        intake.watch_collisions()
    audit = None
    if plan.destination.url is not None:
        audit = audit_of(settings, report, supervisor, site=plan.destination.site)
    ask = supervisor.questions.ask
    # What is copied may come in any order; a plan is read by people.
    listings = Listings(clock.monotonic_s, in_order=settings.output.dry_run)
    finders = finders_of(plan, settings, intake, ask, supervisor.selector, listings)
    supervisor.set_sources(recovery.finders(finders), intake.amount, recovery.last(audit))
    if plan.destination.url is not None and plan.destination.many and not settings.output.dry_run:
        supervisor.questions.probe(plan.destination.site)
    with writing_manifest(settings, supervisor, report):
        return supervisor.run()


def limits_of(settings: JobSettings, processes: int) -> Limits:
    """How much at once, in so many worker processes."""
    share = -(-settings.transfer.workers // processes)
    return Limits(
        workers=processes,
        depth=2 * share,
        concurrency=settings.transfer.concurrency,
        objects=settings.transfer.workers,
    )


def audit_of(settings: JobSettings, report: Report, supervisor: Supervisor, *, site: int) -> Audit | None:
    """Who looks after the job whether its objects are there, at the S3 destination `site`, where that is wanted."""
    if not settings.transfer.audit or settings.output.dry_run:
        return None
    from orbit_fast.proc.audit import Audit  # noqa: PLC0415 - sqlite3 is for those who ask for an audit

    buckets = [side.bucket for side in supervisor.sides.sides]
    return Audit(buckets, site, report, supervisor.questions.ask, Listings(Clock().monotonic_s, in_order=False))


def worker_count(settings: JobSettings) -> int:
    """How many worker processes: what was asked for, else one a CPU that is ours; no more than objects at once."""
    wanted = settings.transfer.processes
    if not wanted:
        try:
            wanted = len(os.sched_getaffinity(0))
        except AttributeError:  # not on macOS
            wanted = os.cpu_count() or 1
    if is_relayed(settings):
        wanted = min(wanted, relay_workers(settings))
    return max(1, min(wanted, MAX_PROCESSES, settings.transfer.workers))


def plan_copy(sources: Sequence[str], destination: str, settings: JobSettings) -> Plan:
    """What the arguments mean.

    Raises:
        InvalidConfig: they do not make a job.
    """
    selection = settings.selection
    if not sources:
        raise InvalidConfig("no source is given")
    if selection.files_from and (len(sources) != 1 or selection.version_id):
        raise InvalidConfig("--files-from names what is below one source: a directory or s3://bucket/prefix")
    remote = [is_s3_url(source) for source in sources]
    if any(remote) != all(remote):
        raise InvalidConfig("sources must be all local or all in S3")
    if not any(remote) and not is_s3_url(destination):
        raise InvalidConfig("one side must be in S3 (s3://bucket/key); both are local")
    keys = tuple(
        named_source(parse_s3_url(source))
        if selection.files_from
        else key_source(parse_s3_url(source), recursive=selection.recursive, raw=selection.raw)
        for source, is_remote in zip(sources, remote, strict=True)
        if is_remote
    )
    paths = () if any(remote) else tuple(os.fsencode(source) for source in sources)
    recursive = selection.recursive or bool(selection.files_from)
    is_tree = [_is_tree(path, recursive=recursive, is_one_of_many=len(paths) > 1) for path in paths]
    if selection.files_from and not all(is_tree):
        raise InvalidConfig(f"--files-from names what is below a directory, and {sources[0]} is a file")
    many = len(sources) > 1 or any(is_tree) or any(key.is_many for key in keys)
    return _place(keys, paths, destination, settings, many=many)


def _place(
    keys: tuple[KeySource, ...], paths: tuple[bytes, ...], destination: str, settings: JobSettings, *, many: bool
) -> Plan:
    sides: list[Side] = []
    if is_s3_url(destination):
        url = parse_s3_url(destination)
        sides.append(Side(url.bucket, settings.dest))
        target = Destination(url=url, site=0, many=many)
    else:
        path = os.fsencode(destination)
        local = local_destination(path, _kind(path), many=many)
        if not settings.output.dry_run:
            root = local.path if local.is_directory else os.path.dirname(local.path)
            prepare_destination(root, is_durable=settings.transfer.durable or settings.operation == "mv")
        target = Destination(local=local, many=many)
    source_sites = tuple(_number_of(Side(key.url.bucket, settings.source), sides) for key in keys)
    if target.url is not None and is_relayed(settings):
        target = replace(target, relay=_relay(settings, sides, source_sites))
    return Plan(keys=keys, paths=paths, destination=target, sides=tuple(sides), source_sites=source_sites)


def _relay(settings: JobSettings, sides: Sequence[Side], source_sites: Sequence[int]) -> Relay:
    same = [number for number in source_sites if sides[number].bucket == sides[0].bucket]
    return plan_relay(settings, worker_count(settings), frozenset(same if is_same_endpoint(settings) else ()))


def _number_of(side: Side, sides: list[Side]) -> int:
    """The number of a source's side; the destination's own when it is the same bucket, reached alike."""
    if side not in sides:
        sides.append(side)
    return sides.index(side)


def finders_of(
    plan: Plan,
    settings: JobSettings,
    intake: Intake,
    ask: NumberedAsk,
    selector: BaseSelector,
    listings: Listings,
) -> list[Finder]:
    """A finder for each source.

    Args:
        plan: what the arguments mean.
        settings: of the job.
        intake: takes what is found.
        ask: has pages and keys fetched.
        selector: what the job waits for.
        listings: those of the job.

    Raises:
        InvalidConfig: the manifest cannot be opened.
    """
    selection = settings.selection
    if selection.files_from:
        names = open_names(selection.files_from, selector)
        if plan.keys:
            return [NamedKeys(plan.keys[0], plan.source_sites[0], names, intake, ask)]
        return [NamedFiles(plan.paths[0], names, intake, follow_symlinks=selection.follow_symlinks)]
    finders: list[Finder] = []
    is_alone = len(plan.keys) + len(plan.paths) == 1
    for key, site in zip(plan.keys, plan.source_sites, strict=True):
        if is_alone:
            finders.append(ObjectFinder(key, site, intake, ask, listings, version_id=selection.version_id))
            continue
        one = OneOfMany(str(key.url), intake, ask)
        one.finder = ObjectFinder(key, site, intake, one.ask, listings, version_id=selection.version_id)
        finders.append(one)
    for path in plan.paths:
        is_tree = os.path.isdir(path)
        tree = TreeFinder(path, intake, follow_symlinks=selection.follow_symlinks) if is_tree else None
        finder = tree or FileFinder(path, intake)
        finders.append(finder if is_alone else OneOfMany(path, intake, ask, finder))
    return finders


def _is_tree(path: bytes, *, recursive: bool, is_one_of_many: bool) -> bool:
    """Whether a local source is a directory. One of many that is not there is found missing when its turn comes.

    Raises:
        SourceMissing: there is nothing of this name.
        InvalidConfig: it is a directory, and nobody said that its content is meant; or neither file nor directory.
    """
    shown = os.fsdecode(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if is_one_of_many:
            return False
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
