"""``du``: a listing, added up."""

from __future__ import annotations

from orbit_fast.core.location import S3Url
from orbit_fast.core.reach import counted
from orbit_fast.core.render.du import Usage
from orbit_fast.core.render.du import add
from orbit_fast.core.render.du import lines
from orbit_fast.core.render.du import total
from orbit_fast.core.tasks import CountObjects
from orbit_fast.io.flow import Flow
from orbit_fast.io.survey import Survey
from orbit_fast.io.task import TaskSurroundings


def count_objects(given: TaskSurroundings, task: CountObjects) -> Flow[None]:
    """Add up what an argument stands for.

    Raises:
        S3Error: there is nothing, or the listing could not be had whole: no sum is told then.
    """
    settings = given.settings
    url = S3Url(given.around.sites[task.site].bucket, task.key)
    reach, all_versions = counted(url, settings.selection), settings.listing.all_versions
    survey = Survey(given, task.site, reach, all_versions=all_versions, in_order=False)
    sums: dict[str, Usage] = {}
    try:
        while True:
            seen = yield from survey.next()
            if seen is None:
                break
            add(sums, seen.entries)
    finally:
        survey.close()
    given.tallied.found += total(sums).count
    given.say(lines(str(url), sums, settings.output, is_grouped=settings.listing.group))
