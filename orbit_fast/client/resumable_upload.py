"""An upload that can go on where it was interrupted.

Nothing of an earlier attempt is believed unchecked: the file must be the very one (device, inode, size, times), the
service must still hold the upload, and of its parts only those count that it lists with the size, ETag and checksum
that are remembered. Everything else is sent again, and the checksum of the whole is compared in the end as always.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable

from orbit_fast.client.meter import Meter
from orbit_fast.client.operations import Place
from orbit_fast.client.resume import ResumeState
from orbit_fast.client.transfers import PartsOf
from orbit_fast.client.transfers import begin_transfer
from orbit_fast.client.transfers import clean_up
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import ResumeStateError
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.errors import UploadGone
from orbit_fast.core.layout import Layout
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import PartFact
from orbit_fast.io import upload
from orbit_fast.io.files import open_source
from orbit_fast.io.parts import is_held
from orbit_fast.io.parts import landed_parts
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import find


class ResumableUpload:
    """One call's work: `run` it once."""

    def __init__(
        self,
        place: Place,
        item: Item,
        bucket: str,
        *,
        on_state: Callable[[ResumeState], None] | None,
        meter: Meter,
    ) -> None:
        self._place = place
        self._item = item
        self._bucket = bucket
        self._on_state = on_state
        self._meter = meter

    async def run(self, state: ResumeState | None) -> ResumeState:
        """Upload, from where `state` says.

        Raises:
            ResumeStateError: it is of another object.
            S3Error: it could not be done; ``resume_state`` says what to go on from.
        """
        with open_source(self._item.path, follow_symlinks=True) as source:
            fingerprint = source.fingerprint
        if state is not None:
            self._check(state)
            if state.fingerprint != fingerprint or (not state.is_complete and not state.upload_id):
                await self._forget(state)
                state = None
        if state is not None and state.is_complete:
            if await self._is_there(state):
                self._meter.landed(0, state.size)
                return state
            state = None
        layout = plan_parts(self._item.size, self._place.around.settings.transfer.part_size)
        parts = await self._taken_up(state) if state is not None else None
        if parts is None and not layout.is_multipart:
            return await self._in_one(fingerprint)
        if parts is None:
            parts = await self._begun(layout)
        return await self._moved(parts)

    def _check(self, state: ResumeState) -> None:
        if (state.bucket, state.key) != (self._bucket, self._item.key):
            raise ResumeStateError(
                f"the resume state is of s3://{state.bucket}/{state.key}, not of s3://{self._bucket}/{self._item.key}"
            )

    async def _forget(self, state: ResumeState) -> None:
        """The source is another one by now: what there is of the old one is of no use to anybody."""
        if state.upload_id and not state.is_complete:
            await clean_up(self._place, upload.abandon(self._place.around, self._item, _begun_of(state)))

    async def _is_there(self, state: ResumeState) -> bool:
        facts = await self._place.session.do(find(self._place.around, self._item.site, self._item.key))
        return facts is not None and facts.etag == state.etag and facts.size == state.size

    async def _in_one(self, fingerprint: tuple[int, ...]) -> ResumeState:
        ending = await self._place.session.do(
            upload.upload(self._place.around, self._item), needs_slot=self._item.size > upload.IN_MEMORY
        )
        self._meter.landed(0, ending.landed.size)
        return ResumeState(
            bucket=self._bucket,
            key=self._item.key,
            size=ending.landed.size,
            mtime_ns=self._item.mtime_ns,
            fingerprint=fingerprint,
            is_complete=True,
            etag=ending.landed.etag,
            version_id=ending.landed.version_id,
        )

    async def _taken_up(self, state: ResumeState) -> PartsOf | None:
        """The parts of an earlier attempt, as far as the service has them too; None where the upload is gone."""
        try:
            layout = plan_parts(state.size, state.part_size)
            listed = await self._place.session.do(
                landed_parts(self._item.site, self._item.key, state.upload_id),
            )
        except UploadGone:
            return None
        held = {part.number: part for part in listed}
        begun = _begun_of(state, started_s=self._place.around.monotonic_s())
        parts = PartsOf(self._place, self._item, begun, layout)
        for part in state.parts:
            if not 1 <= part.number <= layout.count:
                raise ResumeStateError(f"the resume state names part {part.number} of {layout.count}")
            offset, size = layout.part(part.number)
            fact = PartFact(part.number, offset, size, part.etag, part.checksum, part.is_proven)
            if part.size == size and is_held(held.get(part.number), fact, state.algorithm):
                parts.landed[part.number] = fact
        for number in sorted(parts.landed):
            self._meter.landed(number, parts.landed[number].size)
        return parts

    async def _begun(self, layout: Layout) -> PartsOf:
        place, item = self._place, self._item
        begun = await begin_transfer(
            place, upload.begin(place.around, item), functools.partial(upload.abandon, place.around, item)
        )
        if isinstance(begun, Ending):
            raise Internal("an upload without conditions was skipped")
        return PartsOf(place, item, begun, layout)

    async def _moved(self, parts: PartsOf) -> ResumeState:
        def landed(part: PartFact) -> None:
            self._meter.landed(part.number, part.size)
            if self._on_state is not None:
                self._on_state(self._state_of(parts))

        if self._on_state is not None:
            self._on_state(self._state_of(parts))
        try:
            await parts.move(landed)
            ending = await parts.finish()
        except (SourceChanged, UploadGone):
            await parts.abandon()  # there is nothing to go on from
            raise
        except S3Error as error:
            error.resume_state = self._state_of(parts)
            raise
        except asyncio.CancelledError:
            if self._on_state is None:
                await parts.abandon()
            raise
        except BaseException:
            await parts.abandon()
            raise
        state = self._state_of(parts, is_complete=True, etag=ending.landed.etag, version_id=ending.landed.version_id)
        if self._on_state is not None:
            self._on_state(state)
        return state

    def _state_of(
        self, parts: PartsOf, *, is_complete: bool = False, etag: str = "", version_id: str = ""
    ) -> ResumeState:
        begun = parts.begun
        state = ResumeState(
            bucket=self._bucket,
            key=self._item.key,
            upload_id=begun.token,
            part_size=parts.layout.part_size,
            size=self._item.size,
            mtime_ns=self._item.mtime_ns,
            fingerprint=begun.fingerprint,
            algorithm=begun.algorithm,
            is_complete=is_complete,
            etag=etag,
            version_id=version_id,
        )
        return state.with_parts(parts.landed)


def _begun_of(state: ResumeState, *, started_s: float = 0.0) -> Begun:
    return Begun(
        item=0,
        token=state.upload_id,
        fingerprint=state.fingerprint,
        algorithm=state.algorithm,
        started_s=started_s,
    )
