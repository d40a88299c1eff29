"""What `import orbit_fast` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import orbit_fast
from orbit_fast import errors

OFFERED = [
    "S3Client",
    "S3Config",
    "S3ConfigBuilder",
    "S3StorageClass",
    "S3ServerSideEncryption",
    "ObjectOptions",
    "ResumeState",
    "BatchConfig",
    "BatchResult",
    "RetryPolicy",
    "BackoffStrategy",
    "with_retry",
    "CircuitBreaker",
    "CircuitBreakerConfig",
    "ProgressReporter",
    "ProgressEvent",
    "ProgressAggregator",
    "ThroughputTracker",
    "TransferStats",
    "TransferDirection",
]
ERRORS = [
    "NotFound",
    "BucketNotFound",
    "AccessDenied",
    "Authentication",
    "InvalidConfig",
    "InvalidBucketName",
    "InvalidKey",
    "ChecksumMismatch",
    "Network",
    "Timeout",
    "RateLimitExceeded",
    "InvalidRange",
    "PreconditionFailed",
    "ResumeState",
    "Service",
    "S3Error",
]
METHODS = [
    "upload_bytes",
    "upload_file",
    "upload_file_multipart",
    "upload_stream",
    "download_bytes",
    "download_file",
    "download_file_resumable",
    "stream",
    "exists",
    "get_metadata",
    "list_objects",
    "list_objects_paginated",
    "iter_objects",
    "list_objects_with_wildcard",
    "copy_object",
    "rename",
    "delete",
    "delete_batch",
    "presign_get",
    "presign_put",
    "create_bucket",
    "delete_bucket",
    "detect_bucket_region",
    "abort_multipart_upload",
    "list_parts",
    "enable_versioning",
    "suspend_versioning",
    "get_versioning_status",
    "list_object_versions",
    "download_version",
    "restore_version",
    "delete_version",
    "compare_versions",
    "batch_delete",
    "batch_copy",
    "batch_change_storage_class",
    "batch_update_metadata",
    "batch_tag_objects",
]


def test_every_name_is_there():
    """And says what it is."""
    for name in orbit_fast.__all__:
        assert getattr(orbit_fast, name) is not None, name
    assert set(OFFERED) <= set(orbit_fast.__all__)
    assert set(dir(orbit_fast)) == set(orbit_fast.__all__)
    for name in ERRORS:
        assert issubclass(getattr(errors, name), errors.S3Error), name
    for name in METHODS:
        assert getattr(orbit_fast.S3Client, name).__doc__, name


def test_the_command_does_not_pay_for_the_library():
    """``orbit --version`` loads nothing of it; importing the package loads nothing at all."""
    for code in ("import orbit_fast", "from orbit_fast.cli.main import main; main()"):
        check = "import sys; print([name for name in sys.modules if name.startswith('orbit_fast.client')])"
        script = f"import sys; sys.argv = ['orbit', '--version']\ntry:\n {code}\nexcept SystemExit: pass\n{check}"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]"
