"""``ls``: a listing, said page by page as it comes."""

from __future__ import annotations

from orbit_fast.core.location import S3Url
from orbit_fast.core.reach import shown
from orbit_fast.core.render.ls import new_renderer
from orbit_fast.core.tasks import ListBuckets
from orbit_fast.core.tasks import ListObjects
from orbit_fast.io.flow import Flow
from orbit_fast.io.pages import read_buckets
from orbit_fast.io.survey import Survey
from orbit_fast.io.task import TaskSurroundings


def list_objects(given: TaskSurroundings, task: ListObjects) -> Flow[None]:
    """Show what an argument stands for.

    Raises:
        S3Error: there is nothing, or the listing could not be had whole.
    """
    settings = given.settings
    url = S3Url(given.around.sites[task.site].bucket, task.key)
    reach = shown(url, settings.selection)
    renderer = new_renderer(settings, url.bucket, reach)
    survey = Survey(given, task.site, reach, all_versions=settings.listing.all_versions)
    try:
        while True:
            seen = yield from survey.next()
            if seen is None:
                return
            given.say(renderer.page(seen.entries, seen.prefixes))
            given.tallied.found += len(seen.entries) + len(seen.prefixes)
            yield from given.drained()
    finally:
        survey.close()


def list_buckets(given: TaskSurroundings, task: ListBuckets) -> Flow[None]:
    """Show the caller's buckets.

    Raises:
        S3Error: they may not be listed.
    """
    renderer = new_renderer(given.settings, "", None)
    pages = read_buckets(given, task.site)
    try:
        while True:
            page = yield from pages.next()
            if page is None:
                return
            given.say(renderer.buckets(page.buckets))
            given.tallied.found += len(page.buckets)
            yield from given.drained()
    finally:
        pages.close()
