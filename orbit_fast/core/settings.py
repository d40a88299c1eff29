"""The settings of a job, frozen and grouped: what the option table builds and what travels to the workers.

Groups are `msgspec.Struct`s so that one encoding serves the pipe to a worker. Sizes are bytes, times seconds, rates
bytes per second. Defaults here are the product's defaults; the option table reads them from here.
"""

from __future__ import annotations

import enum

import msgspec

from orbit_fast.core.guard import DeleteLimit
from orbit_fast.core.guard import DeleteVerify

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
    max_bandwidth: int = 0
    verify: bool = True
    require_verify: bool = False
    audit: bool = False
    checksum_algorithm: str = "CRC32C"
    preserve_metadata: bool = False
    expected_size: int = 0
    resume: bool = True
    durable: bool = False
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
    rules: tuple[tuple[str, str], ...] = ()
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
    byte_range: str = ""
    files_from: str = ""


class Look(enum.StrEnum):
    """How a worker finds out whether a pair of one size is the same, where the listings do not tell."""

    NONE = ""
    CONTENT = "content"
    """Whether the local file has the content of the source's ETag."""
    TIMES = "times"
    """By the modification time in the source's metadata; then by `CONTENT`."""
    CHECKSUM = "checksum"
    """By the checksums that the services store."""


class SyncSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What ``sync`` compares, and what it may delete.

    `look` is not the user's: some items of the job are done with it.
    """

    mode: str = "sync"
    size_only: bool = False
    checksum: bool = False
    delete: bool = False
    delete_excluded: bool = False
    max_delete: DeleteLimit = DeleteLimit()
    allow_empty_source: bool = False
    allow_changed_filters: bool = False
    delete_verify: DeleteVerify = DeleteVerify.AUTO
    wait: bool = False
    look: Look = Look.NONE


class ListingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What of a listing is wanted, and what of it is shown."""

    all_versions: bool = False
    etag: bool = False
    storage_class: bool = False
    show_fullpath: bool = False
    group: bool = False


class BucketSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What may be done to a bucket."""

    force: bool = False


class PresignSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a presigned URL is good for."""

    method: str = "GET"
    expires_s: int = 3600


class SelectSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the content of objects, and how they and the answer are written.

    An `output_format` of ``''`` is that of the objects, or JSON where those are no text.
    """

    query: str = ""
    output_format: str = ""
    delimiter: str = ","
    use_header: str = "NONE"
    structure: str = "lines"
    compression: str = "NONE"


class RestoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How archived objects are restored; `status` only asks how far that is."""

    days: int = 1
    tier: str = "Standard"
    status: bool = False


class UploadsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to unfinished uploads."""

    abort: bool = False


class VerifySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How ``verify`` compares."""

    read: bool = False


class DoctorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What ``doctor`` may do."""

    write: bool = False


class ScriptSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the commands of ``run`` come from (of a line: where it was read; ``''``: stdin), and when it ends."""

    file: str = ""
    fail_fast: bool = False


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
    manifest_out: str = ""


class JobSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a job is told. `source` and `dest` are the two S3 sides (equal unless the user set them apart).

    `operation` is what events call its transfers: ``cp``, ``mv`` …
    """

    source: ClientSettings = ClientSettings()
    dest: ClientSettings = ClientSettings()
    network: NetworkSettings = NetworkSettings()
    transfer: TransferSettings = TransferSettings()
    object: ObjectSettings = ObjectSettings()
    selection: SelectionSettings = SelectionSettings()
    presign: PresignSettings = PresignSettings()
    script: ScriptSettings = ScriptSettings()
    output: OutputSettings = OutputSettings()
    listing: ListingSettings = ListingSettings()
    sync: SyncSettings = SyncSettings()
    bucket: BucketSettings = BucketSettings()
    verify: VerifySettings = VerifySettings()
    doctor: DoctorSettings = DoctorSettings()
    uploads: UploadsSettings = UploadsSettings()
    restore: RestoreSettings = RestoreSettings()
    select: SelectSettings = SelectSettings()
    operation: str = "cp"
