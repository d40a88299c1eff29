"""Where a bucket is reached and how requests to it are signed.

An endpoint given by the user (``--endpoint-url``, ``AWS_ENDPOINT_URL_S3``, ``AWS_ENDPOINT_URL``) is taken apart here,
without botocore, unless a profile or configuration file could have a say. Everything else (AWS's own hosts,
acceleration, dual-stack, FIPS, ARNs, a profile's ``endpoint_url``) is decided by the rule set that botocore ships,
evaluated with the parameters that botocore's own client would give it; no request is made.

Custom endpoints are addressed path style unless ``virtual`` is asked for; names that cannot stand in a host name are
path style everywhere. Directory buckets (S3 Express One Zone) are the other way round: virtual-host style unless
``path`` is asked for, and signed for their own service, with the keys of a session unless that is switched off.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import Final
from urllib.parse import SplitResult
from urllib.parse import quote
from urllib.parse import urlsplit

import msgspec

from orbit_fast.core.directory_buckets import is_directory_bucket
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Site
from orbit_fast.core.settings import ClientSettings
from orbit_fast.io.aws import open_session
from orbit_fast.io.aws import profile_name
from orbit_fast.io.aws import told_in_one_line

if TYPE_CHECKING:
    from botocore.session import Session

DEFAULT_REGION: Final = "us-east-1"

_PORTS: Final = {"http": 80, "https": 443}
_REGION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_HOST: Final = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)
_BUCKET_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_BUCKET_DOTTED: Final = re.compile(r"(?=.{3,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_FOUR_NUMBERS: Final = re.compile(r"(\d+\.){3}\d+")
_ACCELERATED: Final = frozenset({"s3-accelerate.amazonaws.com", "s3-accelerate.dualstack.amazonaws.com"})
_CONFIG_LIMIT: Final = 1 << 20  # bytes of a configuration file that are looked through for a word
_YES: Final = frozenset({"true", "1"})
_NO_SESSIONS: Final = "s3_disable_express_session_auth"
_NO_SESSIONS_VARIABLE: Final = "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH"
_EXPRESS: Final = "s3express"
_EXPRESS_SCHEME: Final = "sigv4-s3express"
"""The signing name of directory buckets, and what the rules call a signature with a session's keys."""


def needs_botocore(settings: ClientSettings, environment: Mapping[str, str], bucket: str) -> bool:
    """Whether `resolve_site` has to ask botocore (0.15 s, no network)."""
    url, _ = _given_endpoint(settings, environment)
    if not url or bucket.startswith("arn:") or profile_name(settings, environment):
        return True
    words = [b"region"] if not _given_region(settings, environment) else []
    if settings.addressing_style == "auto":
        words.append(b"addressing_style")
    if is_directory_bucket(bucket) and not environment.get(_NO_SESSIONS_VARIABLE):
        words.append(_NO_SESSIONS.encode())
    return any(_mentions(path, words) for path in _config_files(settings, environment)) if words else False


def resolve_site(
    number: int, bucket: str, settings: ClientSettings, environment: Mapping[str, str], identity: int = 0
) -> Site:
    """The site of one bucket.

    Args:
        number: the site's index in the job.
        bucket: name, alias or ARN; ``''`` for the service itself (its list of buckets).
        settings: of this side.
        environment: the process's own; botocore reads it too.
        identity: index of the credentials that sign.

    Raises:
        InvalidConfig: endpoint, region, profile or their combination cannot be used.
    """
    if needs_botocore(settings, environment, bucket):
        with told_in_one_line(profile_name(settings, environment)):
            endpoint = _endpoint_by_rules(bucket, settings, environment)
    else:
        url, origin = _given_endpoint(settings, environment)
        region = _given_region(settings, environment) or DEFAULT_REGION
        endpoint = custom_endpoint(url, bucket, region=region, settings=settings, origin=origin)
        endpoint = _without_sessions(endpoint, environment.get(_NO_SESSIONS_VARIABLE))
    return Site(
        number=number,
        bucket=bucket,
        endpoint=endpoint,
        identity=identity,
        request_payer=settings.request_payer,
        use_list_v1=settings.use_list_v1,
        sign_payload=not settings.unsigned_payload,
    )


def with_region(site: Site, region: str, settings: ClientSettings, environment: Mapping[str, str]) -> Site:
    """The same bucket in the region that the service named: on AWS another host, elsewhere only another signature.

    Raises:
        InvalidConfig: that is no region.
    """
    _check_region(region)
    if site.endpoint.is_custom:
        return msgspec.structs.replace(site, endpoint=msgspec.structs.replace(site.endpoint, region=region))
    moved = msgspec.structs.replace(settings, region=region)
    return resolve_site(site.number, site.bucket, moved, environment, site.identity)


def custom_endpoint(url: str, bucket: str, *, region: str, settings: ClientSettings, origin: str) -> Endpoint:
    """The endpoint of `bucket` at a service that the user named.

    Args:
        url: as the user wrote it.
        bucket: a name, not an ARN; ``''`` for the service itself.
        region: to sign for.
        settings: addressing style.
        origin: what gave the URL, for messages.

    Raises:
        InvalidConfig: it is not a URL of an S3 service.
    """
    parts = _parse_endpoint(url, origin)
    _check_region(region)
    if settings.use_acceleration:
        raise InvalidConfig(f"--use-acceleration is for AWS's own hosts; it does not go with {origin} {url!r}")
    host, base = parts.hostname or "", parts.path.rstrip("/")
    is_directory = is_directory_bucket(bucket)
    is_virtual = settings.addressing_style == "virtual" or (
        settings.addressing_style == "auto" and (is_directory or host in _ACCELERATED)
    )
    if is_virtual and not _is_address(host) and _fits_host(bucket, parts.scheme):
        endpoint = _endpoint(parts, host=f"{bucket}.{host}", path=base, region=region)
    else:
        path = f"{base}/{quote(bucket, safe='-_.~')}" if bucket else base
        endpoint = _endpoint(parts, host=host, path=path, region=region)
    return msgspec.structs.replace(endpoint, signing_name=_EXPRESS, has_sessions=True) if is_directory else endpoint


def _without_sessions(endpoint: Endpoint, said: object) -> Endpoint:
    """The same endpoint, signed for with the caller's own keys where the setting says that no session is wanted."""
    return msgspec.structs.replace(endpoint, has_sessions=False) if _is_true(said) else endpoint


def _endpoint(parts: SplitResult, *, host: str, path: str, region: str) -> Endpoint:
    scheme = parts.scheme
    port = parts.port or _PORTS[scheme]
    shown = f"[{host}]" if ":" in host else host
    return Endpoint(
        scheme=scheme,
        host=host,
        port=port,
        host_header=shown if port == _PORTS[scheme] else f"{shown}:{port}",
        path_prefix=path,
        region=region,
        is_custom=True,
    )


def _parse_endpoint(url: str, origin: str) -> SplitResult:
    """The parts of an endpoint URL that is one.

    Raises:
        InvalidConfig: it is not, and why.
    """
    if "@" in url:  # first, because every other complaint shows the URL
        raise InvalidConfig(f"{origin} must not hold a user name or password (or any '@')")
    if any(character <= " " or character == "\x7f" for character in url):  # urlsplit would leave some out
        raise InvalidConfig(f"{origin} must not hold spaces or control characters: {url!r}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidConfig(f"{origin} is not a URL: {url!r}") from None
    if parts.scheme not in _PORTS or not url.lower().startswith(("http://", "https://")):
        raise InvalidConfig(f"{origin} must begin with http:// or https://: {url!r}")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise InvalidConfig(f"{origin} must not hold a query or a fragment: {url!r}")
    host = parts.hostname or ""
    if port == 0 or not (_is_address(host) or _HOST.fullmatch(host)):
        raise InvalidConfig(f"{origin} has no usable host and port: {url!r}")
    if not url.isascii() or quote(parts.path, safe="/%-_.~!$&'()*+,;=:@") != parts.path or "//" in parts.path:
        raise InvalidConfig(f"{origin} has a path that cannot be sent: {url!r}")
    return parts


def _is_address(host: str) -> bool:
    """Whether this is an IP address: it can have no bucket before it."""
    try:
        return not getattr(ipaddress.ip_address(host), "scope_id", None)
    except ValueError:
        return False


def _fits_host(bucket: str, scheme: str) -> bool:
    """Whether the name can stand before a host; with dots only over http, where no certificate is compared."""
    if _BUCKET_LABEL.fullmatch(bucket):
        return True
    return scheme == "http" and _BUCKET_DOTTED.fullmatch(bucket) is not None and not _FOUR_NUMBERS.fullmatch(bucket)


def _check_region(region: str) -> None:
    if not _REGION.fullmatch(region):
        raise InvalidConfig(f"not a region: {region!r}")


# --- what the user said ---------------------------------------------------------------------------------------------


def _given_endpoint(settings: ClientSettings, environment: Mapping[str, str]) -> tuple[str, str]:
    """The endpoint given by option or environment and what gave it, or ``''``."""
    if settings.endpoint_url:
        return settings.endpoint_url, "--endpoint-url"
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() in _YES:
        return "", ""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        if environment.get(name):
            return environment[name], name
    return "", ""


def _given_region(settings: ClientSettings, environment: Mapping[str, str]) -> str:
    return settings.region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or ""


def _config_files(settings: ClientSettings, environment: Mapping[str, str]) -> list[Path | None]:
    """The files that botocore would read; None for one whose place is not known."""
    home = environment.get("HOME", "")
    files: list[Path | None] = [Path(settings.credentials_file)] if settings.credentials_file else []
    for name, default in (("AWS_CONFIG_FILE", ".aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")):
        given = environment.get(name, "")
        if given and not given.startswith("~"):
            files.append(Path(given))
        else:
            files.append(Path(home) / (given[2:] if given.startswith("~/") else default) if home else None)
    return files


def _mentions(path: Path | None, words: list[bytes]) -> bool:
    """Whether a configuration file may set one of these: it holds the word, or cannot be looked through."""
    if path is None:
        return True
    try:
        with path.open("rb") as file:
            text = file.read(_CONFIG_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return len(text) > _CONFIG_LIMIT or any(word in text for word in words)


# --- what botocore's rules say --------------------------------------------------------------------------------------


def _endpoint_by_rules(bucket: str, settings: ClientSettings, environment: Mapping[str, str]) -> Endpoint:
    session = open_session(settings, environment)
    url, origin = _given_endpoint(settings, environment)
    if not url:
        url, origin = _configured_endpoint(session), "endpoint_url of the AWS configuration"
    chosen_region = _given_region(settings, environment) or session.get_config_variable("region") or ""
    region = chosen_region or DEFAULT_REGION
    s3: dict[str, Any] = dict(session.get_config_variable("s3") or {})
    style = settings.addressing_style if settings.addressing_style != "auto" else s3.get("addressing_style") or "auto"
    accelerate = settings.use_acceleration or _is_true(s3.get("use_accelerate_endpoint"))
    _check_region(region)
    if url and not bucket.startswith("arn:"):
        chosen = msgspec.structs.replace(settings, addressing_style=style)
        endpoint = custom_endpoint(url, bucket, region=region, settings=chosen, origin=origin)
        return _without_sessions(endpoint, session.get_config_variable(_NO_SESSIONS))
    parameters: dict[str, Any] = {
        "Region": region,
        "ForcePathStyle": style == "path" and not accelerate and not bucket.startswith("arn:"),
        "Accelerate": accelerate,
        "UseGlobalEndpoint": region == DEFAULT_REGION
        and (not chosen_region or (s3.get("us_east_1_regional_endpoint") or "legacy") == "legacy"),
        "UseArnRegion": s3.get("use_arn_region") is None or _is_true(s3["use_arn_region"]),
        "DisableMultiRegionAccessPoints": _is_true(s3.get("s3_disable_multiregion_access_points")),
        "DisableS3ExpressSessionAuth": _is_true(session.get_config_variable(_NO_SESSIONS)),
    }
    if bucket:
        parameters["Bucket"] = bucket
    if url:
        _parse_endpoint(url, origin)
        parameters["Endpoint"] = url
    else:
        parameters["UseFIPS"] = _is_true(session.get_config_variable("use_fips_endpoint"))
        parameters["UseDualStack"] = _is_true(s3.get("use_dualstack_endpoint")) or _is_true(
            session.get_config_variable("use_dualstack_endpoint")
        )
    return _evaluate(session, parameters, is_custom=bool(url))


def _configured_endpoint(session: Session) -> str:
    """``endpoint_url`` of the profile or its services section, or ``''``."""
    from botocore.configprovider import ConfiguredEndpointProvider  # noqa: PLC0415 - loaded with the session

    if _is_true(session.get_config_variable("ignore_configured_endpoint_urls")):
        return ""
    provider = ConfiguredEndpointProvider(
        full_config=session.full_config, scoped_config=session.get_scoped_config(), client_name="s3"
    )
    return provider.provide() or ""


def _evaluate(session: Session, parameters: dict[str, Any], *, is_custom: bool) -> Endpoint:
    """What the rule set says.

    Raises:
        InvalidConfig: it refuses, or wants a signature that orbit does not make.
    """
    from botocore.endpoint_provider import EndpointProvider  # noqa: PLC0415 - only where rules are needed
    from botocore.exceptions import EndpointProviderError  # noqa: PLC0415 - as above

    bucket = parameters.get("Bucket", "")
    loader = session.get_component("data_loader")
    provider = EndpointProvider(
        ruleset_data=loader.load_service_model("s3", "endpoint-rule-set-1"),
        partition_data=loader.load_data("partitions"),
    )
    try:
        found = provider.resolve_endpoint(**parameters)
    except EndpointProviderError as error:
        raise InvalidConfig(f"{' '.join(str(error).split())} ({bucket or 'the list of buckets'})") from None
    parts = urlsplit(found.url)
    schemes = {scheme["name"]: scheme for scheme in found.properties.get("authSchemes", [])}
    scheme = schemes.get("sigv4") or schemes.get(_EXPRESS_SCHEME)
    if schemes and scheme is None:
        kinds = ", ".join(schemes)
        raise InvalidConfig(f"this kind of bucket needs signatures that orbit does not make ({kinds}): {bucket}")
    scheme = scheme or {}
    endpoint = _endpoint(
        parts,
        host=parts.hostname or "",
        path=parts.path.rstrip("/"),
        region=scheme.get("signingRegion") or parameters["Region"],
    )
    return msgspec.structs.replace(
        endpoint,
        signing_name=scheme.get("signingName") or "s3",
        is_custom=is_custom,
        has_sessions=scheme.get("name") == _EXPRESS_SCHEME,
    )


def _is_true(value: object) -> bool:
    """A boolean as configuration files spell it."""
    return value is True or str(value).lower() in _YES
