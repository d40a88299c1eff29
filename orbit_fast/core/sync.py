"""What a sync does with each name: copy, look closer, leave, or remember as an extra that may be deleted at the end.

`core.merge` says who has a name; here it is decided what follows. Four rules keep deletions honest:

* *Unknown is not absent.* What a side could not see (`Unknown`: unreadable, vanished, a link that is not followed or
  leads nowhere, a socket) protects its own name and everything under it at the destination.
* *A filter protects both sides.* A name that the filters leave out is not copied and not deleted, and an extra whose
  own size or age they leave out is not deleted, unless ``--delete-excluded`` says so. What a wildcard in the source
  does not match is out of the job's sight altogether.
* *Present is present.* An object of the source that is not copied (a filter on its size, an archived object, a failed
  copy, a name that a local disk cannot hold) is there all the same: the object of its name at the destination stays.
* Extras are only noted here. `core.guard` decides, once and at the end, whether they go.

Directories. S3 knows none, but a key that ends in ``/`` (a *marker*) stands for one. The walk of a local side gives
every directory under such a name, at the place where its marker sorts. So a marker and a directory meet as a pair and
nothing has to be done. A directory of a local source makes no marker, but keeps the one that is there; a marker of the
source makes a missing local directory. Local directories that nothing is left in are never removed, markers in S3
without a directory at the source are extras like other objects.

Names that a local disk cannot keep (``a//b``, ``../x``, NUL) fail when they are copied there, so nothing is deleted in
that job. Two keys that need one local path (``x`` and ``x/y``): the first in key order is there first, the later one
fails, in each run. Where the file system folds case, the first of two keys that differ in case lands, the other fails
(`io.spelling`); an extra that is to the file system what the source has in another case is not deleted (`proc.extras`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Final

import msgspec

from orbit_fast.core.errors import S3Error
from orbit_fast.core.filters import Selection
from orbit_fast.core.location import Wildcard
from orbit_fast.core.plan import COPY
from orbit_fast.core.plan import Rule
from orbit_fast.core.plan import Sighting
from orbit_fast.core.plan import Verdict
from orbit_fast.core.plan import decide_archived
from orbit_fast.core.settings import SelectionSettings

TEMPORARY: Final = "temporary"
"""A file of ours that never became whole: nothing to copy and nothing to tell, but it is there."""


class Unknown(msgspec.Struct, frozen=True):
    """A name of which nothing more can be said.

    Attributes:
        reason: why it is skipped: ``symlink``, ``special``, ``vanished``, or `TEMPORARY`; ``''`` where it failed.
        error: why it failed.
    """

    reason: str = ""
    error: S3Error | None = None


Seen = Sighting | Unknown
"""What a side has under a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """What the user asked for.

    Attributes:
        rule: how pairs are compared.
        selection: filters, limits and archived objects.
        source_is_local: the source is a directory.
        destination_is_local: the destination is one.
        deletes: extras are to be noted.
        deletes_excluded: ``--delete-excluded``.
        scope: what names of a wildcard source look like, or None where all belong to the job.
        tells_identical: the names of identical pairs are wanted, not only their number.
    """

    rule: Rule = field(default_factory=Rule)
    selection: SelectionSettings = field(default_factory=SelectionSettings)
    source_is_local: bool = False
    destination_is_local: bool = False
    deletes: bool = False
    deletes_excluded: bool = False
    scope: Wildcard | None = None
    tells_identical: bool = False


@dataclass(slots=True)
class Judged:
    """What is to be done with some names, in their order.

    Attributes:
        copies: to be copied.
        asks: to be looked at closer, and copied where that finds a difference.
        skips: left as they are, and why.
        unknown: at the source, but nobody knows what.
        unseen: at the destination, but nobody knows what: the destination was not seen whole.
        extras: only at the destination, and to be deleted if `core.guard` allows it.
        left_out: those of the extras that the filters leave out: the source may have them.
        identical: pairs that need nothing; their names are in `skips` only where somebody wants them.
    """

    copies: list[tuple[str, Sighting]] = field(default_factory=list)
    asks: list[tuple[str, Sighting, Sighting]] = field(default_factory=list)
    skips: list[tuple[str, Sighting, str]] = field(default_factory=list)
    unknown: list[tuple[str, Unknown]] = field(default_factory=list)
    unseen: list[tuple[str, Unknown]] = field(default_factory=list)
    extras: list[tuple[str, Sighting]] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    identical: int = 0


class SyncPlan:
    """The judge of one job. Names come in their order, in any number of batches.

    Attributes:
        at_source: objects of the source that took part, directories and markers not counted.
        at_destination: objects of the destination that took part.
    """

    def __init__(self, options: SyncOptions) -> None:
        self._options = options
        self._selection = Selection(options.selection)
        self._judge_pair = options.rule.judge
        self._protected: list[str] = []
        self.at_source = 0
        self.at_destination = 0

    def judge(self, names: Sequence[tuple[str, Seen | None, Seen | None]]) -> Judged:
        """What is to be done with these names, which come after those judged before.

        Args:
            names: as `core.merge.Merge.take` gives them.
        """
        judged = Judged()
        scope = self._options.scope
        accepts_name = self._selection.accepts_name
        for name, source, dest in names:
            if scope is not None and not scope.matches(name):
                continue
            if isinstance(source, Unknown) or isinstance(dest, Unknown):
                self._unknown(judged, name, source, dest)
            elif not accepts_name(name):
                if dest is not None and self._options.deletes_excluded:
                    judged.left_out.add(name)
                    self._missing(judged, name, dest)
            elif source is not None:
                self._present(judged, name, source, dest)
            elif dest is not None:
                self._missing(judged, name, dest)
        return judged

    # --- by who has it ------------------------------------------------------------------------------------------------

    def _present(self, judged: Judged, name: str, source: Sighting, dest: Sighting | None) -> None:
        """The source has it. The hot path of a sync that has nothing to do: 0.6 us."""
        options = self._options
        is_marker = name[-1] == "/"
        if not is_marker:
            self.at_source += 1
            self.at_destination += dest is not None
        elif options.source_is_local:
            return
        if not self._selection.accepts_facts(source.size, source.mtime_ns):
            return
        if dest is None:
            self._copy(judged, name, source, None)
            return
        is_directory = is_marker and options.destination_is_local and not source.size
        verdict = Verdict.IDENTICAL if is_directory else self._judge_pair(source, dest)
        if verdict is Verdict.IDENTICAL:
            judged.identical += 1
            if options.tells_identical:
                judged.skips.append((name, source, verdict.reason))
        elif verdict is Verdict.COPY:
            self._copy(judged, name, source, None)
        elif verdict is Verdict.ASK:
            self._copy(judged, name, source, dest)
        else:
            judged.skips.append((name, source, verdict.reason))

    def _copy(self, judged: Judged, name: str, source: Sighting, dest: Sighting | None) -> None:
        """It is to be copied; where `dest` is given, after a closer look at both."""
        archived = "" if self._options.source_is_local else self._archived(source)
        if archived:
            judged.skips.append((name, source, archived))
        elif dest is not None:
            judged.asks.append((name, source, dest))
        else:
            judged.copies.append((name, source))

    def _missing(self, judged: Judged, name: str, dest: Sighting) -> None:
        """Only the destination has it."""
        options = self._options
        if options.destination_is_local and name[-1] == "/":
            return
        self.at_destination += 1
        if not options.deletes or self._is_protected(name):
            return
        if options.deletes_excluded or self._selection.accepts_facts(dest.size, dest.mtime_ns):
            judged.extras.append((name, dest))

    def _unknown(self, judged: Judged, name: str, source: Seen | None, dest: Seen | None) -> None:
        """A side does not know what it has."""
        is_accepted = self._selection.accepts_name(name)
        if isinstance(dest, Unknown) and is_accepted:
            # It is in the way of a copy, which will say so; it is nothing that could be deleted.
            judged.unseen.append((name, dest))
        if isinstance(source, Unknown):
            self._forget_protected(name)
            self._protected.append(name if name[-1] == "/" else f"{name}/")
            if is_accepted and source.reason != TEMPORARY:
                judged.unknown.append((name, source))
        elif source is not None and is_accepted:
            self._present(judged, name, source, None)

    # --- pieces -------------------------------------------------------------------------------------------------------

    def _is_protected(self, name: str) -> bool:
        """Whether it lies under something unknown."""
        if not self._protected:
            return False
        self._forget_protected(name)
        return any(map(name.startswith, self._protected))

    def _forget_protected(self, name: str) -> None:
        """Names come in order: what lies under a prefix that `name` is beyond has come already."""
        self._protected = [prefix for prefix in self._protected if name <= prefix or name.startswith(prefix)]

    def _archived(self, source: Sighting) -> str:
        """``glacier`` where it must be restored before it can be read, else ``''``."""
        storage_class: str = getattr(source, "storage_class", "")
        return decide_archived(storage_class, "", self._options.selection) if storage_class else COPY
