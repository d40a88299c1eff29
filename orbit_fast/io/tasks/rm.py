"""``rm``: keys, and what listings say that prefixes and wildcards stand for.

Deleting goes on while the listing does. Each page is believed by itself, since what it names is what was asked to be
deleted: a listing that fails in the middle leaves what it did not come to, and the command fails.
"""

from __future__ import annotations

from orbit_fast.core.decode_versions import ListedVersion
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.events import new_renderer
from orbit_fast.core.filters import Selection
from orbit_fast.core.location import S3Url
from orbit_fast.core.messages import Failure
from orbit_fast.core.reach import Reach
from orbit_fast.core.reach import has_limits
from orbit_fast.core.reach import removed
from orbit_fast.core.tasks import RemoveObjects
from orbit_fast.io.deletion import Name
from orbit_fast.io.flow import Flow
from orbit_fast.io.removal import Removal
from orbit_fast.io.survey import Survey
from orbit_fast.io.task import TaskSurroundings


def remove_objects(given: TaskSurroundings, task: RemoveObjects) -> Flow[None]:
    """Delete what the arguments stand for.

    Raises:
        S3Error: the one argument matches nothing, a listing failed, or nothing may be deleted at all.
    """
    removal = Removal(given)
    try:
        for key in task.keys:
            try:
                yield from _remove(given, removal, task.site, key)
            except SourceMissing as error:
                if task.is_all and len(task.keys) == 1:
                    raise
                _tell(given, S3Url(given.around.sites[task.site].bucket, key), error)
        yield from removal.finish()
    except S3Error:
        yield from removal.settle()
        raise
    finally:
        removal.close()


def remove_listed(
    given: TaskSurroundings, removal: Removal, site: int, reach: Reach, *, all_versions: bool
) -> Flow[None]:
    """Delete what an argument stands for, as its listing says.

    Raises:
        S3Error: there is nothing, the listing failed, or nothing may be deleted.
    """
    # A plan is read by people; what is deleted is told as the service answers.
    survey = Survey(given, site, reach, all_versions=all_versions, in_order=given.settings.output.dry_run)
    try:
        while True:
            seen = yield from survey.next()
            if seen is None:
                return
            names = [(one.key, one.version_id if isinstance(one, ListedVersion) else "") for one in seen.entries]
            yield from removal.add(site, names)
    finally:
        survey.close()


def _remove(given: TaskSurroundings, removal: Removal, site: int, key: str) -> Flow[None]:
    """Delete what one argument stands for. A key that is meant as such is not looked for, unless a filter has to."""
    selection = given.settings.selection
    all_versions = given.settings.listing.all_versions
    reach = removed(S3Url(given.around.sites[site].bucket, key), selection)
    is_key = reach.stretches[0].is_exact and len(reach.stretches) == 1
    if not is_key:
        yield from remove_listed(given, removal, site, reach, all_versions=all_versions)
    elif all_versions or has_limits(selection):
        try:
            yield from remove_listed(given, removal, site, reach, all_versions=all_versions)
        except SourceMissing:
            return  # as S3 has it: a key that is not there has been deleted
    elif Selection(selection).accepts_name(reach.relative_name(key)):
        name: Name = (key, selection.version_id)
        yield from removal.add(site, [name])


def _tell(given: TaskSurroundings, url: S3Url, error: S3Error) -> None:
    """One argument of several stands for nothing."""
    failure = Failure.of(error)
    lines = new_renderer(given.settings, operation="rm").failed((str(url), ""), failure, line=given.line)
    given.say(lines.out, lines.err)
    given.failed(failure)
