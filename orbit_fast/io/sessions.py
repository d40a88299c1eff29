"""Sessions of directory buckets: requests to one are signed with keys that the bucket itself gives out.

CreateSession is signed with the caller's own keys and answered with others, good for five minutes; so are the few
requests that a session is not for (`OWN_KEYS`). One session a bucket, one request for it at a time, in each process:
whoever has a request to sign before there is a session waits for it. While the last minute of a session runs, the next
one is already asked for, and nobody waits.

Source: Amazon S3 API reference, CreateSession; botocore signs the same way.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any
from typing import Final

from orbit_fast.core import encode
from orbit_fast.core.decode_session import create_session as read_session
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Scope
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Request
from orbit_fast.core.model import Site
from orbit_fast.core.sigv4 import SESSION_TOKEN
from orbit_fast.core.sigv4 import Signer
from orbit_fast.io.clock import Clock
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow

OWN_KEYS: Final = frozenset({"CopyObject", "CreateBucket", "CreateSession", "DeleteBucket", "UploadPartCopy"})
"""Operations that are signed with the caller's own keys."""

REFRESH_S: Final = 60.0
"""So long before a session ends the next one is asked for."""

LEAST_S: Final = 5.0
"""A session that ends sooner signs nothing more: the request may be on its way for that long."""

SHORTEST_S: Final = 120.0
"""For so long a new session is used at least: our clock may be wrong, and the service says when it is over."""

_REFUSED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidToken"})
_SILENT: Final = "HEAD"
"""Answers to it have no body: a 400 may mean anything, an ended session too."""


Waiter = Callable[[S3Error | None], None]
"""Is told that there is a session; or that there will be none, and why."""


class Session:
    """The session of one bucket.

    Args:
        site: the bucket.
        clock: with the service's time.
        run: runs a flow and tells what came of it.

    Attributes:
        signer: signs for it; None before there is one.
    """

    def __init__(
        self, site: Site, clock: Clock, run: Callable[[Flow[Credentials], Callable[[Credentials | S3Error], None]], Any]
    ) -> None:
        self._site = site
        self._clock = clock
        self._run = run
        self._ends_s = 0.0
        self._is_asked = False
        self._has_failed = False  # the last time; then the next one is asked for when this one has ended
        self._waiting: list[Waiter] = []
        self.signer: Signer | None = None

    def __repr__(self) -> str:
        state = "asked for" if self._is_asked else "none" if self.signer is None else f"until {self._ends_s:.0f}"
        return f"<Session of {self._site.bucket}: {state}, {len(self._waiting)} wait>"

    @property
    def lasting_signer(self) -> Signer | None:
        """The signer, where the session is not about to end."""
        return self.signer if self._left_s() >= REFRESH_S else None

    def is_lacking(self, waiter: Waiter) -> bool:
        """Whether `waiter` has to wait for a session, in which case it is told when. Sees to it that there is one."""
        left_s = self._left_s()
        if left_s >= REFRESH_S:
            return False
        is_usable = left_s >= LEAST_S
        if not is_usable:
            self._waiting.append(waiter)
        if not self._is_asked and not (is_usable and self._has_failed):
            self._is_asked = True
            self._run(_ask(self._site.number), self._answered)
        return not is_usable

    def forget(self, failure: S3Error, request: Request, signer: Signer | None) -> bool:
        """Whether `failure` of `request`, which `signer` has signed, may mean that the service knows a session no more.

        Then another one is worth a try. What was signed with the caller's own keys has nothing to do with sessions.
        """
        if signer is None or signer.token_name != SESSION_TOKEN:
            return False
        is_over = failure.code in _REFUSED or (failure.status == 400 and request.method == _SILENT)
        if is_over and self.signer is signer:
            self.signer = None
        return is_over

    def _left_s(self) -> float:
        """Seconds until it ends; 0 where there is none."""
        return 0.0 if self.signer is None else self._ends_s - self._clock.now_s()

    def _answered(self, result: Credentials | S3Error) -> None:
        self._is_asked = False
        failure = result if isinstance(result, S3Error) else None
        if isinstance(result, Credentials):
            endpoint = self._site.endpoint
            try:
                self.signer = Signer(result, endpoint.region, endpoint.signing_name, token_name=SESSION_TOKEN)
            except S3Error as error:
                failure = error
            self._ends_s = max(result.expires_at_s, self._clock.now_s() + SHORTEST_S)
        self._has_failed = failure is not None
        if isinstance(failure, AccessDenied):
            failure.scope = Scope.JOB  # nothing of the bucket can be had
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter(copy.copy(failure))


def _ask(site: int) -> Flow[Credentials]:
    reply = yield Call(request=encode.create_session(), site=site, check=read_session)
    found: Credentials = reply.decoded
    return found
