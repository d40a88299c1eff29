"""``mb`` and ``rb``: making and removing buckets."""

from __future__ import annotations

from typing import Final

from orbit_fast.core import encode
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Service
from orbit_fast.core.location import S3Url
from orbit_fast.core.model import Site
from orbit_fast.core.reach import tree
from orbit_fast.core.render import buckets as lines
from orbit_fast.core.tasks import MakeBucket
from orbit_fast.core.tasks import RemoveBucket
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.pages import read_uploads
from orbit_fast.io.removal import Removal
from orbit_fast.io.survey import Survey
from orbit_fast.io.task import TaskSurroundings
from orbit_fast.io.tasks.rm import remove_listed
from orbit_fast.io.tasks.uploads import ABORTS
from orbit_fast.io.tasks.uploads import abort_upload

_OLDEST_REGION: Final = "us-east-1"
_UNKNOWN: Final = frozenset({"NotImplemented", "MethodNotAllowed", "XNotImplemented"})


def make_bucket(given: TaskSurroundings, task: MakeBucket) -> Flow[None]:
    """Make a bucket.

    In the oldest region S3 answers whoever owns the bucket already that all is well, and takes its access control lists
    away: there it is looked for before.

    Raises:
        S3Error: it is there already, or could not be made.
    """
    site = given.around.sites[task.site]
    _refuse_elsewhere(site)
    region = site.endpoint.region
    output = given.settings.output
    if region in {"", _OLDEST_REGION} or output.dry_run:
        yield from _refuse_existing(task.site, site.bucket)
    if not output.dry_run:
        try:
            yield Call(request=encode.create_bucket(region=region), site=task.site, is_idempotent=False)
        except S3Error as error:
            raise _explained(error, site.bucket) from None
    given.say(lines.made(site.bucket, region, output))
    given.tallied.found += 1


def _refuse_elsewhere(site: Site) -> None:
    """AWS has directory buckets made and removed at another address than they are used at.

    Raises:
        InvalidConfig: this is one.
    """
    if site.is_directory and not site.endpoint.is_custom:
        raise InvalidConfig(
            f"s3://{site.bucket} is a directory bucket: make or remove it with aws s3api create-bucket or delete-bucket"
        )


def _refuse_existing(site: int, bucket: str) -> Flow[None]:
    """See that there is no such bucket; where that is not told, the service will say it when asked to make it.

    Raises:
        S3Error: there is one, or the service cannot be asked.
    """
    try:
        yield Call(request=encode.head_bucket(), site=site)
    except (BucketNotFound, AccessDenied):
        return
    except S3Error as error:
        if error.status in {301, 404}:
            return
        raise
    message = f"s3://{bucket} exists already: it is yours, or you may use it"
    raise Service(message, code="E_BUCKET_EXISTS")


def _explained(error: S3Error, bucket: str) -> S3Error:
    """The service's refusal, with what it means."""
    if error.code == "BucketAlreadyOwnedByYou":
        error.message = f"s3://{bucket} exists already, and you own it"
    elif error.code == "BucketAlreadyExists":
        error.message = f"s3://{bucket} exists already and belongs to somebody else"
    return error


def remove_bucket(given: TaskSurroundings, task: RemoveBucket) -> Flow[None]:
    """Remove a bucket, where ``--force`` says so with everything in it.

    Raises:
        S3Error: it is not there, not empty, or could not be emptied or removed.
    """
    bucket = given.around.sites[task.site].bucket
    _refuse_elsewhere(given.around.sites[task.site])
    is_dry = given.settings.output.dry_run
    aborted = 0
    if given.settings.bucket.force:
        yield from _empty(given, task.site)
        aborted = yield from _abort_uploads(given, task.site)
        if given.tallied.failed:
            raise Service(f"s3://{bucket} could not be emptied, so it stays", code="BucketNotEmpty")
    elif is_dry:
        yield from _refuse_full(given, task.site)
    if not is_dry:
        try:
            yield Call(request=encode.delete_bucket(), site=task.site)
        except S3Error as error:
            if error.code == "BucketNotEmpty":
                error.message = _not_empty(bucket)
            raise
    given.say(lines.gone(bucket, aborted, given.settings.output))
    given.tallied.found += 1


def _not_empty(bucket: str) -> str:
    return f"s3://{bucket} is not empty (older versions count too): --force deletes everything in it first"


def _empty(given: TaskSurroundings, site: int) -> Flow[None]:
    """Delete every version; every object, where the service knows no versions.

    Raises:
        S3Error: the listing failed, or nothing may be deleted.
    """
    everything = tree(S3Url(given.around.sites[site].bucket))
    removal = Removal(given)
    try:
        try:
            yield from remove_listed(given, removal, site, everything, all_versions=True)
        except S3Error as error:
            if not _is_unknown(error):
                raise
            yield from remove_listed(given, removal, site, everything, all_versions=False)
        yield from removal.finish()
    except S3Error:
        yield from removal.settle()
        raise
    finally:
        removal.close()


def _refuse_full(given: TaskSurroundings, site: int) -> Flow[None]:
    """See that nothing is in the bucket.

    Raises:
        S3Error: something is.
    """
    bucket = given.around.sites[site].bucket
    for all_versions in (True, False):
        survey = Survey(given, site, tree(S3Url(bucket)), all_versions=all_versions)
        try:
            seen = yield from survey.next()
        except S3Error as error:
            if not all_versions or not _is_unknown(error):
                raise
            continue
        finally:
            survey.close()
        if seen is not None and seen.entries:
            raise Service(_not_empty(bucket), code="BucketNotEmpty")
        return


def _abort_uploads(given: TaskSurroundings, site: int) -> Flow[int]:
    """Abort what was begun and never completed; how many there were.

    Raises:
        S3Error: they could not be listed, or one not aborted.
    """
    pages = read_uploads(given, site)
    together = given.together(limit=ABORTS)
    failures: list[S3Error] = []
    count = 0

    def ended(result: object) -> None:
        if isinstance(result, S3Error):
            failures.append(result)

    try:
        while True:
            page = yield from pages.next()
            if page is None:
                break
            for upload in page.uploads:
                count += 1
                if not given.settings.output.dry_run:
                    yield from together.room()
                    together.start(abort_upload(site, upload), ended)
        yield from together.rest()
    except S3Error as error:
        if not _is_unknown(error):
            raise
    finally:
        together.cancel()
        pages.close()
    if failures:
        raise failures[0]
    return count


def _is_unknown(error: S3Error) -> bool:
    """Whether the service does not know what was asked of it."""
    return error.status in {405, 501} or error.code in _UNKNOWN
