"""What a service does not know, uploads do without: step by step, and never down to no proof at all.

S3's checksum headers and conditional writes are younger than many services. One that does not know a header refuses the
request and says so (`HeaderRefused`); only then the next step is tried, and what was learned holds for every later
upload of this process to the same site. A body that arrives damaged is another matter, and changes nothing here.

The proof is never given up: where the service takes no checksum of ours it gets Content-MD5, which is as old as S3. Nor
is the condition, as long as any step still has it: the look that was taken before leaves a gap.
"""

from __future__ import annotations

from typing import Final
from typing import NamedTuple


class Step(NamedTuple):
    """How a body is announced.

    Attributes:
        has_checksum: by a checksum header; else by Content-MD5.
        has_condition: to be stored only where nothing is yet.
    """

    has_checksum: bool
    has_condition: bool


_PLAIN: Final = (
    Step(has_checksum=True, has_condition=False),
    Step(has_checksum=False, has_condition=False),
)
_CONDITIONAL: Final = (
    Step(has_checksum=True, has_condition=True),
    Step(has_checksum=False, has_condition=True),
    *_PLAIN,
)


class Ladder:
    """Where each site stands. `is_conditional` says whether the user wants nothing replaced."""

    def __init__(self) -> None:
        self._left: dict[tuple[int, bool], tuple[Step, ...]] = {}

    def step(self, site: int, *, is_conditional: bool = False) -> Step:
        """How to announce the next upload to `site`."""
        return self._steps(site, is_conditional=is_conditional)[0]

    def go_down(self, site: int, refused: Step, *, is_conditional: bool = False) -> bool:
        """The service does not know something of step `refused`; whether there is another one to try."""
        steps = self._steps(site, is_conditional=is_conditional)
        if steps[0] == refused and len(steps) > 1:
            self._left[(site, is_conditional)] = steps[1:]
            return True
        return steps[0] != refused  # another upload has learned it meanwhile

    def _steps(self, site: int, *, is_conditional: bool) -> tuple[Step, ...]:
        return self._left.get((site, is_conditional), _CONDITIONAL if is_conditional else _PLAIN)
