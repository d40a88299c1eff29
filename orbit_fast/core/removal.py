"""What deletion is asked for: S3 URLs as tasks, refused where they cannot be meant."""

from __future__ import annotations

from collections.abc import Sequence

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.location import S3Url
from orbit_fast.core.location import SourceKind
from orbit_fast.core.location import check_key
from orbit_fast.core.location import key_source
from orbit_fast.core.reach import has_limits
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.tasks import RemoveObjects
from orbit_fast.core.work import Work


def plan_removal(urls: Sequence[S3Url], settings: JobSettings) -> Work:
    """Delete what at least one URL stands for; one task for each bucket.

    Raises:
        InvalidConfig: they cannot be meant so; see `check_keys`.
        InvalidKey: what is meant as a key cannot be one.
    """
    check_keys(urls, settings, "rm")
    keys: dict[str, list[str]] = {}
    for url in urls:
        keys.setdefault(url.bucket, []).append(url.key)
    tasks = [RemoveObjects(site, tuple(some), len(keys) == 1) for site, some in enumerate(keys.values())]
    name = str(urls[0]) if len(urls) == 1 else ""
    return Work(tasks=tuple(tasks), buckets=tuple(keys), name=name, is_data=False)


def check_keys(urls: Sequence[S3Url], settings: JobSettings, verb: str) -> None:
    """Refuse what cannot be meant by keys, prefixes and wildcards.

    Raises:
        InvalidConfig: a bucket without ``--recursive``, or ``--version-id`` with more than one key.
        InvalidKey: what is meant as a key cannot be one.
    """
    selection = settings.selection
    sources = [key_source(url, recursive=selection.recursive, raw=selection.raw) for url in urls]
    for source in sources:
        if source.kind is SourceKind.KEY:
            check_key(source.url.key)
    if not selection.version_id:
        return
    if len(sources) > 1 or sources[0].kind is not SourceKind.KEY:
        raise InvalidConfig(f"--version-id is of one key: orbit {verb} s3://bucket/key --version-id ID")
    if settings.listing.all_versions:
        raise InvalidConfig("--version-id and --all-versions contradict each other")
    if has_limits(selection):
        raise InvalidConfig("--version-id names what is meant: not with filters of age or size")
