"""What ``doctor`` finds: one `Check` for each thing it looks at, and what numbers mean.

Whoever looks hands over what was seen; here it becomes *ok*, *warn* or *fail*, and advice: what to do next.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Final

from orbit_fast.core.errors import NoSuchHost
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Timeout
from orbit_fast.core.errors import TlsTrust
from orbit_fast.core.provenance import Setting
from orbit_fast.core.redact import redact
from orbit_fast.core.settings import MIB
from orbit_fast.core.units import format_size
from orbit_fast.core.values import Source

SKEW_WARN_S: Final = 60.0
SKEW_FAIL_S: Final = 900.0
"""S3 refuses requests that are this far off; orbit then corrects itself, presigned URLs and other programs do not."""

SLOW_DNS_MS: Final = 500.0
SLOW_CONNECT_MS: Final = 1000.0

FILES_APART: Final = 64
"""Descriptors of a worker that are no connections: pipes, slots, files being read and written, libraries."""

CONNECTIONS_FOR_PARTS: Final = 32

LEAST_MEMORY: Final = 256 * MIB
"""Below it, the default of --max-memory and the processes themselves do not fit."""


class Health(enum.StrEnum):
    """How something is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: of the thing.
        health: how it is.
        message: what was found, one line, without a secret.
        advice: what to do next, or ``''``.
        facts: the same for programs.
    """

    name: str
    message: str
    health: Health = Health.OK
    advice: str = ""
    facts: Mapping[str, str | float | bool] = field(default_factory=dict)


_ADVICE_BY_CODE: Final = {  # what a service answers has its own (`core.advice`)
    "E_TLS": "use http:// or the right port: what answers there does not speak TLS",
}
_ADVICE: Final[tuple[tuple[type[S3Error], str], ...]] = (
    (NoSuchHost, "look at the endpoint's name (--endpoint-url), and at the name server (/etc/resolv.conf)"),
    (TlsTrust, "trust the certificate's authority with --ca-bundle FILE, or use the name that the certificate has"),
    (Timeout, "look at firewalls and proxies between here and there"),
)
_GENERAL_ADVICE: Final = "run again with --log-level debug, and look at the service's own state"


def failed(name: str, error: S3Error, *, advice: str = "", health: Health = Health.FAIL) -> Check:
    """Something that ended with an error."""
    general = next((text for kind, text in _ADVICE if isinstance(error, kind)), _GENERAL_ADVICE)
    found = advice or error.advice or _ADVICE_BY_CODE.get(error.code) or general
    message = redact(" ".join(error.message.split())).removeprefix(f"{error.code}: ")
    return Check(name=name, health=health, message=f"{error.code}: {message}", advice=found)


def check_skew(skew_s: float) -> Check:
    """How far this clock is from the service's; positive: the service is ahead."""
    facts = {"skew_secs": round(skew_s, 1)}
    size = abs(skew_s)
    text = f"{size:.1f} s {'behind' if skew_s > 0 else 'ahead of'} the service's"
    if size <= SKEW_WARN_S:
        return Check(name="clock", message=f"this clock is {text}", facts=facts)
    health = Health.FAIL if size >= SKEW_FAIL_S else Health.WARN
    advice = "set this machine's clock (NTP): services refuse what is signed more than 15 minutes off"
    return Check(name="clock", health=health, message=f"this clock is {text}", advice=advice, facts=facts)


def check_files(soft: int, hard: int, *, workers: int, processes: int) -> Check:
    """Whether each worker process may open as many files as its share of ``--workers`` needs; -1: no limit."""
    needed = _files_needed(workers, processes)
    facts = {"soft_limit": soft, "hard_limit": hard, "needed": needed}
    shown = "unlimited" if soft < 0 else str(soft)
    message = f"{shown} open files a process, of which {needed} may be needed"
    if soft < 0 or soft >= needed:
        return Check(name="open-files", message=message, facts=facts)
    fewer = max(1, (soft - FILES_APART - CONNECTIONS_FOR_PARTS) // 2 * processes)
    way = f"raise the limit (ulimit -n {needed}), or " if hard < 0 or hard >= needed else ""
    return Check(
        name="open-files", health=Health.WARN, message=message, advice=f"{way}use --workers {fewer}", facts=facts
    )


def _files_needed(workers: int, processes: int) -> int:
    """Of one worker: a connection and a file for each object in flight."""
    return 2 * -(-workers // processes) + CONNECTIONS_FOR_PARTS + FILES_APART


def check_memory(limit: int, total: int, *, wanted: int) -> Check:
    """Whether ``--max-memory`` fits into what this process may use.

    Args:
        limit: bytes that its control group may use, or 0 where there is no limit.
        total: bytes of the machine, or 0 where that is not known.
        wanted: bytes that ``--max-memory`` says.
    """
    have = min(size for size in (limit, total, 1 << 62) if size)
    where = "the control group's limit" if limit and limit == have else "the machine's"
    facts = {"limit": limit, "total": total, "max_memory": wanted}
    if have == 1 << 62:
        return Check(name="memory", message="how much there is cannot be told", facts=facts)
    message = f"{format_size(have, human=True)} ({where}), --max-memory {format_size(wanted, human=True)}"
    if wanted <= have // 2:
        return Check(name="memory", message=message, facts=facts)
    fits = max(16, have // 4 // MIB)
    return Check(name="memory", health=Health.WARN, message=message, advice=f"use --max-memory {fits}MiB", facts=facts)


def check_settings(settings: Sequence[Setting]) -> tuple[Check, ...]:
    """Every setting that somebody has given, and who."""
    found = []
    for setting in settings:
        if setting.source is not Source.DEFAULT:
            facts = {"option": setting.option, "value": setting.value, "place": setting.place}
            message = f"{setting.option} = {setting.value} (from {setting.place})"
            found.append(Check(name="setting", message=message, facts=facts))
    return tuple(found) or (Check(name="setting", message="all settings are the defaults"),)


def suggest(cpus: int, *, soft_files: int) -> Check:
    """Settings that suit this machine."""
    workers = 256
    while soft_files >= 0 and workers > 16 and _files_needed(workers, cpus) > soft_files:
        workers //= 2
    facts = {"processes": cpus, "workers": workers}
    return Check(name="suggestion", message=f"--processes {cpus} --workers {workers}", facts=facts)


def is_broken(checks: Sequence[Check]) -> bool:
    """Whether anything fails."""
    return any(check.health is Health.FAIL for check in checks)
