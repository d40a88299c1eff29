"""Keeps the job's sides up to date.

They are found at the start, renewed before credentials expire, and moved when a bucket lives elsewhere than was
thought. Whoever needs to know is told through `on_change`.
"""

from __future__ import annotations

import contextlib
import selectors
from collections.abc import Callable
from collections.abc import Mapping

import msgspec

from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import S3Error
from orbit_fast.core.messages import Failure
from orbit_fast.core.model import Site
from orbit_fast.io.clock import Clock
from orbit_fast.proc.errand import Errand
from orbit_fast.proc.sides import Side
from orbit_fast.proc.sides import Sides
from orbit_fast.proc.sides import needs_botocore
from orbit_fast.proc.sides import resolve

DEADLINE_S = 90.0
"""Longest time that botocore's chain may take: a browser, a metadata service that is not there, a helper program."""

REFRESH_BEFORE_S = 300.0
"""Credentials are renewed this long before they expire; botocore calls it mandatory at 600 s, services cut at 0."""

REFRESH_AGAIN_S = 60.0
"""Credentials that are about to expire, and came back the same, are not asked for again before so many seconds."""

LOOKS = 3
"""So often fresh credentials are looked for where there are none to be had."""

LOOK_AGAIN_S = 0.5
"""Between one look and the next: a file may just have been half written, a helper program may have stumbled."""

NOBODY = Sides(sites=(), identities=())


class SideKeeper:
    """The sides, as they are now.

    Attributes:
        sides: what was asked for.
        found: sites and credentials; no sites while they are being looked for.
        on_change: called when `found` has changed; with the number of the worker that knows already, or -1.
        on_failure: called when they could not be found.
    """

    def __init__(
        self,
        sides: tuple[Side, ...],
        environment: Mapping[str, str],
        selector: selectors.BaseSelector,
        clock: Clock,
    ) -> None:
        self.sides = sides
        self.found = NOBODY
        self.on_change: Callable[[int], None] = lambda _: None
        self.on_failure: Callable[[Failure], None] = lambda _: None
        self._environment = environment
        self._selector = selector
        self._clock = clock
        self._errand: Errand[Sides] | None = None
        self._is_found = False
        self._refusal: Failure | None = None
        self._refresh_at_s = 0.0
        self._looks = 0  # in vain, since the last that was not
        self._look_again_s = 0.0

    @property
    def is_found(self) -> bool:
        """Requests can be addressed and signed."""
        return self._is_found

    @property
    def is_complete(self) -> bool:
        """Every side that takes part can be used."""
        return len(self.found.sites) == len(self.sides)

    @property
    def is_looking(self) -> bool:
        """An answer is awaited."""
        return self._errand is not None

    def start(self) -> None:
        """Find the sides: at once where that needs nobody's help, else in a child.

        Raises:
            S3Error: they cannot be had.
        """
        if needs_botocore(self.sides, self._environment):
            self.refresh()
        else:
            self._settle(resolve(self.sides, self._environment))

    def is_at_hand(self, side: Side) -> bool:
        """Whether `number_of` gives a side that can be used at once."""
        if side in self.sides:
            return self.knows(self.sides.index(side))
        return self._errand is None and not needs_botocore((side,), self._environment)

    def number_of(self, side: Side) -> int:
        """The number of a side, which takes part from now on; `knows` says when requests can be made to it.

        Raises:
            S3Error: it cannot be had.
        """
        if side in self.sides:
            return self.sides.index(side)
        self.sides = (*self.sides, side)
        if not self._is_found:
            return len(self.sides) - 1
        try:
            self.start()
        except S3Error:
            self.sides = self.sides[:-1]
            raise
        return len(self.sides) - 1

    def take_refusal(self) -> Failure | None:
        """Why sides that were added last could not be had, where that is so; they take no part then."""
        refusal, self._refusal = self._refusal, None
        return refusal

    def knows(self, number: int) -> bool:
        """Whether this side has been found."""
        return number < len(self.found.sites)

    def refresh(self) -> None:
        """Look again, unless that is being done, or about to be.

        Raises:
            LocalError: no process to be had for it.
        """
        if self._errand is not None or self._look_again_s:
            return
        self._errand = Errand(
            "credentials",
            lambda: resolve(self.sides, self._environment),
            Sides,
            deadline_s=DEADLINE_S,
            monotonic_s=self._clock.monotonic_s,
        )
        self._selector.register(self._errand, selectors.EVENT_READ, self.advance)

    def advance(self) -> None:
        """See whether the child has answered."""
        errand = self._errand
        if errand is None:
            return
        self._selector.unregister(errand)
        if not errand.advance():
            self._selector.register(errand, selectors.EVENT_READ, self.advance)
            return
        self._errand = None
        result = errand.result
        if isinstance(result, Sides):
            self._settle(result)
            if len(result.sites) < len(self.sides):
                self.refresh()  # more sides than it was asked for take part by now
        elif self.is_found and not self.is_complete and isinstance(result, Failure):
            self._refusal = result
            self.sides = self.sides[: len(self.found.sites)]
        elif self.is_found:
            self._found_none()
        elif result is not None:
            self.on_failure(result)

    def _found_none(self) -> None:
        """No fresh ones to be had: where it stays at that, the requests that wait fail with the reason they had."""
        self._looks += 1
        if self._looks < LOOKS:
            self._look_again_s = self._clock.monotonic_s() + LOOK_AGAIN_S
        else:
            self._settle(self.found)

    def tick(self) -> None:
        """Look after deadlines."""
        if self._look_again_s and self._clock.monotonic_s() >= self._look_again_s:
            self._look_again_s = 0.0
            try:
                self.refresh()
            except LocalError:  # no process to be had just now
                self._found_none()
        if self._errand is not None and self._clock.monotonic_s() >= self._errand.expires_s:
            self.advance()
        if self._refresh_at_s and self._clock.now_s() >= self._refresh_at_s:
            self._refresh_at_s = self._clock.now_s() + REFRESH_AGAIN_S
            with contextlib.suppress(LocalError):  # no process to be had just now; what there is still works
                self.refresh()

    def move(self, site: Site, told_by: int) -> None:
        """A worker found that a bucket lives elsewhere."""
        sites = tuple(site if known.number == site.number else known for known in self.found.sites)
        self.found = msgspec.structs.replace(self.found, sites=sites)
        self.on_change(told_by)

    def close(self) -> None:
        """Stop looking."""
        if self._errand is not None:
            self._selector.unregister(self._errand)
            self._errand.close()
            self._errand = None

    def _settle(self, found: Sides) -> None:
        self._is_found = True
        self._looks = 0
        # Sites that have moved meanwhile stay where they are: only who signs is new.
        sites = self.found.sites + found.sites[len(self.found.sites) :]
        self.found = msgspec.structs.replace(found, sites=sites)
        expiries = [identity.expires_at_s for identity in found.identities if identity.expires_at_s]
        soonest_s = self._clock.now_s() + REFRESH_AGAIN_S
        self._refresh_at_s = max(soonest_s, min(expiries) - REFRESH_BEFORE_S) if expiries else 0.0
        self.on_change(-1)
