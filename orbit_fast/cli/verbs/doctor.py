"""``orbit doctor [s3://bucket[/prefix]]``: what orbit finds here, and what stands in the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

import msgspec

from orbit_fast.cli.config import read_config
from orbit_fast.cli.environment import now_ns
from orbit_fast.cli.environment import read_file
from orbit_fast.cli.environment import write_err
from orbit_fast.cli.streams import installed_version
from orbit_fast.cli.streams import print_data
from orbit_fast.cli.tasks import s3_url
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core import checkup
from orbit_fast.core.checkup import Check
from orbit_fast.core.checkup import Health
from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.events import Totals
from orbit_fast.core.events import new_renderer
from orbit_fast.core.location import S3Url
from orbit_fast.core.options import build_settings
from orbit_fast.core.options import gather
from orbit_fast.core.options import values_of
from orbit_fast.core.provenance import Setting
from orbit_fast.core.provenance import explain
from orbit_fast.core.render.doctor import check_line
from orbit_fast.core.render.doctor import totals_line
from orbit_fast.core.settings import NetworkSettings
from orbit_fast.core.settings import TransferSettings
from orbit_fast.core.values import Context
from orbit_fast.core.values import Source
from orbit_fast.core.verb_groups import RUNS

if TYPE_CHECKING:
    from orbit_fast.core.model import Credentials
    from orbit_fast.core.model import Site

_SOON_S = 900
_PATIENCE = 2
"""Retries, unless it is said how many: whoever asks what is wrong does not want to wait until it may be better."""


@dataclass(slots=True)
class _Findings:
    """What has been found; each is printed as it comes."""

    invocation: Invocation
    checks: list[Check] = field(default_factory=list)
    status: Exit = Exit.DONE

    def tell(self, check: Check) -> None:
        """One more."""
        self.checks.append(check)
        self.print(check_line(check, self.invocation.settings.output))

    def print(self, lines: bytes) -> None:
        """Whole lines; the first trouble with stdout is what the command ends with."""
        if lines and self.status is Exit.DONE:
            self.status = print_data(lines)

    def attempt(self, name: str, look: Callable[[], Check]) -> None:
        """A check that may fail with an error."""
        try:
            check = look()
        except S3Error as error:
            check = checkup.failed(name, error)
        self.tell(check)


def run(invocation: Invocation) -> int:
    """Look at everything; 2 where something is broken.

    Raises:
        InvalidConfig: the arguments make no sense.
    """
    url = _url(invocation)
    from orbit_fast.io.clock import Clock  # noqa: PLC0415 - loads when there is something to do

    clock = Clock()
    started_s = clock.monotonic_s()
    findings = _Findings(invocation)
    _look_at_machine(findings)
    _look_at_service(findings, url)
    is_broken = checkup.is_broken(findings.checks)
    findings.print(totals_line(findings.checks, invocation.settings.output))
    exit_code = findings.status or (Exit.NOT_POSSIBLE if is_broken else Exit.DONE)
    totals = Totals(command="doctor", exit_code=int(exit_code), duration_s=clock.monotonic_s() - started_s)
    summary = new_renderer(invocation.settings, operation="doctor").summary(totals)
    findings.print(summary.out)
    write_err(summary.err)
    return int(findings.status or exit_code)


def _url(invocation: Invocation) -> S3Url:
    """What to look at; no bucket where none is named.

    Raises:
        InvalidConfig: more than one argument, or ``--write`` and no bucket.
    """
    if len(invocation.arguments) > 1:
        raise InvalidConfig("doctor takes one S3 URL at most: orbit doctor s3://bucket/prefix")
    if invocation.arguments:
        url = s3_url(invocation.arguments[0], "doctor")
        return S3Url(url.bucket, f"{url.key.rstrip('/')}/" if url.key else "")
    if invocation.settings.doctor.write:
        raise InvalidConfig("--write needs to know where: orbit doctor --write s3://bucket/prefix")
    return S3Url("", "")


# --- this machine -----------------------------------------------------------------------------------------------------


def _look_at_machine(findings: _Findings) -> None:
    from orbit_fast.io import machine  # noqa: PLC0415 - loads when there is something to do

    versions = {"orbit": installed_version(), **machine.versions()}
    versions.pop("orbit-fast", None)
    shown = ", ".join(f"{name} {version}" for name, version in versions.items())
    findings.tell(Check(name="versions", message=shown, facts=versions))
    cpus = machine.cpu_count()
    findings.tell(Check(name="processors", message=f"{cpus} may be used", facts={"count": cpus}))
    transfer = _look_at_settings(findings)
    soft, hard = machine.file_limits()
    findings.tell(checkup.check_files(soft, hard, workers=transfer.workers, processes=transfer.processes or cpus))
    limit, total = machine.memory_limits()
    findings.tell(checkup.check_memory(limit, total, wanted=transfer.max_memory))
    way = machine.can_share_memory()
    if way:
        findings.tell(Check(name="sharing", message=f"processes share memory by {way}"))
    else:
        advice = "make /dev/shm or the temporary directory writable"
        message = "processes cannot share memory"
        findings.tell(Check(name="sharing", health=Health.FAIL, message=message, advice=advice))
    findings.tell(checkup.suggest(cpus, soft_files=soft))


def _look_at_settings(findings: _Findings) -> TransferSettings:
    """Who has set what, for any command; the transfer settings that come of it."""
    given = {(one.option, one.value): one for one in explain(findings.invocation.given, "doctor")}
    transfer = TransferSettings()
    try:
        for verb in sorted(RUNS):
            found, settings = _settings_of(findings.invocation, verb)
            given |= {(one.option, one.value): one for one in found if (one.option, one.value) not in given}
            transfer = settings if verb == "cp" else transfer
    except S3Error as error:
        advice = "mend the file or the variable that the message names"
        findings.tell(checkup.failed("setting", error, advice=advice))
        return transfer
    for check in checkup.check_settings([one for one in given.values() if one.source is not Source.DEFAULT]):
        findings.tell(check)
    return transfer


def _settings_of(invocation: Invocation, verb: str) -> tuple[tuple[Setting, ...], TransferSettings]:
    """What environment and configuration file set for a command."""
    named = invocation.given.get("config")
    variables = invocation.environment.variables
    files = read_config(named.given if named is not None else None, variables, verb)
    context = Context(now_ns=now_ns, read_file=read_file)
    given = gather({}, variables, context, verb=verb, files=files)
    return explain(given, verb), build_settings(values_of(given)).transfer


# --- the service ------------------------------------------------------------------------------------------------------


def _look_at_service(findings: _Findings, url: S3Url) -> None:
    from orbit_fast.io import credentials  # noqa: PLC0415 - loads when there is something to do
    from orbit_fast.io import endpoints  # noqa: PLC0415 - likewise

    invocation = findings.invocation
    client, variables = invocation.settings.source, invocation.environment.variables
    signer: Credentials | None = None
    try:
        signer = credentials.resolve(client, variables)
    except S3Error as error:
        advice = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a --profile, or log in (aws sso login)"
        findings.tell(checkup.failed("credentials", error, advice=advice))
    else:
        findings.tell(_check_credentials(signer))
    try:
        site = endpoints.resolve_site(0, url.bucket, client, variables)
    except S3Error as error:
        findings.tell(checkup.failed("endpoint", error, advice="look at the settings of endpoint and region"))
        return
    endpoint = site.endpoint
    findings.tell(
        Check(
            name="endpoint",
            message=f"{endpoint.scheme}://{endpoint.host_header} (from {_endpoint_origin(invocation, site)})",
            facts={"url": f"{endpoint.scheme}://{endpoint.host_header}"},
        )
    )
    origin = _region_origin(invocation, site)
    findings.tell(Check(name="region", message=f"{endpoint.region} (from {origin})", facts={"region": endpoint.region}))
    _use_network(findings, site, signer, url.key)


def _check_credentials(found: Credentials) -> Check:
    if found.is_anonymous():
        return Check(name="credentials", message="none: requests are sent unsigned", facts={"provider": "anonymous"})
    facts = {"provider": found.provider, "access_key": f"{found.access_key[:4]}…"}
    message = f"from {found.provider}, access key {found.access_key[:4]}…"
    if not found.expires_at_s:
        return Check(name="credentials", message=message, facts=facts)
    left_s = int(found.expires_at_s - now_ns() / 1e9)
    message = f"{message}, good for {max(0, left_s)} s"
    if left_s > _SOON_S:
        return Check(name="credentials", message=message, facts=facts)
    health = Health.WARN if left_s > 0 else Health.FAIL
    advice = "renew them: log in again (aws sso login), or fetch new temporary keys"
    return Check(name="credentials", health=health, message=message, advice=advice, facts=facts)


def _endpoint_origin(invocation: Invocation, site: Site) -> str:
    given = invocation.given.get("endpoint_url")
    if given is not None:
        return given.place
    if not site.endpoint.is_custom:
        return "AWS's own rules"
    variables = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    named = [name for name in variables if invocation.environment.variables.get(name)]
    return named[0] if named else "the AWS configuration"


def _region_origin(invocation: Invocation, site: Site) -> str:
    from orbit_fast.io.endpoints import DEFAULT_REGION  # noqa: PLC0415 - loaded before

    given = invocation.given.get("region")
    if given is not None:
        return given.place
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if invocation.environment.variables.get(name):
            return name
    return "the default" if site.endpoint.region == DEFAULT_REGION else "the AWS configuration"


def _use_network(findings: _Findings, site: Site, signer: Credentials | None, prefix: str) -> None:
    from orbit_fast.io import endpoints  # noqa: PLC0415 - loads when there is something to do
    from orbit_fast.io.checkup import Checkup  # noqa: PLC0415 - likewise
    from orbit_fast.io.loop import run as run_loop  # noqa: PLC0415 - likewise
    from orbit_fast.io.tls import Trust  # noqa: PLC0415 - likewise

    invocation = findings.invocation
    settings, variables = invocation.settings, dict(invocation.environment.variables)
    trust = Trust(
        ca_bundle=settings.source.ca_bundle or variables.get("AWS_CA_BUNDLE", ""), verify=settings.source.verify_ssl
    )
    network: NetworkSettings = settings.network
    if "retry_attempts" not in invocation.given:
        network = msgspec.structs.replace(network, retry_attempts=_PATIENCE)
    look = Checkup(site, signer, trust, network, findings.tell)
    look.follow_regions(
        lambda where, region: endpoints.with_region(where, region, settings.source, variables),
    )
    token = f".orbit-doctor-{os.urandom(8).hex()}"
    run_loop(look.run(prefix, writes=settings.doctor.write, token=token))


VERB = Verb(
    name="doctor",
    synopsis="[s3://BUCKET[/PREFIX]]",
    summary="Say what is set, who you are to the service, and what stands in the way.",
    description=(
        (
            "Looks at versions, processors, open files, memory; at every setting that is not the default, and who set "
            "it; at credentials (where they come from, never what they are), region and endpoint; at name, connection "
            "and TLS, each with its time; at the clock; and at what may be done: with a BUCKET, whether it is there "
            "and may be listed, else whether buckets may be. Nothing is changed."
        ),
        (
            "--write puts, gets and deletes a small object under PREFIX, and sees whether the service verifies the "
            "checksums of uploads and keeps If-None-Match. Requests are tried three times unless --retry-attempts is "
            "given."
        ),
        "Each line begins with ok, warn or FAIL; what to do next stands below. Exit status 2 when something is broken.",
    ),
    examples=(
        ("orbit doctor", "this machine, and the service that is set"),
        ("orbit doctor s3://bucket/backups", "and what may be done there"),
        ("orbit doctor --write s3://bucket/backups", "and whether objects can be written"),
        ("orbit doctor --profile work --json", "for programs: an event for each check"),
    ),
    run=run,
)
