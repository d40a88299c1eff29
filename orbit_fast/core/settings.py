"""The settings of a job, frozen and grouped: what the option table builds and what travels to the workers.

Groups are `msgspec.Struct`s so that one encoding serves the pipe to a worker. Sizes are bytes, times seconds, rates
bytes per second. Defaults here are the product's defaults; the option table reads them from here.
"""

from __future__ import annotations

import msgspec

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


class ClientSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How one S3 side is reached."""

    endpoint_url: str = ""
    region: str = ""
    profile: str = ""
    credentials_file: str = ""
    no_sign_request: bool = False
    use_acceleration: bool = False
    request_payer: str = ""
    verify_ssl: bool = True
    ca_bundle: str = ""
    use_list_v1: bool = False
    addressing_style: str = "auto"
    unsigned_payload: bool = False


class NetworkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait and how often to try."""

    retry_attempts: int = 10
    timeout_s: float = 30.0


class TransferSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much at once, and what is proven."""

    workers: int = 256
    concurrency: int = 5
    part_size: int = 50 * MIB
    processes: int = 0
    max_memory: int = 512 * MIB
    verify: bool = True
    require_verify: bool = False
    audit: bool = False
    checksum_algorithm: str = "CRC32C"
    preserve_metadata: bool = False
    multipart_copy_threshold: int = 5 * GIB


class ObjectSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an uploaded or copied object is given. Empty means: say nothing about it."""

    content_type: str = ""
    content_encoding: str = ""
    content_disposition: str = ""
    content_language: str = ""
    cache_control: str = ""
    expires: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    metadata_directive: str = "COPY"
    tags: tuple[tuple[str, str], ...] = ()
    acl: str = ""
    storage_class: str = ""
    sse: str = ""
    sse_kms_key_id: str = ""
    sse_c_key: bytes = b""
    guess_mime_type: bool = True

    def __repr__(self) -> str:
        return "ObjectSettings(…)"


class SelectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which objects take part, and which are left as they are."""

    recursive: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    newer_than_ns: int = 0
    older_than_ns: int = 0
    min_size: int = 0
    max_size: int = -1
    flatten: bool = False
    raw: bool = False
    follow_symlinks: bool = False
    no_clobber: bool = False
    if_size_differ: bool = False
    if_source_newer: bool = False
    force_glacier_transfer: bool = False
    ignore_glacier_warnings: bool = False
    version_id: str = ""


class OutputSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the user sees."""

    json: bool = False
    verbose: int = 0
    quiet: bool = False
    log_level: str = "warning"
    dry_run: bool = False
    stat: bool = False
    human_readable: bool = False
    progress: bool | None = None


class JobSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a job is told. `source` and `dest` are the two S3 sides (equal unless the user set them apart)."""

    source: ClientSettings = ClientSettings()
    dest: ClientSettings = ClientSettings()
    network: NetworkSettings = NetworkSettings()
    transfer: TransferSettings = TransferSettings()
    object: ObjectSettings = ObjectSettings()
    selection: SelectionSettings = SelectionSettings()
    output: OutputSettings = OutputSettings()
