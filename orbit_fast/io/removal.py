"""Deleting any number of objects: chunks of a thousand, many in flight, each reported as soon as it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from functools import partial
from types import MappingProxyType
from typing import Any
from typing import Final

from orbit_fast.core.decode import DeletedKey
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Scope
from orbit_fast.core.events import new_renderer
from orbit_fast.core.limits import MAX_DELETE_KEYS
from orbit_fast.core.messages import Failure
from orbit_fast.core.render.rm import removed
from orbit_fast.io.deletion import Name
from orbit_fast.io.deletion import delete_batch
from orbit_fast.io.flow import Flow
from orbit_fast.io.task import TaskSurroundings

IN_FLIGHT: Final = 16
"""DeleteObjects at once: S3 takes 3,500 deletes a second and prefix, and a request of a thousand takes about 0.3 s."""


class Removal:
    """Deletes what it is given and says so; in a dry run it only says so.

    Keys that fail are told and counted one by one. What every other key would meet as well (no permission to delete at
    all, credentials that have expired) ends the work: `add` and `finish` raise it.
    """

    def __init__(self, given: TaskSurroundings, etags: Mapping[str, str] = MappingProxyType({})) -> None:
        """`etags` of keys that are deleted only while they have it, where the service knows such a condition."""
        self._given = given
        self._etags = etags
        self._together = given.together(limit=IN_FLIGHT)
        self._chunks: dict[int, list[Name]] = {}
        self._stopper: S3Error | None = None
        self._renderer = new_renderer(given.settings, operation="rm")
        self._is_dry = given.settings.output.dry_run

    def add(self, site: int, names: Sequence[Name]) -> Flow[None]:
        """Delete these, some time before `finish` returns; waits where enough is under way.

        Raises:
            S3Error: nothing can be deleted here.
        """
        chunk = self._chunks.setdefault(site, [])
        chunk += names
        while len(chunk) >= MAX_DELETE_KEYS:
            yield from self._start(site, chunk[:MAX_DELETE_KEYS])
            del chunk[:MAX_DELETE_KEYS]

    def finish(self) -> Flow[None]:
        """Delete what is left, and wait for all answers.

        Raises:
            S3Error: as `add`.
        """
        for site, chunk in self._chunks.items():
            if chunk:
                yield from self._start(site, chunk)
        yield from self.settle()
        self._check()

    def settle(self) -> Flow[None]:
        """Wait for all answers, and begin nothing any more."""
        self._chunks = {}
        while len(self._together):
            yield from self._together.change()
            yield from self._given.drained()

    def close(self) -> None:
        """Give up what is under way. To be called in a ``finally``."""
        self._together.cancel()

    def _start(self, site: int, names: Sequence[Name]) -> Flow[None]:
        self._check()
        if self._is_dry:
            self._deleted(site, names)
        else:
            yield from self._together.room()
            self._check()
            flow = delete_batch(self._given.around, site, names, etags=self._etags)
            self._together.start(flow, partial(self._ended, site, names))
        yield from self._given.drained()

    def _check(self) -> None:
        if self._stopper is not None:
            raise self._stopper

    def _ended(self, site: int, names: Sequence[Name], result: Any) -> None:
        if isinstance(result, S3Error):
            self._refused(site, names, result)
            return
        results: tuple[DeletedKey, ...] = result
        failed = [one for one in results if one.failure is not None]
        if failed:
            names = [(one.key, one.version_id) for one in results if one.failure is None]
        self._deleted(site, names)
        for one in failed:
            if one.failure is not None:
                self._failed(site, (one.key, one.version_id), one.failure)

    def _refused(self, site: int, names: Sequence[Name], error: S3Error) -> None:
        """Nothing is known about any key of a chunk."""
        if isinstance(error, Cancelled):
            return
        if error.scope is Scope.JOB or error.status == 403:
            self._stopper = self._stopper or error
            return
        for name in names:
            self._failed(site, name, error)

    def _deleted(self, site: int, names: Sequence[Name]) -> None:
        self._given.say(removed(self._given.around.sites[site].bucket, names, self._given.settings.output))
        self._given.tallied.deleted += len(names)

    def _failed(self, site: int, name: Name, error: S3Error) -> None:
        key, version_id = name
        failure = Failure.of(error, f"version {version_id}" if version_id else "")
        source = f"s3://{self._given.around.sites[site].bucket}/{key}"
        lines = self._renderer.failed((source, ""), failure, failure.attempts, line=self._given.line)
        self._given.say(lines.out, lines.err)
        self._given.failed(failure)
