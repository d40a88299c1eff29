"""From what was found to what is to be done: names, filters, sizes, and the one place where items are numbered."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import NameConflict
from orbit_fast.core.errors import S3Error
from orbit_fast.core.events import Pair
from orbit_fast.core.filters import Selection
from orbit_fast.core.layout import Layout
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.limits import MAX_PART_BYTES
from orbit_fast.core.location import LocalDestination
from orbit_fast.core.location import S3Url
from orbit_fast.core.location import destination_key
from orbit_fast.core.location import flat_name
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Item
from orbit_fast.core.model import Entry
from orbit_fast.core.moments import held
from orbit_fast.core.names import is_directory_marker
from orbit_fast.core.plan import decide_archived
from orbit_fast.core.relaying import Relay
from orbit_fast.core.settings import JobSettings
from orbit_fast.proc.progress import Amount
from orbit_fast.proc.voice import Voice


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where the job's objects go: exactly one of the two.

    Attributes:
        url: an S3 destination.
        local: a local one.
        site: number of the S3 destination's site.
        many: there may be more than one source object.
        relay: how objects get there from S3, where the destination's service cannot read them by itself.
    """

    url: S3Url | None = None
    local: LocalDestination | None = None
    site: int = 0
    many: bool = False
    relay: Relay | None = None


class Intake:
    """Takes what the finders find.

    Attributes:
        amount: objects that were taken, and their bytes.
        found: objects that were seen at all, filtered ones included.
    """

    def __init__(self, settings: JobSettings, destination: Destination, ledger: Ledger, report: Voice) -> None:
        self._settings = settings
        self._destination = destination
        self._ledger = ledger
        self._report = report
        self._selection = Selection(settings.selection)
        # Two objects can only want one name where names are cut short or come from several sources.
        self._taken: set[str | bytes] | None = set() if settings.selection.flatten else None
        self._variant = 0
        self._line = 0
        self.amount = Amount()
        self.found = 0

    def serve(self, amount: Amount, *, variant: int, line: int) -> None:
        """Take objects for one line of a script: counted and numbered with those of the others."""
        self.amount = amount
        self._variant = variant
        self._line = line

    def aim(self, destination: Destination, *, line: int) -> None:
        """What comes next goes there, for this line: a line's one object, so that no two can want one name."""
        self._destination = destination
        self._line = line

    def watch_collisions(self) -> None:
        """Several sources: remember every destination."""
        if self._taken is None:
            self._taken = set()

    def offer_file(self, path: bytes, name: str, size: int, mtime_ns: int) -> None:
        """A local file, called `name` below its source."""
        self.found += 1
        mtime_ns = held(mtime_ns)
        if not self._selection.accepts(name, size, mtime_ns):
            return
        url = self._destination.url
        assert url is not None, "files go to S3"
        key = ""
        try:
            key = destination_key(url, self._final_name(name), many=self._destination.many)
            self._claim(key)
            layout = self._layout(size, self._settings.transfer.part_size)
        except S3Error as error:
            self.fail((path, f"s3://{url.bucket}/{key}"), error)
            return
        self._add(
            Item(
                self._number(),
                Direction.UPLOAD,
                self._destination.site,
                key,
                path,
                b"",
                size,
                mtime_ns,
                variant=self._variant,
                line=self._line,
            ),
            layout,
        )

    def offer_object(self, url: S3Url, site: int, entry: Entry, name: str, restore: str | None = None) -> None:
        """An S3 object of the bucket of `url`, called `name` below its source."""
        self.found += 1
        if not name or not self._selection.accepts(name, entry.size, entry.mtime_ns):
            return
        source = f"s3://{url.bucket}/{entry.key}"
        # A listing does not tell whether an archived object is restored: the flow that would read it looks.
        reason = "" if restore is None else decide_archived(entry.storage_class, restore, self._settings.selection)
        if reason:
            self.skip((source, ""), reason, entry.size)
            return
        flat = self._final_name(name)
        if not flat:
            return
        try:
            item, layout = (
                self._to_local(site, entry, flat) if self._destination.local else self._to_s3(site, entry, flat)
            )
        except S3Error as error:
            self.fail((source, self._shown_destination(flat)), error)
            return
        self._add(item, layout)

    def fail(self, pair: Pair, error: S3Error) -> None:
        """Something that was found cannot take part."""
        self._report.failed(pair, Failure.of(error), line=self._line)

    def refuse(self, pair: Pair, failure: Failure) -> None:
        """As `fail`, with what a worker said."""
        self._report.failed(pair, failure, line=self._line)

    def miss(self, pair: Pair, failure: Failure) -> None:
        """There is nothing where one of several sources should be."""
        self._report.failed(pair, replace(failure, exit_code=int(Exit.SOME_FAILED)), line=self._line)

    def skip(self, pair: Pair, reason: str, size: int | None = None) -> None:
        """Something that was found is left out."""
        self._report.skipped(pair, reason, size)

    # --- pieces ------------------------------------------------------------------------------------------------------

    def _to_local(self, site: int, entry: Entry, name: str) -> tuple[Item, Layout | None]:
        local = self._destination.local
        assert local is not None, "checked by the caller"
        path = local.path_of(name)
        is_marker = is_directory_marker(name)
        if is_marker:
            path += b"/"
        self._claim(path)
        item = Item(
            self._number(),
            Direction.DOWNLOAD,
            site,
            entry.key,
            path,
            local.root,
            entry.size,
            entry.mtime_ns,
            entry.etag,
            entry.version_id,
            entry.storage_class,
            variant=self._variant,
            line=self._line,
        )
        # A marker is a directory, whatever it holds: its flow says what is wrong with one that is not empty.
        return item, None if is_marker else self._layout(entry.size, self._settings.transfer.part_size, min_part=1)

    def _to_s3(self, site: int, entry: Entry, name: str) -> tuple[Item, Layout | None]:
        url = self._destination.url
        assert url is not None, "a destination is local or S3"
        key = destination_key(url, name, many=self._destination.many)
        self._claim(key)
        relay = self._destination.relay
        is_same = (site == self._destination.site or (relay is not None and site in relay.same)) and key == entry.key
        if is_same and not self._changes_in_place():
            raise NameConflict("source and destination are the same object", code="E_SAME_OBJECT")
        item = Item(
            self._number(),
            Direction.COPY if relay is None else Direction.RELAY,
            self._destination.site,
            key,
            size=entry.size,
            mtime_ns=entry.mtime_ns,
            etag=entry.etag,
            version_id=entry.version_id,
            storage_class=entry.storage_class,
            source_site=site,
            source_key=entry.key,
            variant=self._variant,
            line=self._line,
        )
        transfer = self._settings.transfer
        if relay is not None:
            layout = self._layout(entry.size, relay.part_size)
            relay.check(entry.size, layout)
            return item, layout
        if entry.size <= transfer.multipart_copy_threshold:
            return item, None
        return item, self._layout(entry.size, transfer.part_size)

    def _changes_in_place(self) -> bool:
        """A copy onto itself is how S3 changes metadata, storage class or encryption, and restores a version.

        A move onto itself would delete what it has just changed.
        """
        options = self._settings.object
        return self._settings.operation != "mv" and bool(
            options.metadata_directive == "REPLACE"
            or options.storage_class
            or options.sse
            or self._settings.selection.version_id,
        )

    def _layout(self, size: int, part_size: int, **limits: int) -> Layout | None:
        if 0 <= size <= part_size <= MAX_PART_BYTES:
            return None  # most objects: there is nothing to plan
        layout = plan_parts(size, part_size, **limits)
        return layout if layout.is_multipart and not self._settings.output.dry_run else None

    def _final_name(self, name: str) -> str:
        return flat_name(name) if self._settings.selection.flatten else name

    def _claim(self, destination: str | bytes) -> None:
        if self._taken is None:
            return
        if destination in self._taken:
            raise NameConflict("another source of this job has the same destination", code="E_NAME_COLLISION")
        self._taken.add(destination)

    def _shown_destination(self, name: str) -> str | bytes:
        local, url = self._destination.local, self._destination.url
        if local is not None:
            return local.path.rstrip(b"/") + b"/" + name.encode() if local.is_directory else local.path
        return f"s3://{url.bucket}/{url.key}" if url is not None else ""

    def _number(self) -> int:
        return self.amount.files + 1

    def _add(self, item: Item, layout: Layout | None) -> None:
        self.amount.files += 1
        self.amount.size += item.size
        self._ledger.add(item, layout)
