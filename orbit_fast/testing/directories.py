"""Directory buckets, as S3 Express One Zone has them: told by their names, used within sessions.

A session gives out keys that are good for one bucket and for some minutes ("CreateSession", S3 API reference).
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from dataclasses import replace

from orbit_fast.testing.settings import Identity

ENDING = "--x-s3"
SERVICE = "s3express"
"""What requests to them are signed for."""

OWN_KEYS = frozenset({"CopyObject", "CreateBucket", "CreateSession", "DeleteBucket", "UploadPartCopy"})
"""Operations that the keys of a session are not for."""

UNKNOWN = frozenset(
    {
        "DeleteObjectTagging",
        "GetBucketVersioning",
        "GetObjectAcl",
        "GetObjectTagging",
        "ListObjectVersions",
        "ListObjects",
        "PutBucketVersioning",
        "PutObjectAcl",
        "PutObjectTagging",
        "RestoreObject",
    }
)
"""Operations that such a bucket does not have."""


def is_directory(bucket: str) -> bool:
    """Whether this is the name of a directory bucket."""
    return bucket.endswith(ENDING)


def place_of(name: str) -> str:
    """Where a key or common prefix stands in listings: anywhere, but always there."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Keys for one bucket."""

    bucket: str
    identity: Identity


class Sessions:
    """The sessions that were begun.

    Attributes:
        life_s: how long each is good.
    """

    def __init__(self) -> None:
        self.life_s = 300.0
        self._begun: dict[str, Session] = {}
        self._numbers = itertools.count(1)

    def begin(self, bucket: str, now_s: float) -> Session:
        """A new one."""
        number = next(self._numbers)
        secret = hashlib.sha256(f"{bucket} {number}".encode()).hexdigest()
        identity = Identity(
            access_key=f"SESSION{number:013}",
            secret_key=secret[:40],
            token=f"session-token/{secret}==",
            expires_at_s=float(int(now_s + self.life_s)),
        )
        found = self._begun[identity.access_key] = Session(bucket=bucket, identity=identity)
        return found

    def find(self, access_key: str) -> Session | None:
        """The session that gave out this key."""
        return self._begun.get(access_key)

    def end(self) -> None:
        """All that have begun are over: their keys get ``ExpiredToken``."""
        for access_key, session in list(self._begun.items()):
            over = replace(session.identity, expires_at_s=1.0)
            self._begun[access_key] = replace(session, identity=over)
