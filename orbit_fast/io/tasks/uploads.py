"""``uploads``: what was begun and never completed, listed or aborted."""

from __future__ import annotations

from functools import partial
from typing import Any
from typing import Final

from orbit_fast.core import encode
from orbit_fast.core.decode_listing import UnfinishedUpload
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import UploadGone
from orbit_fast.core.events import new_renderer
from orbit_fast.core.limits import MAX_PAGE_BYTES
from orbit_fast.core.location import S3Url
from orbit_fast.core.messages import Failure
from orbit_fast.core.reach import counted
from orbit_fast.core.render.uploads import Renderer
from orbit_fast.core.tasks import ListUploads
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.pages import read_uploads
from orbit_fast.io.task import TaskSurroundings

ABORTS: Final = 16
"""Uploads that are aborted at once."""


def list_uploads(given: TaskSurroundings, task: ListUploads) -> Flow[None]:
    """Show what an argument stands for, or abort it. That there is nothing is good news.

    Raises:
        S3Error: the listing could not be had whole, or nothing may be aborted at all.
    """
    selection = given.settings.selection
    bucket = given.around.sites[task.site].bucket
    reach = counted(S3Url(bucket, task.key), selection)
    lines = Renderer(bucket, given.settings.output)
    abortion = _Abortion(given, task.site, lines) if given.settings.uploads.abort else None
    # One listing for all stretches: a tree's key and what is under it both begin with the key.
    pages = read_uploads(given, task.site, reach.stretches[0].prefix)
    try:
        while True:
            page = yield from pages.next()
            if page is None:
                break
            found = [one for one in page.uploads if reach.holds(one.key)]
            if selection.older_than_ns:
                found = [one for one in found if one.initiated_ns < selection.older_than_ns]
            if abortion is not None:
                yield from abortion.add(found)
            else:
                given.say(lines.listed(found))
                given.tallied.found += len(found)
            yield from given.drained()
        if abortion is not None:
            yield from abortion.finish()
    finally:
        if abortion is not None:
            abortion.close()
        pages.close()


def abort_upload(site: int, upload: UnfinishedUpload) -> Flow[None]:
    """Abort one. One that is gone already, completed or aborted by somebody else, is no failure.

    Raises:
        S3Error: the service refuses.
    """
    request = encode.abort_multipart_upload(upload.key, upload_id=upload.upload_id)
    try:
        yield Call(request=request, site=site, max_body=MAX_PAGE_BYTES)
    except UploadGone:
        return


class _Abortion:
    """Aborts what it is given and says so; in a dry run it only says so."""

    def __init__(self, given: TaskSurroundings, site: int, lines: Renderer) -> None:
        self._given = given
        self._site = site
        self._lines = lines
        self._together = given.together(limit=ABORTS)
        self._stopper: S3Error | None = None

    def add(self, uploads: list[UnfinishedUpload]) -> Flow[None]:
        """Abort these, some time before `finish` returns.

        Raises:
            S3Error: every other one would fail in the same way.
        """
        for one in uploads:
            if self._given.settings.output.dry_run:
                self._aborted(one)
                continue
            yield from self._together.room()
            self._check()
            self._together.start(abort_upload(self._site, one), partial(self._ended, one))

    def finish(self) -> Flow[None]:
        """Wait for all answers.

        Raises:
            S3Error: as `add`.
        """
        yield from self._together.rest()
        self._check()

    def close(self) -> None:
        """Give up what is under way. To be called in a ``finally``."""
        self._together.cancel()

    def _check(self) -> None:
        if self._stopper is not None:
            raise self._stopper

    def _ended(self, one: UnfinishedUpload, result: Any) -> None:
        if not isinstance(result, S3Error):
            self._aborted(one)
        elif result.scope is Scope.JOB:
            self._stopper = self._stopper or result
        elif not isinstance(result, Cancelled):
            self._failed(one, result)

    def _aborted(self, one: UnfinishedUpload) -> None:
        self._given.say(self._lines.aborted(one))
        self._given.tallied.found += 1

    def _failed(self, one: UnfinishedUpload, error: S3Error) -> None:
        failure = Failure.of(error, f"upload {one.upload_id}")
        source = f"s3://{self._given.around.sites[self._site].bucket}/{one.key}"
        renderer = new_renderer(self._given.settings, operation="uploads")
        said = renderer.failed((source, ""), failure, failure.attempts, line=self._given.line)
        self._given.say(said.out, said.err)
        self._given.failed(failure)
