"""``orbit versions WORD …``: versions of objects listed, restored, compared, deleted; buckets told to keep them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from orbit_fast.cli.tasks import bucket_url
from orbit_fast.cli.tasks import do_work
from orbit_fast.cli.tasks import one_url
from orbit_fast.cli.tasks import s3_url
from orbit_fast.cli.transfers import do_transfer
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.location import SourceKind
from orbit_fast.core.location import check_key
from orbit_fast.core.location import key_source
from orbit_fast.core.reach import is_filtered
from orbit_fast.core.removal import check_keys
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.tasks import CompareVersions
from orbit_fast.core.tasks import ListVersions
from orbit_fast.core.tasks import RemoveObjects
from orbit_fast.core.tasks import SetVersioning
from orbit_fast.core.tasks import ShowVersioning
from orbit_fast.core.versioning import VersioningState
from orbit_fast.core.work import Copy
from orbit_fast.core.work import Work

_ONE_KEY = frozenset({"raw"})
_MANY_KEYS = frozenset({"raw", "recursive", "filters"})


def plan(invocation: Invocation) -> Work | Copy:
    """Do what the first word says, with the rest.

    Raises:
        InvalidConfig: there is no such word, or what follows it makes no sense.
    """
    word, *rest = invocation.arguments or ("",)
    known = _WORDS.get(word)
    if known is None:
        said = f", not {word!r}" if word else ""
        raise InvalidConfig(f"versions is followed by one of {', '.join(_WORDS)}{said}: orbit versions list URL")
    make, takes = known
    _refuse_others(word, invocation.settings, takes)
    return make(replace(invocation, arguments=tuple(rest)))


def run(invocation: Invocation) -> int:
    """Do what `plan` says."""
    planned = plan(invocation)
    if isinstance(planned, Copy):
        return do_transfer(replace(invocation, arguments=(*planned.sources, planned.destination)))
    return do_work(invocation, planned)


def _refuse_others(word: str, settings: JobSettings, takes: frozenset[str]) -> None:
    """Refuse options that other words have.

    Raises:
        InvalidConfig: there is one.
    """
    selection = settings.selection
    given = {
        "--recursive": selection.recursive,
        "--raw": selection.raw,
        "--version-id": bool(selection.version_id),
        "--all-versions": settings.listing.all_versions,
        "filters": is_filtered(selection),
    }
    for name, is_given in given.items():
        if is_given and name.removeprefix("--") not in takes:
            raise InvalidConfig(f"versions {word} does not take {name}")


def _list(invocation: Invocation) -> Work:
    url = one_url(invocation, "versions list")
    check_keys([url], invocation.settings, "versions list")
    return Work(tasks=(ListVersions(0, url.key),), buckets=(url.bucket,), name=str(url))


def _restore(invocation: Invocation) -> Copy:
    url = one_url(invocation, "versions restore")
    check_keys([url], invocation.settings, "versions restore")
    if not invocation.settings.selection.version_id:
        raise InvalidConfig("versions restore needs a version: orbit versions restore s3://bucket/key --version-id ID")
    if url.key.endswith("/"):
        raise InvalidConfig(f"{url} is a directory's marker, which has no content: there is nothing to restore")
    return Copy(sources=(str(url),), destination=str(url))


def _remove(invocation: Invocation) -> Work:
    settings = invocation.settings
    url = one_url(invocation, "versions rm")
    check_keys([url], settings, "versions rm")
    if not settings.selection.version_id and not settings.listing.all_versions:
        raise InvalidConfig("versions rm needs --version-id ID or --all-versions; rm alone hides the object")
    return Work(tasks=(RemoveObjects(0, (url.key,)),), buckets=(url.bucket,), name=str(url), is_data=False)


def _compare(invocation: Invocation) -> Work:
    if not 2 <= len(invocation.arguments) <= 3:
        raise InvalidConfig("versions diff takes a URL and one or two ids: orbit versions diff s3://bucket/key ID1 ID2")
    name, *ids = invocation.arguments
    url = s3_url(name, "versions diff")
    if key_source(url, recursive=False, raw=invocation.settings.selection.raw).kind is not SourceKind.KEY:
        raise InvalidConfig(f"versions diff is about one key, and {url} is a wildcard: add --raw if it is a key")
    check_key(url.key)
    if not all(ids):
        raise InvalidConfig("a version's id is the empty string")
    return Work(tasks=(CompareVersions(0, url.key, *ids),), buckets=(url.bucket,), name=str(url))


def _enable(invocation: Invocation) -> Work:
    return _set(invocation, "versions enable", VersioningState.ENABLED)


def _suspend(invocation: Invocation) -> Work:
    return _set(invocation, "versions suspend", VersioningState.SUSPENDED)


def _set(invocation: Invocation, verb: str, state: VersioningState) -> Work:
    bucket = bucket_url(invocation, verb)
    task = SetVersioning(0, state.value)
    return Work(tasks=(task,), buckets=(bucket,), name=f"s3://{bucket}", is_data=False)


def _show(invocation: Invocation) -> Work:
    bucket = bucket_url(invocation, "versions status")
    return Work(tasks=(ShowVersioning(0),), buckets=(bucket,), name=f"s3://{bucket}")


_WORDS: dict[str, tuple[Callable[[Invocation], Work | Copy], frozenset[str]]] = {
    "list": (_list, _MANY_KEYS),
    "restore": (_restore, _ONE_KEY | {"version-id"}),
    "rm": (_remove, _MANY_KEYS | {"version-id", "all-versions"}),
    "diff": (_compare, _ONE_KEY),
    "enable": (_enable, frozenset()),
    "suspend": (_suspend, frozenset()),
    "status": (_show, frozenset()),
}
"""What follows ``versions``, and which of the options that choose objects it takes."""

VERB = Verb(
    name="versions",
    synopsis="WORD s3://BUCKET[/KEY] [ID...]",
    summary="List, restore, compare and delete versions of objects; have a bucket keep them.",
    description=(
        (
            "list KEY: every version and delete marker of exactly this key, newest first; with --recursive or a "
            "wildcard those of everything it stands for. restore KEY --version-id ID: this version becomes the "
            "current one again, by a copy inside the service that is verified as cp's are; it keeps its storage "
            "class, and what is above it stays in the history, delete markers too."
        ),
        (
            "rm KEY --version-id ID, or --all-versions: deletes for good. diff KEY ID1 [ID2]: how ID2 (the current "
            "version, if it is not named) differs from ID1 in size, time and content, without reading either; content "
            "is compared by checksums where the service has comparable ones, else by ETags, and unknown where neither "
            "can tell."
        ),
        (
            "enable, suspend, status s3://BUCKET: whether the bucket keeps versions. A bucket that once did can be "
            "suspended, and keeps what it has."
        ),
    ),
    words=tuple(_WORDS),
    examples=(
        ("orbit versions list s3://bucket/report.pdf", "its history"),
        ("orbit versions restore s3://bucket/report.pdf --version-id ID", "bring an older one back"),
        ("orbit versions diff s3://bucket/report.pdf ID", "how the current one differs from ID"),
        ("orbit versions rm -R --all-versions --dry-run s3://bucket/tmp", "what would be deleted for good"),
        ("orbit versions enable s3://bucket", "keep versions from now on"),
        ("orbit versions status s3://bucket", "Enabled, Suspended or Disabled"),
    ),
    run=run,
    plan=plan,
)
