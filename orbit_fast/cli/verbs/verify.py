"""``orbit verify A B``: whether two sides are the same, by checksums."""

from __future__ import annotations

import os
from dataclasses import dataclass

from orbit_fast.cli.tasks import do_work
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.location import S3Url
from orbit_fast.core.location import check_key
from orbit_fast.core.location import is_s3_url
from orbit_fast.core.location import parse_s3_url
from orbit_fast.core.tasks import CompareSides
from orbit_fast.core.tasks import Root
from orbit_fast.core.work import Work


@dataclass(frozen=True, slots=True)
class _Side:
    """An argument, looked at: one of the four is set."""

    text: str
    url: S3Url | None = None
    directory: bytes = b""
    file: bytes = b""
    manifest: bytes = b""

    @property
    def is_directory(self) -> bool:
        """Whether it can only mean what is below it."""
        return bool(self.directory or self.manifest) or (
            self.url is not None and (not self.url.key or self.url.key.endswith("/"))
        )


def plan(invocation: Invocation) -> Work:
    """Compare two sides."""
    if len(invocation.arguments) != 2 or not all(invocation.arguments):
        raise InvalidConfig("verify compares two sides: orbit verify A B")
    first, second = (_side(text) for text in invocation.arguments)
    buckets = (first.url.bucket,) if first.url is not None else ()
    dest_buckets = (second.url.bucket,) if second.url is not None else ()
    sites = (0 if buckets else -1, len(buckets) if dest_buckets else -1)
    roots = (_root(first, second, sites[0]), _root(second, first, sites[1]))
    name = " ".join(invocation.arguments)
    return Work(tasks=(CompareSides(*roots),), buckets=buckets, dest_buckets=dest_buckets, name=name)


def _side(text: str) -> _Side:
    """What an argument is.

    Raises:
        SourceMissing: there is nothing of this name.
    """
    if is_s3_url(text):
        return _Side(text, url=parse_s3_url(text))
    path = os.fsencode(text.removeprefix("@"))
    if not os.path.exists(path):
        raise SourceMissing(f"no such file or directory: {os.fsdecode(path)}")
    if text.startswith("@"):
        if os.path.isdir(path):
            raise InvalidConfig(f"a manifest is a file, and {os.fsdecode(path)} is a directory")
        return _Side(text, manifest=path)
    if os.path.isdir(path):
        return _Side(text, directory=os.path.join(path, b""))
    return _Side(text, file=path)


def _root(side: _Side, other: _Side, site: int) -> Root:
    """What is compared on one side, which depends on the other one.

    Raises:
        InvalidConfig: a single file or object, and a manifest.
    """
    if side.file:
        if other.manifest:
            raise InvalidConfig(f"a manifest is compared with a directory or a prefix, and {side.text} is a file")
        return Root(path=side.file, is_one=True)
    if side.manifest:
        return Root(manifest=side.manifest)
    base = os.path.basename(other.file)
    if side.url is None:
        return Root(path=side.directory + base, is_one=True) if base else Root(path=side.directory)
    key = side.url.key
    if base:
        key = key + os.fsdecode(base) if side.is_directory else key
        check_key(key)
        return Root(site=site, key=key, is_one=True)
    if other.is_directory and not side.is_directory:
        key += "/"
    return Root(site=site, key=key)


def run(invocation: Invocation) -> int:
    """Do what `plan` says."""
    return do_work(invocation, plan(invocation))


VERB = Verb(
    name="verify",
    synopsis="A B",
    summary="Compare two sides by checksums: directories, prefixes, manifests.",
    description=(
        (
            "A and B are a directory or file, s3://bucket/prefix or key, or @FILE, a manifest: events of orbit "
            "(--json), an S3 Inventory in CSV, a list of md5sum, sha1sum or sha256sum, or plain names. Names are "
            "compared below the two roots; prefixes end at /. Nothing is downloaded unless --read is given: "
            "local files are hashed as the service hashed the object (in its parts, where it was uploaded in parts), "
            "objects are compared by the checksums and ETags that services store."
        ),
        (
            "What differs, is missing in B or extra in B is told, and makes exit status 3. Where nothing but the size "
            "can be compared the name is unproven: told and counted, and a failure with --require-verify. --read "
            "hashes the objects' data instead. -v tells of what is the same; with --json every name is an event, and "
            'the last one but the summary ("type": "totals") counts them.'
        ),
        (
            "Filters leave names out on both sides; of --newer-than, --older-than, --min-size and --max-size, A's "
            "times and sizes count."
        ),
    ),
    examples=(
        ("orbit verify photos s3://bucket/photos", "whether a backup is whole"),
        ("orbit verify s3://a/data s3://b/data", "two prefixes, by what services store of them"),
        ("orbit verify @copied.jsonl s3://bucket/photos", "whether what was copied is still there as it was"),
        ("orbit verify @SHA256SUMS release/", "a list of checksums, and a directory"),
        ("orbit verify --read s3://a/data s3://b/data", "by the data itself"),
        ("orbit verify report.pdf s3://bucket/report.pdf", "one file and one object"),
    ),
    run=run,
    plan=plan,
)
