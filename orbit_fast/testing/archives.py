"""Archived objects: whether they can be read, and RestoreObject."""

from __future__ import annotations

from orbit_fast.testing import xmlin
from orbit_fast.testing.attributes import ARCHIVES
from orbit_fast.testing.call import Call
from orbit_fast.testing.exchange import HttpResponse
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.store import Restore
from orbit_fast.testing.store import Version
from orbit_fast.testing.xmlout import http_time

DAY_S = 24 * 3600
TIERS = {"GLACIER": frozenset({"Standard", "Bulk", "Expedited"}), "DEEP_ARCHIVE": frozenset({"Standard", "Bulk"})}
"""Storage class to its ways of retrieval ("Understanding archive retrieval options", S3 user guide)."""


def _restore_of(call: Call, version: Version) -> Restore | None:
    """The restore under way or done; None where there is none, or its copy has expired."""
    restore = version.restore
    return restore if restore is not None and call.store.now() < restore.expires_s else None


def check_readable(call: Call, version: Version) -> None:
    """The bytes can be read now.

    Raises:
        Refusal: they are archived and not restored.
    """
    storage_class = version.attributes.storage_class
    if storage_class not in ARCHIVES:
        return
    restore = _restore_of(call, version)
    if restore is None or call.store.now() < restore.ready_s:
        raise Refusal("InvalidObjectState", StorageClass=storage_class)


def restore_header(call: Call, version: Version) -> list[tuple[str, str]]:
    """``x-amz-restore``, where there is something to say."""
    restore = _restore_of(call, version)
    if restore is None:
        return []
    if call.store.now() < restore.ready_s:
        return [("x-amz-restore", 'ongoing-request="true"')]
    return [("x-amz-restore", f'ongoing-request="false", expiry-date="{http_time(restore.expires_s)}"')]


def restore_object(call: Call) -> HttpResponse:
    """RestoreObject: begun (202), or the expiry of what is restored already moved (200)."""
    version = call.bucket.find(call.key, call.version_id)
    storage_class = version.attributes.storage_class
    if storage_class not in ARCHIVES:
        raise Refusal(
            "InvalidObjectState",
            "Restore is not allowed for the object's current storage class",
            StorageClass=storage_class,
        )
    days = _wanted_days(xmlin.parse(call.request.content, "RestoreRequest"), storage_class)
    now_s = call.store.now()
    known = _restore_of(call, version)
    if known is not None and now_s < known.ready_s:
        raise Refusal("RestoreAlreadyInProgress")
    ready_s = now_s + call.settings.restore_s if known is None else known.ready_s
    version.restore = Restore(ready_s=ready_s, expires_s=now_s + days * DAY_S)
    return HttpResponse(status=202 if known is None else 200)


def _wanted_days(root: xmlin.Node, storage_class: str) -> int:
    """How long the copy shall live.

    Raises:
        Refusal: not a whole number of days, or a tier that this storage class has not.
    """
    if root.text("Type") is not None:
        raise Refusal("NotImplemented", Header="Type")
    for job in root.children("GlacierJobParameters"):
        if job.need("Tier") not in TIERS["GLACIER"]:
            raise Refusal("MalformedXML")
        if job.need("Tier") not in TIERS[storage_class]:
            raise Refusal("InvalidArgument", "Retrieval option is not supported by this storage class")
    days = root.need("Days")
    if not (days.isascii() and days.isdecimal()):
        raise Refusal("MalformedXML")
    if not 0 < int(days) < 1 << 31:
        raise Refusal("InvalidArgument", "restoration days should be at least 1", ArgumentName="Days")
    return int(days)
