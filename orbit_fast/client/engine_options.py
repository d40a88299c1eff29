"""What an engine is told: the command's own option table, in Python's types.

Options have the names of the command's, with ``_`` for ``-``, and are read by the same parsers; so a text means here
what it means there (``part_size="64MiB"``). Beside texts: sizes are `int` bytes, durations are seconds or a
`timedelta`, ages are a `datetime` or a `timedelta` before now, pairs are a mapping, what may be repeated is a sequence.

Neither ``ORBIT_…`` variables nor configuration files are read: a program says what it wants.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from datetime import timedelta
from pathlib import Path
from typing import Any
from typing import Final
from typing import Literal
from typing import TypedDict

from msgspec.structs import replace

from orbit_fast.client.config import S3Config
from orbit_fast.client.options import with_encryption
from orbit_fast.client.storage import S3StorageClass
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.options import build_settings
from orbit_fast.core.options import options_of
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.similar import did_you_mean
from orbit_fast.core.values import Context
from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape
from orbit_fast.core.values import read_given
from orbit_fast.io.clock import Clock

Size = int | str
Seconds = float | timedelta | str
Age = datetime | timedelta | str
Several = str | Sequence[str]
Pairs = Mapping[str, str]
PathLike = str | os.PathLike[str]


class EngineOptions(TypedDict, total=False):
    """The options of an engine and of its jobs: as the command's of the same name, whose help explains them."""

    acl: str
    addressing_style: Literal["auto", "path", "virtual"]
    all_versions: bool
    allow_changed_filters: bool
    allow_empty_source: bool
    audit: bool
    aws_profile: str
    ca_bundle: PathLike
    cache_control: str
    checksum: bool
    checksum_algorithm: str
    concurrency: int
    content_disposition: str
    content_encoding: str
    content_language: str
    content_type: str
    credentials_file: PathLike
    delete: bool
    delete_excluded: bool
    delete_verify: Literal["auto", "head", "none"]
    dest_aws_profile: str
    dest_endpoint_url: str
    dest_no_sign_request: bool
    dest_region: str
    dry_run: bool
    durable: bool
    endpoint_url: str
    exclude: Several
    expires_header: str
    files_from: PathLike
    filter_from: PathLike | Sequence[PathLike]
    flatten: bool
    force_glacier_transfer: bool
    force_path_style: bool
    if_size_differ: bool
    if_source_newer: bool
    ignore_glacier_warnings: bool
    include: Several
    log_level: Literal["debug", "info", "warning", "error"]
    manifest_out: PathLike
    max_bandwidth: Size
    max_delete: int | str
    max_memory: Size
    max_size: Size
    metadata: Pairs
    metadata_directive: Literal["COPY", "REPLACE"]
    min_size: Size
    mode: Literal["copy", "sync", "update", "mirror"]
    newer_than: Age
    no_clobber: bool
    no_guess_mime_type: bool
    no_sign_request: bool
    no_verify: bool
    no_verify_ssl: bool
    older_than: Age
    part_size: Size
    preserve_metadata: bool
    processes: int
    progress: bool
    quiet: bool
    raw: bool
    recursive: bool
    region: str
    request_payer: Literal["requester"]
    require_verify: bool
    resume: bool
    retry_attempts: int
    size_only: bool
    source_aws_profile: str
    source_endpoint_url: str
    source_no_sign_request: bool
    source_region: str
    sse: str
    sse_c_key_file: PathLike
    sse_kms_key_id: str
    storage_class: S3StorageClass | str
    symlink: Literal["follow", "skip"]
    tags: Pairs
    timeout: Seconds
    unsigned_payload: bool
    use_acceleration: bool
    use_list_objects_v1: bool
    verbose: int
    version_id: str
    wait: bool
    workers: int


VERBS: Final = ("cp", "mv", "sync", "rm")
"""The commands that an engine does."""

_NOT_OURS: Final = frozenset({"config", "expected_size", "human_readable", "json", "stat"})
"""Options of a command line, and of stdin and stdout, that an object has no use for."""

_SAME: Final = {
    "addressing_style": "addressing_style",
    "ca_bundle": "ca_bundle",
    "checksum_algorithm": "checksum_algorithm",
    "chunk_size": "part_size",
    "credentials_file": "credentials_file",
    "endpoint": "endpoint_url",
    "force_path_style": "force_path_style",
    "max_retries": "retry_attempts",
    "no_sign_request": "no_sign_request",
    "parallel_operations": "concurrency",
    "profile": "aws_profile",
    "region": "region",
    "request_payer": "request_payer",
    "require_verify": "require_verify",
    "storage_class": "storage_class",
    "timeout_seconds": "timeout",
    "unsigned_payload": "unsigned_payload",
    "use_acceleration": "use_acceleration",
    "use_list_objects_v1": "use_list_objects_v1",
}
"""Fields of an `S3Config`, and the options that mean the same."""
_OPPOSITE: Final = {"verify_checksums": "no_verify", "verify_ssl": "no_verify_ssl"}
_ENCRYPTION: Final = frozenset({"sse", "sse_kms_key_id", "sse_c_key_file"})


def check_names(given: Mapping[str, object]) -> None:
    """Refuse what is an option of none of an engine's jobs.

    Raises:
        InvalidConfig: naming it, and what may have been meant.
    """
    known = {name for verb in VERBS for name in _options(verb)}
    for name in given:
        if name not in known:
            raise InvalidConfig(f"{name}: an engine has no such option{did_you_mean(name, known)}")


def read_options(
    verb: str, config: S3Config | None, general: Mapping[str, object], own: Mapping[str, object]
) -> JobSettings:
    """The settings of one job.

    Args:
        verb: which of `VERBS`.
        config: what it says beyond its defaults counts as options; the others win.
        general: options of the engine: those that the job does not take are of other jobs.
        own: options of the job.

    Raises:
        InvalidConfig: something of it is unknown, cannot be used, or contradicts the rest; the message names it.
    """
    known = _options(verb)
    check_names(own)
    for name in own:
        if name not in known:
            raise InvalidConfig(f"{name}: {verb} has no such option")
    told = {**_config_options(config), **general, **own}
    context = Context(now_ns=lambda: int(Clock().now_s() * 1e9), read_file=lambda name: Path(name).read_bytes())
    values: dict[str, object] = {}
    for name, option in known.items():
        given = _given(option, told.get(name))
        if given is not None:
            values[name] = read_given(option, given, name, context)
    settings = build_settings(values)
    if settings.selection.files_from == "-":
        raise InvalidConfig("files_from: an engine reads no stdin: name a file")
    if config is not None:
        settings = _with_config(settings, config, keeps_encryption=not _ENCRYPTION.isdisjoint(values))
    progress = settings.output.progress is not False
    return replace(settings, operation=verb, output=replace(settings.output, json=True, progress=progress))


def _options(verb: str) -> dict[str, Option]:
    return {option.parameter: option for option in options_of(verb) if option.parameter not in _NOT_OURS}


# --- a client's configuration ----------------------------------------------------------------------------------------


def _config_options(config: S3Config | None) -> dict[str, Any]:
    """What a configuration says beyond its defaults."""
    if config is None:
        return {}
    said: dict[str, Any] = {}
    for each in fields(config):
        value = getattr(config, each.name)
        if each.name in _SAME and value != each.default:
            said[_SAME[each.name]] = value
        elif each.name in _OPPOSITE and not value:
            said[_OPPOSITE[each.name]] = True
    return said


def _with_config(settings: JobSettings, config: S3Config, *, keeps_encryption: bool) -> JobSettings:
    """What no option stands for."""
    transfer = replace(settings.transfer, multipart_copy_threshold=config.multipart_copy_threshold)
    settings = replace(settings, transfer=transfer)
    if config.server_side_encryption is None or keeps_encryption:
        return settings
    return replace(settings, object=with_encryption(settings.object, config.server_side_encryption))


# --- Python's values as the parsers read them ------------------------------------------------------------------------


def _given(option: Option, value: object) -> object:
    """What the command line would give for a value, or None where it says nothing.

    Raises:
        InvalidConfig: it is of no type that the option takes.
    """
    if value is None:
        return None
    match option.shape:
        case Shape.FLAG | Shape.TOGGLE:
            if not isinstance(value, bool):
                raise _unusable(option, value, "True or False")
            return value if option.shape is Shape.TOGGLE else (value or None)
        case Shape.COUNT:
            if not isinstance(value, int) or value < 0:
                raise _unusable(option, value, "a number")
            return int(value)
        case Shape.OPTIONAL if isinstance(value, bool):
            return option.optional_value if value else None
        case Shape.MANY:
            return _texts(option, value)
    return _text(option, value)


def _texts(option: Option, value: object) -> tuple[str, ...] | None:
    if isinstance(value, Mapping):
        return tuple(f"{name}={text}" for name, text in value.items()) or None
    if isinstance(value, str | os.PathLike):
        return (_text(option, value),)
    if not isinstance(value, Iterable):
        raise _unusable(option, value, "text, or several")
    return tuple(_text(option, each) for each in value) or None


def _text(option: Option, value: object) -> str:
    kind, text = option.metavar, None
    match value:
        case str():
            text = str(value)
        case os.PathLike():
            text = os.fsdecode(value)
        case int() if not isinstance(value, bool) and kind != "AGE":
            text = f"{value}B" if kind == "SIZE" else str(value)
        case float() if kind == "SECONDS":
            text = f"{value:.6f}"
        case timedelta() if kind in {"SECONDS", "AGE"}:
            text = f"{value.total_seconds():.6f}"
        case datetime() if kind == "AGE":
            text = value.isoformat()
    if text is None:
        raise _unusable(option, value, "what this option takes")
    return text


def _unusable(option: Option, value: object, wanted: str) -> InvalidConfig:
    return InvalidConfig(f"{option.parameter}: {value!r} is not {wanted}")
