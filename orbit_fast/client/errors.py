"""The errors of the library: `S3Error` and what derives from it, under the guide's names.

Every error has a ``message`` of one line without a secret, the service's ``code``, ``status`` and ``request_id`` where
there was an answer, and `S3Error.is_retryable`.
"""

from __future__ import annotations

from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import Authentication
from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import CircuitOpen
from orbit_fast.core.errors import EngineLost
from orbit_fast.core.errors import IntegrityError
from orbit_fast.core.errors import InvalidBucketName
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.errors import InvalidRange
from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import ObjectArchived
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import RateLimitExceeded
from orbit_fast.core.errors import ResumeStateError
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Service
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.errors import Timeout
from orbit_fast.core.errors import TooLarge
from orbit_fast.core.errors import UploadGone

ResumeState = ResumeStateError
"""The guide's name of it. `orbit_fast.ResumeState` is the record itself."""

__all__ = [
    "AccessDenied",
    "Authentication",
    "BucketNotFound",
    "Cancelled",
    "ChecksumMismatch",
    "CircuitOpen",
    "EngineLost",
    "IntegrityError",
    "InvalidBucketName",
    "InvalidConfig",
    "InvalidKey",
    "InvalidRange",
    "LocalError",
    "Network",
    "NotFound",
    "ObjectArchived",
    "PreconditionFailed",
    "RateLimitExceeded",
    "ResumeState",
    "ResumeStateError",
    "S3Error",
    "Service",
    "SourceChanged",
    "Timeout",
    "TooLarge",
    "UploadGone",
]
