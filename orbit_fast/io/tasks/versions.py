"""``versions``: what there is, how two of them differ, and whether a bucket keeps any."""

from __future__ import annotations

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Service
from orbit_fast.core.location import S3Url
from orbit_fast.core.model import ObjectFacts
from orbit_fast.core.reach import removed
from orbit_fast.core.render import versions as lines
from orbit_fast.core.render.ls import new_renderer
from orbit_fast.core.tasks import CompareVersions
from orbit_fast.core.tasks import ListVersions
from orbit_fast.core.tasks import SetVersioning
from orbit_fast.core.tasks import ShowVersioning
from orbit_fast.core.versioning import VersioningState
from orbit_fast.core.versioning import compare
from orbit_fast.io.flow import Flow
from orbit_fast.io.listing import named
from orbit_fast.io.service import service_call
from orbit_fast.io.survey import Survey
from orbit_fast.io.task import TaskSurroundings


def list_versions(given: TaskSurroundings, task: ListVersions) -> Flow[None]:
    """Show every version and delete marker that an argument stands for, newest first within a key.

    Raises:
        S3Error: there is nothing, or the listing could not be had whole.
    """
    settings = given.settings
    url = S3Url(given.around.sites[task.site].bucket, task.key)
    reach = removed(url, settings.selection)
    renderer = new_renderer(settings, url.bucket, reach, operation="versions")
    survey = Survey(given, task.site, reach, all_versions=True)
    try:
        while True:
            seen = yield from survey.next()
            if seen is None:
                return
            given.say(renderer.page(seen.entries, ()))
            given.tallied.found += len(seen.entries)
            yield from given.drained()
    finally:
        survey.close()


def compare_versions(given: TaskSurroundings, task: CompareVersions) -> Flow[None]:
    """Say how the second version differs from the first, without reading either.

    Raises:
        S3Error: one of them is not there, is a delete marker, or may not be looked at.
    """
    first, _ = yield from _look(given, task, task.first)
    second, second_id = yield from _look(given, task, task.second)
    source = f"s3://{given.around.sites[task.site].bucket}/{task.key}"
    given.say(lines.difference(source, (task.first, second_id), compare(first, second), given.settings.output))
    given.tallied.found += 1


def _look(given: TaskSurroundings, task: CompareVersions, version_id: str) -> Flow[tuple[ObjectFacts, str]]:
    try:
        reply = yield from named(given.around, task.site, task.key, version_id)
    except S3Error as error:
        if error.status == 405 and version_id:
            message = f"version {version_id} of {task.key} is a delete marker: there is no content to compare"
            raise Service(message, code=error.code, status=error.status) from None
        raise
    facts: ObjectFacts = reply.decoded
    return facts, facts.version_id or version_id or "null"


def show_versioning(given: TaskSurroundings, task: ShowVersioning) -> Flow[None]:
    """Say whether the bucket keeps versions.

    Raises:
        S3Error: it is not there, or may not be asked.
    """
    state, mfa_delete = yield from _ask(given, task.site)
    bucket = given.around.sites[task.site].bucket
    given.say(lines.versioning(bucket, state, given.settings.output, mfa_delete=mfa_delete))
    given.tallied.found += 1


def set_versioning(given: TaskSurroundings, task: SetVersioning) -> Flow[None]:
    """Change it. A dry run looks whether the bucket is there.

    Raises:
        S3Error: the service refuses.
    """
    if given.settings.output.dry_run:
        yield from _ask(given, task.site)
    else:
        params = {"VersioningConfiguration": {"Status": task.state}}
        yield from service_call(given.around, task.site, "PutBucketVersioning", params)
    bucket = given.around.sites[task.site].bucket
    given.say(lines.was_set(bucket, VersioningState(task.state), given.settings.output))
    given.tallied.found += 1


def _ask(given: TaskSurroundings, site: int) -> Flow[tuple[VersioningState, bool]]:
    told = yield from service_call(given.around, site, "GetBucketVersioning", {})
    state = told.get("Status") or VersioningState.DISABLED.value
    if state not in set(VersioningState):
        raise BadReply(f"GetBucketVersioning: the service says {state[:64]!r}")
    return VersioningState(state), told.get("MFADelete") == "Enabled"
