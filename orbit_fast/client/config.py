"""The configuration of a client: validated once, frozen, and without a secret in its `repr`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import Final
from urllib.parse import urlsplit

from orbit_fast.client.options import with_encryption
from orbit_fast.client.storage import S3ServerSideEncryption
from orbit_fast.client.storage import S3StorageClass
from orbit_fast.core.checksum import ALGORITHMS
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.limits import MAX_COPY_BYTES
from orbit_fast.core.limits import MAX_PART_BYTES
from orbit_fast.core.limits import MIN_PART_BYTES
from orbit_fast.core.location import check_bucket
from orbit_fast.core.model import Credentials
from orbit_fast.core.settings import GIB
from orbit_fast.core.settings import MIB
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import NetworkSettings
from orbit_fast.core.settings import ObjectSettings
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.core.settings import TransferSettings

MAX_CONNECTIONS: Final = 4096
MAX_TIMEOUT_S: Final = 86_400.0
MAX_RETRIES: Final = 1000
LEAST_MEMORY: Final = 64 * MIB
"""What `S3Config.max_memory` is at least where it is left open, bytes."""


@dataclass(frozen=True, slots=True)
class S3Config:
    """Everything a client is told. Sizes are bytes, times seconds.

    Attributes:
        bucket: name, access-point ARN or alias.
        region: of the bucket; ``''``: the environment's or the profile's, and in the end the one that the service
            names.
        endpoint: URL of an S3-compatible service; ``''``: the environment's or the profile's, else AWS.
        access_key: with `secret_key`, explicit credentials; without them botocore's chain is asked (environment,
            files, SSO, roles, instance metadata ...).
        secret_key: see there.
        session_token: of temporary credentials, or ``''``.
        storage_class: of new objects.
        server_side_encryption: of new objects; None leaves it to the bucket.
        chunk_size: bytes of a part of a large transfer; 5 MiB to 5 GiB. Objects up to this size take one request.
        parallel_operations: parts of one transfer in flight.
        timeout_seconds: a request on which no byte moves for this long is tried again.
        max_retries: how often a request is tried again.
        verify_checksums: downloads are compared with what the service stores; uploads always are.
        force_path_style: put the bucket into the path (MinIO and its kin). An `endpoint` is addressed so anyway.
        profile: of the AWS configuration.
        credentials_file: instead of ``~/.aws/credentials``.
        no_sign_request: anonymous requests.
        use_acceleration: S3 Transfer Acceleration.
        request_payer: ``requester`` where the requester pays, or ``''``.
        verify_ssl: check the server's certificate.
        ca_bundle: file of trusted certificates, or ``''`` for the system's.
        use_list_objects_v1: list with the older verb.
        addressing_style: ``auto``, ``path`` or ``virtual``.
        unsigned_payload: over plain HTTP, leave bodies out of the signature, as is done over TLS.
        checksum_algorithm: of uploads.
        require_verify: an object for which the service offers nothing to compare with is a failure.
        max_connections: connections to one endpoint.
        max_memory: bytes that one stream, and all file transfers of the client together, may buffer: at least two
            parts; 0 is a part more than `parallel_operations`, or 64 MiB where that is more.
        multipart_copy_threshold: objects above this size are copied in parts; at most S3's 5 GiB.
    """

    bucket: str
    region: str = field(default="", kw_only=True)
    endpoint: str = field(default="", kw_only=True)
    access_key: str = field(default="", kw_only=True, repr=False)
    secret_key: str = field(default="", kw_only=True, repr=False)
    session_token: str = field(default="", kw_only=True, repr=False)
    storage_class: S3StorageClass | str = field(default=S3StorageClass.STANDARD, kw_only=True)
    server_side_encryption: S3ServerSideEncryption | None = field(default=None, kw_only=True)
    chunk_size: int = field(default=5 * MIB, kw_only=True)
    parallel_operations: int = field(default=4, kw_only=True)
    timeout_seconds: float = field(default=300, kw_only=True)
    max_retries: int = field(default=3, kw_only=True)
    verify_checksums: bool = field(default=True, kw_only=True)
    force_path_style: bool = field(default=False, kw_only=True)
    profile: str = field(default="", kw_only=True)
    credentials_file: str | os.PathLike[str] = field(default="", kw_only=True)
    no_sign_request: bool = field(default=False, kw_only=True)
    use_acceleration: bool = field(default=False, kw_only=True)
    request_payer: str = field(default="", kw_only=True)
    verify_ssl: bool = field(default=True, kw_only=True)
    ca_bundle: str | os.PathLike[str] = field(default="", kw_only=True)
    use_list_objects_v1: bool = field(default=False, kw_only=True)
    addressing_style: str = field(default="auto", kw_only=True)
    unsigned_payload: bool = field(default=False, kw_only=True)
    checksum_algorithm: str = field(default="CRC32C", kw_only=True)
    require_verify: bool = field(default=False, kw_only=True)
    max_connections: int = field(default=64, kw_only=True)
    max_memory: int = field(default=0, kw_only=True)
    multipart_copy_threshold: int = field(default=5 * GIB, kw_only=True)

    def __post_init__(self) -> None:
        check_bucket(self.bucket)
        object.__setattr__(self, "storage_class", S3StorageClass.parse(self.storage_class))
        if self.max_memory == 0 and _is_int(self.chunk_size) and _is_int(self.parallel_operations):
            memory = max(LEAST_MEMORY, self.chunk_size * (self.parallel_operations + 1))
            object.__setattr__(self, "max_memory", memory)
        _check_numbers(self)
        _check_words(self)

    @property
    def credentials(self) -> Credentials | None:
        """The explicit ones, or None."""
        if not self.access_key:
            return None
        return Credentials(self.access_key, self.secret_key, self.session_token, provider="explicit")

    def client_settings(self) -> ClientSettings:
        """How the service is reached."""
        return ClientSettings(
            endpoint_url=self.endpoint,
            region=self.region,
            profile=self.profile,
            credentials_file=os.fspath(self.credentials_file),
            no_sign_request=self.no_sign_request,
            use_acceleration=self.use_acceleration,
            request_payer=self.request_payer,
            verify_ssl=self.verify_ssl,
            ca_bundle=os.fspath(self.ca_bundle),
            use_list_v1=self.use_list_objects_v1,
            addressing_style="path" if self.force_path_style else self.addressing_style,
            unsigned_payload=self.unsigned_payload,
        )

    def job_settings(self) -> JobSettings:
        """The same as the settings that transfers are done with."""
        client = self.client_settings()
        is_standard = self.storage_class == S3StorageClass.STANDARD
        new_objects = ObjectSettings(storage_class="" if is_standard else str(self.storage_class))
        if self.server_side_encryption is not None:
            new_objects = with_encryption(new_objects, self.server_side_encryption)
        return JobSettings(
            source=client,
            dest=client,
            network=NetworkSettings(retry_attempts=self.max_retries, timeout_s=self.timeout_seconds),
            transfer=TransferSettings(
                concurrency=self.parallel_operations,
                part_size=self.chunk_size,
                max_memory=self.max_memory,
                verify=self.verify_checksums,
                require_verify=self.require_verify,
                checksum_algorithm=self.checksum_algorithm,
                multipart_copy_threshold=self.multipart_copy_threshold,
            ),
            object=new_objects,
            selection=SelectionSettings(follow_symlinks=True),
        )


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_numbers(config: S3Config) -> None:
    ranges: tuple[tuple[str, float, float], ...] = (
        ("chunk_size", MIN_PART_BYTES, MAX_PART_BYTES),
        ("parallel_operations", 1, MAX_CONNECTIONS),
        ("timeout_seconds", 1, MAX_TIMEOUT_S),
        ("max_retries", 0, MAX_RETRIES),
        ("max_connections", 1, MAX_CONNECTIONS),
        ("max_memory", 2 * config.chunk_size if _is_int(config.chunk_size) else 0, float("inf")),
        ("multipart_copy_threshold", MIN_PART_BYTES, MAX_COPY_BYTES),
    )
    for name, least, most in ranges:
        value = getattr(config, name)
        is_number = _is_int(value) or (name == "timeout_seconds" and isinstance(value, float))
        if not is_number or not least <= value <= most:
            raise InvalidConfig(f"{name}: {value!r} is not a number from {least:.15g} to {most:.15g}")


def _check_words(config: S3Config) -> None:
    choices: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("addressing_style", ("auto", "path", "virtual")),
        ("request_payer", ("", "requester")),
        ("checksum_algorithm", ALGORITHMS),
    )
    for name, allowed in choices:
        if getattr(config, name) not in allowed:
            raise InvalidConfig(f"{name}: {getattr(config, name)!r} is none of {', '.join(filter(None, allowed))}")
    if bool(config.access_key) != bool(config.secret_key):
        raise InvalidConfig("credentials: access_key and secret_key belong together, and one is missing")
    if config.session_token and not config.access_key:
        raise InvalidConfig("credentials: a session_token needs an access_key and a secret_key")
    if config.no_sign_request and (config.access_key or config.profile):
        raise InvalidConfig("no_sign_request: True, but there are credentials or a profile to sign with")
    if config.force_path_style and config.addressing_style == "virtual":
        raise InvalidConfig("addressing_style: 'virtual' contradicts force_path_style")
    if config.endpoint and urlsplit(config.endpoint).scheme not in {"http", "https"}:
        raise InvalidConfig(f"endpoint: {config.endpoint!r} is not an http:// or https:// URL")


class S3ConfigBuilder:
    """`S3Config` step by step; every step gives a builder, `build` the configuration.

    Example:
        >>> S3ConfigBuilder("data").region("eu-west-1").parallel_operations(8).build().region
        'eu-west-1'
    """

    __slots__ = ("_values",)

    def __init__(self, bucket: str) -> None:
        self._values: dict[str, Any] = {"bucket": bucket}

    def _with(self, **values: Any) -> S3ConfigBuilder:
        made = S3ConfigBuilder(self._values["bucket"])
        made._values = {**self._values, **values}
        return made

    def build(self) -> S3Config:
        """The configuration.

        Raises:
            InvalidConfig: it cannot be used; the message names the value.
        """
        return S3Config(**self._values)

    def __repr__(self) -> str:
        return f"S3ConfigBuilder({self._values['bucket']!r}, {len(self._values) - 1} options)"

    # One step for each option; see `S3Config` for what they mean.

    def region(self, region: str) -> S3ConfigBuilder:
        """Set `S3Config.region`."""
        return self._with(region=region)

    def endpoint(self, url: str) -> S3ConfigBuilder:
        """Set `S3Config.endpoint`."""
        return self._with(endpoint=url)

    def credentials(self, access_key: str, secret_key: str, session_token: str = "") -> S3ConfigBuilder:
        """Sign with these instead of what botocore's chain finds."""
        return self._with(access_key=access_key, secret_key=secret_key, session_token=session_token)

    def storage_class(self, storage_class: S3StorageClass | str) -> S3ConfigBuilder:
        """Set `S3Config.storage_class`."""
        return self._with(storage_class=storage_class)

    def server_side_encryption(self, encryption: S3ServerSideEncryption | None) -> S3ConfigBuilder:
        """Set `S3Config.server_side_encryption`."""
        return self._with(server_side_encryption=encryption)

    def chunk_size(self, size_bytes: int) -> S3ConfigBuilder:
        """Set `S3Config.chunk_size`."""
        return self._with(chunk_size=size_bytes)

    def parallel_operations(self, count: int) -> S3ConfigBuilder:
        """Set `S3Config.parallel_operations`."""
        return self._with(parallel_operations=count)

    def timeout_seconds(self, seconds: float) -> S3ConfigBuilder:
        """Set `S3Config.timeout_seconds`."""
        return self._with(timeout_seconds=seconds)

    def max_retries(self, count: int) -> S3ConfigBuilder:
        """Set `S3Config.max_retries`."""
        return self._with(max_retries=count)

    def verify_checksums(self, verify: bool) -> S3ConfigBuilder:  # noqa: FBT001 - the guide's form
        """Set `S3Config.verify_checksums`."""
        return self._with(verify_checksums=verify)

    def force_path_style(self, force: bool) -> S3ConfigBuilder:  # noqa: FBT001 - the guide's form
        """Set `S3Config.force_path_style`."""
        return self._with(force_path_style=force)

    def profile(self, name: str) -> S3ConfigBuilder:
        """Set `S3Config.profile`."""
        return self._with(profile=name)

    def credentials_file(self, path: str | os.PathLike[str]) -> S3ConfigBuilder:
        """Set `S3Config.credentials_file`."""
        return self._with(credentials_file=path)

    def no_sign_request(self, anonymous: bool = True) -> S3ConfigBuilder:  # noqa: FBT001, FBT002 - as the others
        """Set `S3Config.no_sign_request`."""
        return self._with(no_sign_request=anonymous)

    def use_acceleration(self, use: bool = True) -> S3ConfigBuilder:  # noqa: FBT001, FBT002 - as the others
        """Set `S3Config.use_acceleration`."""
        return self._with(use_acceleration=use)

    def request_payer(self, payer: str = "requester") -> S3ConfigBuilder:
        """Set `S3Config.request_payer`."""
        return self._with(request_payer=payer)

    def verify_ssl(self, verify: bool) -> S3ConfigBuilder:  # noqa: FBT001 - as the others
        """Set `S3Config.verify_ssl`."""
        return self._with(verify_ssl=verify)

    def ca_bundle(self, path: str | os.PathLike[str]) -> S3ConfigBuilder:
        """Set `S3Config.ca_bundle`."""
        return self._with(ca_bundle=path)

    def use_list_objects_v1(self, use: bool = True) -> S3ConfigBuilder:  # noqa: FBT001, FBT002 - as the others
        """Set `S3Config.use_list_objects_v1`."""
        return self._with(use_list_objects_v1=use)

    def addressing_style(self, style: str) -> S3ConfigBuilder:
        """Set `S3Config.addressing_style`."""
        return self._with(addressing_style=style)

    def unsigned_payload(self, unsigned: bool = True) -> S3ConfigBuilder:  # noqa: FBT001, FBT002 - as the others
        """Set `S3Config.unsigned_payload`."""
        return self._with(unsigned_payload=unsigned)

    def checksum_algorithm(self, name: str) -> S3ConfigBuilder:
        """Set `S3Config.checksum_algorithm`."""
        return self._with(checksum_algorithm=name)

    def require_verify(self, require: bool = True) -> S3ConfigBuilder:  # noqa: FBT001, FBT002 - as the others
        """Set `S3Config.require_verify`."""
        return self._with(require_verify=require)

    def max_connections(self, count: int) -> S3ConfigBuilder:
        """Set `S3Config.max_connections`."""
        return self._with(max_connections=count)

    def max_memory(self, size_bytes: int) -> S3ConfigBuilder:
        """Set `S3Config.max_memory`."""
        return self._with(max_memory=size_bytes)

    def multipart_copy_threshold(self, size_bytes: int) -> S3ConfigBuilder:
        """Set `S3Config.multipart_copy_threshold`."""
        return self._with(multipart_copy_threshold=size_bytes)
