"""What a service does not know, uploads and deletes do without: step by step, and never down to no proof at all.

S3's checksum headers and conditional writes are younger than many services. One that does not know a header refuses the
request and says so (`HeaderRefused`); only then the next step is tried, and what was learned holds for every later
upload of this process to the same site, and is told. A body that arrives damaged is another matter, and changes
nothing here.

The proof is never given up: where the service takes no checksum of ours it gets Content-MD5, which is as old as S3. Nor
is the condition, as long as any step still has it: the look that was taken before leaves a gap.

`probe` asks a service on purpose, for whoever wants to know beforehand.
"""

from __future__ import annotations

import base64
import enum
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from typing import NamedTuple

from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.encode import Headers
from orbit_fast.core.errors import BadDigest
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import S3Error
from orbit_fast.core.model import Checksum
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow


class Step(NamedTuple):
    """How a body is announced.

    Attributes:
        has_checksum: by a checksum header; else by Content-MD5.
        has_condition: to be stored only where nothing is yet.
    """

    has_checksum: bool
    has_condition: bool


class DeleteBy(enum.IntEnum):
    """How many objects are deleted: together, proven by a checksum or by Content-MD5, or each by itself."""

    CHECKSUM = 0
    MD5 = 1
    ONE = 2


_PLAIN: Final = (
    Step(has_checksum=True, has_condition=False),
    Step(has_checksum=False, has_condition=False),
)
_CONDITIONAL: Final = (
    Step(has_checksum=True, has_condition=True),
    Step(has_checksum=False, has_condition=True),
    *_PLAIN,
)


_TOLD: Final = {
    _CONDITIONAL[1]: "does not know checksum headers or If-None-Match: uploads carry Content-MD5 instead of the former",
    _CONDITIONAL[2]: "does not know If-None-Match: what is there is only looked for before an upload",
    _PLAIN[1]: "does not know checksum headers: uploads carry Content-MD5 instead",
}
"""What is told when a step has been reached."""


_DELETES_TOLD: Final = {
    DeleteBy.MD5: "does not know checksum headers: deletes carry Content-MD5 instead",
    DeleteBy.ONE: "does not know DeleteObjects: objects are deleted one by one",
}


class Ladder:
    """Where each site stands. `is_conditional` says whether the user wants nothing replaced.

    `told` is called with the number of a site and with what it does not know and what is done instead, each time a step
    is gone down.
    """

    def __init__(self, told: Callable[[int, str], None] = lambda _site, _text: None) -> None:
        self._told = told
        self._left: dict[tuple[int, bool], tuple[Step, ...]] = {}
        self._deletes: dict[int, DeleteBy] = {}
        self._unconditional: set[int] = set()

    def step(self, site: int, *, is_conditional: bool = False) -> Step:
        """How to announce the next upload to `site`."""
        return self._steps(site, is_conditional=is_conditional)[0]

    def go_down(self, site: int, refused: Step, *, is_conditional: bool = False) -> bool:
        """The service does not know something of step `refused`; whether there is another one to try."""
        steps = self._steps(site, is_conditional=is_conditional)
        if steps[0] == refused and len(steps) > 1:
            self._left[(site, is_conditional)] = steps[1:]
            self._told(site, _TOLD[steps[1]])
            return True
        return steps[0] != refused  # another upload has learned it meanwhile

    def delete_by(self, site: int) -> DeleteBy:
        """How to delete many objects of `site`: what uploads have learned about checksums holds here too."""
        least = DeleteBy.CHECKSUM if self.step(site).has_checksum else DeleteBy.MD5
        return max(least, self._deletes.get(site, least))

    def go_down_deletes(self, site: int, by: DeleteBy) -> None:
        """The service does not know better than `by`. Uploads hear nothing of it: they are another matter."""
        if by > self.delete_by(site):
            self._deletes[site] = by
            self._told(site, _DELETES_TOLD[by])

    def deletes_if_same(self, site: int) -> bool:
        """Whether objects of `site` can be deleted on the condition that they are still what they were."""
        return site not in self._unconditional

    def give_up_condition(self, site: int) -> None:
        """The service does not know that condition."""
        if site not in self._unconditional:
            self._unconditional.add(site)
            self._told(site, "does not delete on conditions: what has changed since it was listed is deleted too")

    def _steps(self, site: int, *, is_conditional: bool) -> tuple[Step, ...]:
        return self._left.get((site, is_conditional), _CONDITIONAL if is_conditional else _PLAIN)


# --- asking on purpose -----------------------------------------------------------------------------------------------

_BODY: Final = b"written by orbit to see what this service knows; it may be removed"


class Knows(enum.StrEnum):
    """What a service makes of something that an upload asks of it."""

    YES = "yes"
    IGNORED = "ignored"
    """It takes the header and acts as if it were not there."""
    NO = "no"
    """It refuses the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a service knows.

    Attributes:
        checksums: it compares what arrives with the checksum that the request states.
        conditions: with ``If-None-Match: *`` it replaces nothing.
    """

    checksums: Knows
    conditions: Knows

    def lines(self) -> tuple[str, ...]:
        """What that means, one sentence each."""
        return (_CHECKSUM_LINES[self.checksums], _CONDITION_LINES[self.conditions])


_CHECKSUM_LINES: Final = {
    Knows.YES: "uploads carry a checksum, and the service verifies it",
    Knows.IGNORED: "the service does not verify the checksums of uploads; its answers are compared with what was sent",
    Knows.NO: "the service does not know checksum headers: uploads carry Content-MD5 instead",
}
_CONDITION_LINES: Final = {
    Knows.YES: "--no-clobber is kept by the service",
    Knows.IGNORED: "the service ignores If-None-Match: --no-clobber only looks whether something is there before",
    Knows.NO: "the service does not know If-None-Match: --no-clobber only looks whether something is there before",
}


def probe(site: int, key: str, *, algorithm: str = "CRC32C") -> Flow[Findings]:
    """Find out what a service knows, by uploads to `key`, which must be free; it is removed again.

    Raises:
        S3Error: nothing can be stored there, or not be removed again.
    """
    try:
        checksums = yield from _probe_checksums(site, key, algorithm)
        conditions = yield from _probe_conditions(site, key, algorithm if checksums is not Knows.NO else "")
    except S3Error:
        yield from _remove(site, key)
        raise
    yield from _remove(site, key)
    return Findings(checksums=checksums, conditions=conditions)


def _probe_checksums(site: int, key: str, algorithm: str) -> Flow[Knows]:
    """Whether a wrong checksum is noticed. No object need be there afterwards."""
    wrong = checksum_of(algorithm, b"other bytes")
    try:
        yield _put(site, key, checksum=wrong)
    except BadDigest:
        return Knows.YES
    except HeaderRefused:
        return Knows.NO
    return Knows.IGNORED


def _probe_conditions(site: int, key: str, algorithm: str) -> Flow[Knows]:
    """Whether an object that is there is left alone."""
    checksum = checksum_of(algorithm, _BODY) if algorithm else None
    yield _put(site, key, checksum=checksum)
    try:
        yield _put(site, key, checksum=checksum, if_none_match=True)
    except PreconditionFailed:
        return Knows.YES
    except HeaderRefused:
        return Knows.NO
    return Knows.IGNORED


def _put(site: int, key: str, *, checksum: Checksum | None, if_none_match: bool = False) -> Call:
    md5 = base64.b64encode(hashlib.md5(_BODY, usedforsecurity=False).digest()).decode()
    headers: Headers = () if checksum is not None else (("content-md5", md5),)
    request = encode.put_object(key, headers=headers, checksum=checksum, body=_BODY, if_none_match=if_none_match)
    return Call(request=request, site=site, check=decode.put_object)


def _remove(site: int, key: str) -> Flow[None]:
    yield Call(request=encode.delete_object(key), site=site, check=decode.delete_object)
