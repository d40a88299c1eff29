"""``restore``: archived objects made readable for a while, and how far that is."""

from __future__ import annotations

from functools import partial
from typing import Any
from typing import Final

from orbit_fast.core.decode_versions import ListedVersion
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import ObjectArchived
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import Service
from orbit_fast.core.events import new_renderer
from orbit_fast.core.filters import Selection
from orbit_fast.core.location import S3Url
from orbit_fast.core.messages import Failure
from orbit_fast.core.model import Entry
from orbit_fast.core.reach import has_limits
from orbit_fast.core.reach import removed
from orbit_fast.core.render.restore import Renderer
from orbit_fast.core.restoring import TIERED
from orbit_fast.core.restoring import RestoreFacts
from orbit_fast.core.restoring import RestoreState
from orbit_fast.core.restoring import may_be_archived
from orbit_fast.core.restoring import restore_facts
from orbit_fast.core.settings import RestoreSettings
from orbit_fast.core.tasks import RestoreObjects
from orbit_fast.io.flow import Flow
from orbit_fast.io.listing import named
from orbit_fast.io.service import service_reply
from orbit_fast.io.survey import Survey
from orbit_fast.io.task import TaskSurroundings

AT_ONCE: Final = 16
"""Objects that are asked about at once."""


def restore_objects(given: TaskSurroundings, task: RestoreObjects) -> Flow[None]:
    """Have what an argument stands for restored, or tell how far that is.

    Raises:
        S3Error: there is nothing; the one object is not archived; or the listing failed.
    """
    selection = given.settings.selection
    reach = removed(S3Url(given.around.sites[task.site].bucket, task.key), selection)
    is_key = len(reach.stretches) == 1 and reach.stretches[0].is_exact
    restoring = _Restoring(given, task.site)
    if is_key and not has_limits(selection):
        if Selection(selection).accepts_name(reach.relative_name(task.key)):
            yield from restoring.one(task.key, task.version_id)
        return
    survey = Survey(given, task.site, reach, all_versions=False)
    try:
        while True:
            seen = yield from survey.next()
            if seen is None:
                break
            for entry in seen.entries:
                yield from restoring.add(entry)
            yield from given.drained()
        yield from restoring.finish()
    finally:
        restoring.close()
        survey.close()


class _Restoring:
    """Restores the objects of one bucket, or tells of their restores."""

    def __init__(self, given: TaskSurroundings, site: int) -> None:
        self._given = given
        self._site = site
        self._root = f"s3://{given.around.sites[site].bucket}/"
        self._wanted = given.settings.restore
        self._is_dry = given.settings.output.dry_run
        self._lines = Renderer(self._wanted, given.settings.output)
        self._together = given.together(limit=AT_ONCE)
        self._stopper: S3Error | None = None

    def one(self, key: str, version_id: str) -> Flow[None]:
        """The one object that the user named.

        Raises:
            S3Error: it is not there, is not archived, or may not be restored.
        """
        facts = yield from self._look(key, version_id)
        if self._wanted.status and facts is not None:
            self._tell(key, version_id, facts)
            return
        storage_class = facts.storage_class if facts is not None else ""
        if self._is_dry:
            if facts is not None and facts.state is RestoreState.NOT_ARCHIVED:
                raise self._not_archived(key, storage_class)
            self._given.say(self._lines.planned(self._root + key, version_id))
        else:
            state = yield from _request(self._given, self._site, (key, version_id), storage_class)
            if state is RestoreState.NOT_ARCHIVED:
                raise self._not_archived(key, storage_class)
            self._given.say(self._lines.told(self._root + key, version_id, state, storage_class=storage_class))
        self._given.tallied.found += 1

    def add(self, entry: Entry | ListedVersion) -> Flow[None]:
        """One of many, done some time before `finish` returns.

        Raises:
            S3Error: every other one would fail in the same way.
        """
        if not may_be_archived(entry.storage_class):
            self._skip(entry)
            return
        if self._is_dry and not self._wanted.status:
            self._given.say(self._lines.planned(self._root + entry.key, ""))
            self._given.tallied.found += 1
            return
        yield from self._together.room()
        self._check()
        self._together.start(self._ask(entry), partial(self._ended, entry))

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

    def _look(self, key: str, version_id: str) -> Flow[RestoreFacts | None]:
        """What HeadObject says; None where whoever may restore an object may not look at it."""
        try:
            reply = yield from named(self._given.around, self._site, key, version_id)
        except AccessDenied:
            if self._wanted.status or self._is_dry:
                raise
            return None
        return restore_facts(reply.headers)

    def _ask(self, entry: Entry | ListedVersion) -> Flow[RestoreFacts]:
        if self._wanted.status:
            reply = yield from named(self._given.around, self._site, entry.key, "")
            return restore_facts(reply.headers)
        state = yield from _request(self._given, self._site, (entry.key, ""), entry.storage_class)
        return RestoreFacts(state=state, storage_class=entry.storage_class)

    def _ended(self, entry: Entry | ListedVersion, result: Any) -> None:
        if isinstance(result, RestoreFacts):
            if result.state is RestoreState.NOT_ARCHIVED:
                self._skip(entry)
            else:
                self._tell(entry.key, "", result)
        elif isinstance(result, Cancelled):
            return
        elif result.scope is Scope.JOB:
            self._stopper = self._stopper or result
        else:
            failure = Failure.of(result)
            renderer = new_renderer(self._given.settings, operation="restore")
            said = renderer.failed((self._root + entry.key, ""), failure, failure.attempts, line=self._given.line)
            self._given.say(said.out, said.err)
            self._given.failed(failure)

    def _check(self) -> None:
        if self._stopper is not None:
            raise self._stopper

    def _tell(self, key: str, version_id: str, facts: RestoreFacts) -> None:
        self._given.say(
            self._lines.told(
                self._root + key,
                version_id,
                facts.state,
                storage_class=facts.storage_class,
                until_ns=facts.until_ns,
            )
        )
        self._given.tallied.found += 1

    def _skip(self, entry: Entry | ListedVersion) -> None:
        self._given.say(self._lines.skipped(self._root + entry.key, entry.storage_class))
        self._given.tallied.skipped += 1

    def _not_archived(self, key: str, storage_class: str) -> Service:
        what = f" ({storage_class})" if storage_class else ""
        message = f"{self._root}{key} is not archived{what}: there is nothing to restore"
        return Service(message, code=ObjectArchived.default_code)


def _request(given: TaskSurroundings, site: int, name: tuple[str, str], storage_class: str) -> Flow[RestoreState]:
    """RestoreObject of a key and version.

    Raises:
        S3Error: the service refuses.
    """
    key, version_id = name
    params: dict[str, Any] = {"Key": key, "RestoreRequest": _order(given.settings.restore, storage_class)}
    if version_id:
        params["VersionId"] = version_id
    try:
        reply = yield from service_reply(given.around, site, "RestoreObject", params)
    except ObjectArchived:  # S3's words for an object that is in no archive
        return RestoreState.NOT_ARCHIVED
    except S3Error as error:
        if error.code != "RestoreAlreadyInProgress":
            raise
        return RestoreState.IN_PROGRESS
    return RestoreState.EXTENDED if reply.status == 200 else RestoreState.REQUESTED


def _order(wanted: RestoreSettings, storage_class: str) -> dict[str, Any]:
    """What RestoreObject is told. An object that S3 moves between tiers by itself comes back for good: no days."""
    order: dict[str, Any] = {"GlacierJobParameters": {"Tier": wanted.tier}}
    return order if storage_class == TIERED else order | {"Days": wanted.days}
