"""What other tools (``aws s3``, s5cmd, rclone, s3cmd, mc) call an option that orbit has by another name."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from orbit_fast.core.similar import did_you_mean

_FOREIGN: Final[dict[str, str]] = {
    "--acl-public": "--acl public-read",
    "--anonymous": "--no-sign-request",
    "--bwlimit": "--max-bandwidth",
    "--ca-cert": "--ca-bundle",
    "--checkers": "--workers",
    "--cli-connect-timeout": "--timeout",
    "--cli-read-timeout": "--timeout",
    "--contimeout": "--timeout",
    "--copy-links": "--symlink follow",
    "--debug": "--log-level debug",
    "--delete-after": "--delete",
    "--delete-before": "--delete",
    "--delete-during": "--delete",
    "--delete-removed": "--delete",
    "--destination-region": "--dest-region",
    "--dryrun": "--dry-run",
    "--endpoint": "--endpoint-url",
    "--exclude-from": "--filter-from",
    "--filter": "--filter-from",
    "--follow-symlinks": "--symlink follow",
    "--grants": "--acl",
    "--host": "--endpoint-url",
    "--ignore-existing": "--no-clobber",
    "--include-from": "--filter-from",
    "--insecure": "--no-verify-ssl",
    "--jobs": "--workers",
    "--limit-download": "--max-bandwidth",
    "--limit-rate": "--max-bandwidth",
    "--limit-upload": "--max-bandwidth",
    "--log": "--log-level",
    "--low-level-retries": "--retry-attempts",
    "--max-age": "--newer-than",
    "--max-attempts": "--retry-attempts",
    "--max-concurrent-requests": "--workers",
    "--max-retries": "--retry-attempts",
    "--max-workers": "--workers",
    "--min-age": "--older-than",
    "--multi-thread-streams": "--concurrency",
    "--multipart-chunk-size-mb": "--part-size",
    "--multipart-chunksize": "--part-size",
    "--no-check-certificate": "--no-verify-ssl",
    "--no-follow-symlinks": "--symlink skip",
    "--numworkers": "--workers",
    "--only-show-errors": "--quiet",
    "--output": "--json",
    "--retries": "--retry-attempts",
    "--retry-count": "--retry-attempts",
    "--s3-acl": "--acl",
    "--s3-chunk-size": "--part-size",
    "--s3-endpoint": "--endpoint-url",
    "--s3-region": "--region",
    "--s3-storage-class": "--storage-class",
    "--s3-upload-concurrency": "--concurrency",
    "--show-progress": "--progress",
    "--skip-existing": "--no-clobber",
    "--sse-c-key": "--sse-c-key-file",
    "--sse-customer-key": "--sse-c-key-file",
    "--summarize": "--stat",
    "--threads": "--workers",
    "--transfers": "--workers",
    "--update": "--if-source-newer",
    "--use-accelerate-endpoint": "--use-acceleration",
    "-L": "--symlink follow",
    "-P": "--progress",
    "-j": "--workers",
    "-r": "--recursive",
    "-u": "--if-source-newer",
}


def option_meant(flag: str, known: Collection[str]) -> str:
    """What somebody may have meant by `flag`, as `did_you_mean` says it: another tool's name first, then what is near.

    Args:
        flag: with its dashes.
        known: every flag that the command has.
    """
    meant = _FOREIGN.get(flag, "")
    if meant.partition(" ")[0] in known:
        return f" (did you mean {meant}?)"
    return did_you_mean(flag, [other for other in known if other.startswith("--") == flag.startswith("--")])
