"""One example of every option: what is given, and the value that it becomes."""

from __future__ import annotations

from orbit_fast.core.guard import DeleteLimit
from orbit_fast.core.guard import LimitKind
from orbit_fast.core.settings import MIB
from orbit_fast.core.values import Option

KEY = b"k" * 32
"""What the key file of the examples holds."""

RULES = (("+", "a*"), ("-", "b"))
"""What the filter file of the examples says."""

FILES = {"key": KEY, "rules": b"+ a*\n- b\n"}
"""The files that the examples name."""

NOW_NS = 10**18
"""When the examples are read."""

EXAMPLES = {
    "endpoint_url": ("http://h:9", "http://h:9"),
    "region": ("eu-west-1", "eu-west-1"),
    "aws_profile": ("work", "work"),
    "credentials_file": ("/c", "/c"),
    "no_sign_request": (True, True),
    "use_acceleration": (True, True),
    "request_payer": ("requester", "requester"),
    "no_verify_ssl": (True, False),
    "ca_bundle": ("/ca.pem", "/ca.pem"),
    "use_list_objects_v1": (True, True),
    "addressing_style": ("virtual", "virtual"),
    "force_path_style": (True, "path"),
    "unsigned_payload": (True, True),
    "retry_attempts": ("0", 0),
    "timeout": ("5", 5.0),
    "workers": ("7", 7),
    "concurrency": ("3", 3),
    "part_size": ("16", 16 * MIB),
    "processes": ("2", 2),
    "max_memory": ("64M", 64 * MIB),
    "max_bandwidth": ("1.5Mbit", 187_500),
    "no_verify": (True, False),
    "require_verify": (True, True),
    "audit": (True, True),
    "checksum_algorithm": ("crc64nvme", "CRC64NVME"),
    "preserve_metadata": (True, True),
    "durable": (True, True),
    "resume": (False, False),
    "file": ("f", "f"),
    "fail_fast": (True, True),
    "expires": ("24h", 86400),
    "method": ("put", "PUT"),
    "recursive": (True, True),
    "include": (("a*", "b"), ("a*", "b")),
    "exclude": (("c",), ("c",)),
    "filter_from": (("rules", "rules"), (*RULES, *RULES)),
    "files_from": ("f", "f"),
    "newer_than": ("1s", NOW_NS - 10**9),
    "older_than": ("2s", NOW_NS - 2 * 10**9),
    "min_size": ("1K", 1024),
    "max_size": ("0", 0),
    "flatten": (True, True),
    "raw": (True, True),
    "symlink": ("follow", True),
    "no_clobber": (True, True),
    "if_size_differ": (True, True),
    "if_source_newer": (True, True),
    "force_glacier_transfer": (True, True),
    "ignore_glacier_warnings": (True, True),
    "version_id": ("v", "v"),
    "content_type": ("text/x", "text/x"),
    "no_guess_mime_type": (True, False),
    "content_encoding": ("gzip", "gzip"),
    "content_disposition": ("inline", "inline"),
    "content_language": ("de", "de"),
    "cache_control": ("no-cache", "no-cache"),
    "expires_header": ("2030-01-01", "2030-01-01"),
    "metadata": (("a=1", "b=2", "a=3"), (("a", "3"), ("b", "2"))),
    "metadata_directive": ("replace", "REPLACE"),
    "tags": (("a=1&b=2", "c=3"), (("a", "1"), ("b", "2"), ("c", "3"))),
    "acl": ("public-read", "public-read"),
    "storage_class": ("GLACIER_IR", "GLACIER_IR"),
    "sse": ("aes256", "AES256"),
    "sse_kms_key_id": ("id", "id"),
    "sse_c_key_file": ("key", KEY),
    "mode": ("Mirror", "mirror"),
    "size_only": (True, True),
    "checksum": (True, True),
    "delete": (True, True),
    "delete_excluded": (True, True),
    "max_delete": ("20%", DeleteLimit(LimitKind.PERCENT, 20)),
    "allow_empty_source": (True, True),
    "delete_verify": ("head", "head"),
    "allow_changed_filters": (True, True),
    "wait": (True, True),
    "all_versions": (True, True),
    "etag": (True, True),
    "show_storage_class": (True, True),
    "show_fullpath": (True, True),
    "group": (True, True),
    "force": (True, True),
    "read": (True, True),
    "write": (True, True),
    "abort": (True, True),
    "query": ("SELECT *", "SELECT *"),
    "output_format": ("JSON", "json"),
    "delimiter": (r"\t", "\t"),
    "use_header": ("use", "USE"),
    "structure": ("document", "document"),
    "compression": ("gzip", "GZIP"),
    "days": ("7", 7),
    "tier": ("bulk", "Bulk"),
    "status": (True, True),
    "range": ("bytes=5-", "5-"),
    "expected_size": ("1M", MIB),
    "json": (True, True),
    "verbose": (2, 2),
    "quiet": (True, True),
    "log_level": ("debug", "debug"),
    "dry_run": (True, True),
    "manifest_out": ("m", "m"),
    "stat": (True, True),
    "human_readable": (True, True),
    "progress": (False, False),
}

NEEDED = {"sse_kms_key_id": {"sse": "aws:kms"}}


def example_of(option: Option):
    """What an option is given, and the value that it becomes."""
    name = option.parameter
    for side in ("source_", "dest_"):
        if name.startswith(side):
            return EXAMPLES[name.removeprefix(side)]
    return EXAMPLES[name]
