"""The configuration: what it takes, what it refuses and how it says so, and what it never shows."""

from __future__ import annotations

import dataclasses

import pytest

from orbit_fast import InvalidBucketName
from orbit_fast import InvalidConfig
from orbit_fast import ObjectOptions
from orbit_fast import S3Config
from orbit_fast import S3ConfigBuilder
from orbit_fast import S3ServerSideEncryption
from orbit_fast import S3StorageClass
from orbit_fast.core.settings import GIB
from orbit_fast.core.settings import MIB
from orbit_fast.core.settings import ObjectSettings

KEY = bytes(range(32))


def test_the_defaults_are_the_guides():
    """Its table of options, line by line."""
    config = S3Config("bucket")
    assert (config.region, config.endpoint, config.credentials) == ("", "", None)
    assert config.storage_class is S3StorageClass.STANDARD
    assert config.server_side_encryption is None
    assert (config.chunk_size, config.parallel_operations) == (5 * MIB, 4)
    assert (config.timeout_seconds, config.max_retries) == (300, 3)
    assert (config.verify_checksums, config.force_path_style) == (True, False)


def test_what_is_set_reaches_the_engine():
    """Every option arrives where it acts."""
    config = S3Config(
        "bucket",
        region="eu-west-1",
        endpoint="https://s3.example:9000",
        storage_class="GLACIER_FLEXIBLE_RETRIEVAL",
        server_side_encryption=S3ServerSideEncryption.aws_kms("arn:key"),
        chunk_size=10 * MIB,
        parallel_operations=8,
        timeout_seconds=12.5,
        max_retries=0,
        verify_checksums=False,
        force_path_style=True,
        profile="p",
        credentials_file="file",
        use_acceleration=True,
        request_payer="requester",
        verify_ssl=False,
        ca_bundle="ca.pem",
        use_list_objects_v1=True,
        unsigned_payload=True,
        checksum_algorithm="SHA256",
        require_verify=True,
        multipart_copy_threshold=GIB,
    )
    settings = config.job_settings()
    client = settings.source
    assert (client.region, client.endpoint_url, client.profile) == ("eu-west-1", "https://s3.example:9000", "p")
    assert (client.credentials_file, client.ca_bundle, client.request_payer) == ("file", "ca.pem", "requester")
    assert (client.use_acceleration, client.verify_ssl, client.use_list_v1) == (True, False, True)
    assert (client.addressing_style, client.unsigned_payload) == ("path", True)
    assert (settings.network.retry_attempts, settings.network.timeout_s) == (0, 12.5)
    transfer = settings.transfer
    assert (transfer.part_size, transfer.concurrency, transfer.max_memory) == (10 * MIB, 8, 90 * MIB)
    assert (transfer.verify, transfer.require_verify, transfer.checksum_algorithm) == (False, True, "SHA256")
    assert transfer.multipart_copy_threshold == GIB
    new = settings.object
    assert (new.storage_class, new.sse, new.sse_kms_key_id) == ("GLACIER", "aws:kms", "arn:key")
    assert S3Config("b", no_sign_request=True).client_settings().no_sign_request


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"chunk_size": 1024}, "chunk_size: 1024 "),
        ({"chunk_size": "5M"}, "chunk_size: '5M' "),
        ({"chunk_size": 6 * GIB}, "chunk_size: 6442450944 "),
        ({"parallel_operations": 0}, "parallel_operations: 0 "),
        ({"parallel_operations": True}, "parallel_operations: True "),
        ({"timeout_seconds": 0}, "timeout_seconds: 0 "),
        ({"max_retries": -1}, "max_retries: -1 "),
        ({"max_connections": 0}, "max_connections: 0 "),
        ({"max_memory": 6 * MIB}, "max_memory: 6291456 "),
        ({"multipart_copy_threshold": 6 * GIB}, "multipart_copy_threshold: 6442450944 "),
        ({"addressing_style": "other"}, "addressing_style: 'other' "),
        ({"addressing_style": "virtual", "force_path_style": True}, "addressing_style: 'virtual' "),
        ({"request_payer": "me"}, "request_payer: 'me' "),
        ({"checksum_algorithm": "MD4"}, "checksum_algorithm: 'MD4' "),
        ({"access_key": "AK"}, "secret_key"),
        ({"session_token": "T"}, "session_token"),
        ({"no_sign_request": True, "profile": "p"}, "no_sign_request: True"),
        ({"endpoint": "localhost:9000"}, "endpoint: 'localhost:9000' "),
        ({"storage_class": "COLD"}, "storage_class: there is no storage class 'COLD'"),
    ],
)
def test_what_cannot_be_is_refused_once_and_by_name(options, said):
    """The message holds the option and the value."""
    with pytest.raises(InvalidConfig, match=said):
        S3Config("bucket", **options)


@pytest.mark.parametrize("bucket", ["", "a/b", "..", "b?c"])
def test_a_bucket_has_a_name(bucket):
    """What cannot be one is refused before anything is asked."""
    with pytest.raises(InvalidBucketName):
        S3Config(bucket)


def test_no_secret_is_shown():
    """Neither by the configuration nor by its builder nor by an encryption."""
    builder = S3ConfigBuilder("bucket").credentials("AKID", "SECRET", "TOKEN")
    encryption = S3ServerSideEncryption.customer_key(KEY)
    config = builder.server_side_encryption(encryption).build()
    shown = f"{builder!r} {config!r} {config} {encryption!r} {config.job_settings()!r} {config.credentials!r}"
    for secret in ("SECRET", "TOKEN", repr(KEY)[2:-1]):
        assert secret not in shown
    assert config.credentials is not None
    assert config.credentials.secret_key == "SECRET"


def test_the_builder_has_a_step_for_every_option():
    """And gives what the configuration itself gives."""
    steps = {
        "region": ("eu-west-1",),
        "endpoint": ("http://localhost:9000",),
        "storage_class": (S3StorageClass.STANDARD_IA,),
        "server_side_encryption": (S3ServerSideEncryption.AES256,),
        "chunk_size": (6 * MIB,),
        "parallel_operations": (2,),
        "timeout_seconds": (9.0,),
        "max_retries": (1,),
        "verify_checksums": (False,),
        "force_path_style": (True,),
        "profile": ("p",),
        "credentials_file": ("f",),
        "use_acceleration": (),
        "request_payer": (),
        "verify_ssl": (False,),
        "ca_bundle": ("ca",),
        "use_list_objects_v1": (),
        "addressing_style": ("path",),
        "unsigned_payload": (),
        "checksum_algorithm": ("CRC32",),
        "require_verify": (),
        "max_connections": (7,),
        "max_memory": (99 * MIB,),
        "multipart_copy_threshold": (GIB,),
    }
    by_hand = {"bucket", "access_key", "secret_key", "session_token", "no_sign_request"}
    assert steps.keys() | by_hand == {field.name for field in dataclasses.fields(S3Config)}
    builder = S3ConfigBuilder("bucket").credentials("AK", "SK", "T")
    for name, arguments in steps.items():
        builder = getattr(builder, name)(*arguments)
    built = builder.build()
    for name, arguments in steps.items():
        assert getattr(built, name) == (arguments[0] if arguments else built_default(name)), name
    assert (built.access_key, built.secret_key, built.session_token) == ("AK", "SK", "T")
    assert S3ConfigBuilder("bucket").no_sign_request().build().no_sign_request


def built_default(name: str) -> object:
    """What a step without an argument sets."""
    return "requester" if name == "request_payer" else True


def test_a_step_of_the_builder_changes_no_other_builder():
    """Builders branch off each other."""
    base = S3ConfigBuilder("bucket").region("eu-west-1")
    base.region("us-west-2")
    assert base.build().region == "eu-west-1"


@pytest.mark.parametrize(
    ("text", "value"),
    [("glacier_flexible_retrieval", "GLACIER"), ("GLACIER", "GLACIER"), ("GLACIER_INSTANT_RETRIEVAL", "GLACIER_IR")],
)
def test_a_storage_class_has_two_names(text, value):
    """S3's and the guide's."""
    assert S3StorageClass.parse(text).value == value


@pytest.mark.parametrize(
    "make",
    [
        lambda: S3ServerSideEncryption("rot13"),
        lambda: S3ServerSideEncryption.customer_key(b"short"),
        lambda: S3ServerSideEncryption("AES256", key=KEY),
        lambda: S3ServerSideEncryption("AES256", key_id="k"),
    ],
)
def test_an_encryption_that_cannot_be_is_refused(make):
    """By its parts."""
    with pytest.raises(InvalidConfig, match="server_side_encryption"):
        make()


def test_what_a_call_says_goes_over_the_configuration():
    """And what it leaves out stays."""
    base = ObjectSettings(storage_class="GLACIER", sse="AES256", cache_control="no-store")
    options = ObjectOptions(
        content_type="text/plain",
        metadata={"a": "b"},
        tags={"c": "d"},
        storage_class="STANDARD_IA",
        server_side_encryption=S3ServerSideEncryption.customer_key(KEY),
    )
    merged = options.over(base)
    assert (merged.content_type, merged.cache_control) == ("text/plain", "no-store")
    assert (merged.metadata, merged.tags) == ((("a", "b"),), (("c", "d"),))
    assert (merged.storage_class, merged.sse, merged.sse_c_key) == ("STANDARD_IA", "", KEY)
    assert ObjectOptions().over(base) == base
