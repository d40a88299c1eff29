"""Events of an engine: what the renderer writes, read back."""

from __future__ import annotations

import os

import pytest

from orbit_fast import AccessDenied
from orbit_fast import Authentication
from orbit_fast import BucketNotFound
from orbit_fast import ChecksumMismatch
from orbit_fast import EngineProgress
from orbit_fast import IntegrityError
from orbit_fast import InvalidConfig
from orbit_fast import Network
from orbit_fast import NotFound
from orbit_fast import ObjectDeleted
from orbit_fast import ObjectDone
from orbit_fast import ObjectFailed
from orbit_fast import ObjectPlanned
from orbit_fast import ObjectSkipped
from orbit_fast import S3Error
from orbit_fast import Service
from orbit_fast.client.engine_events import EngineReport
from orbit_fast.client.engine_events import EngineSummary
from orbit_fast.client.engine_events import read_event
from orbit_fast.core import errors
from orbit_fast.core.console import Snapshot
from orbit_fast.core.decode_errors import error_told
from orbit_fast.core.events import Landed
from orbit_fast.core.events import Totals
from orbit_fast.core.events import new_renderer
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import OutputSettings

JSON = new_renderer(JobSettings(output=OutputSettings(json=True, progress=True)), operation="cp", process=1)
CHECKSUM = Checksum("CRC32C", "AAAAAA==", "FULL_OBJECT")


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (
            JSON.done(("a", "s3://b/a"), Landed(size=3, etag="e", checksum=CHECKSUM, verified=Verified.CHECKSUM)),
            ObjectDone(
                operation="cp",
                source="a",
                destination="s3://b/a",
                size=3,
                etag="e",
                checksum=CHECKSUM,
                verified="checksum",
                process=1,
            ),
        ),
        (
            JSON.skipped(("a", "s3://b/a"), "exists", 3),
            ObjectSkipped(operation="cp", source="a", destination="s3://b/a", reason="exists", size=3, process=1),
        ),
        (
            JSON.planned(("a", "s3://b/a"), 0),
            ObjectPlanned(operation="cp", source="a", destination="s3://b/a", size=0, process=1),
        ),
        (
            JSON.progress(Snapshot(bytes_done=1, files_done=2, rate_bps=3.5)),
            EngineProgress(bytes_done=1, files_done=2, rate_bps=3),
        ),
    ],
)
def test_an_event_is_what_was_written(line, event):
    """Field by field."""
    assert read_event(line.out) == event


def test_a_deletion_and_a_version():
    """As `rm` writes them: there is no destination."""
    line = b'{"operation":"rm","success":true,"source":"s3://b/k","version_id":"v"}'
    assert read_event(line) == ObjectDeleted(operation="rm", source="s3://b/k", version_id="v")


def test_a_name_that_is_not_utf_8_can_be_opened():
    """It is exact, as `os.fsdecode` has it."""
    event = read_event(JSON.planned((b"caf\xe9", "s3://b/k"), 0).out)
    assert isinstance(event, ObjectPlanned)
    assert os.fsencode(event.source) == b"caf\xe9"


@pytest.mark.parametrize("line", [b"Traceback (most recent call last):", b"[]", b'{"operation":3}', b"\xff"])
def test_what_is_no_event_is_said_so(line):
    """A process that is not ours."""
    with pytest.raises(S3Error, match="what is no event"):
        read_event(line)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.NotFound("b", "k", request_id="r"), NotFound),
        (errors.NotFound("b", "k", code="NoSuchVersion"), NotFound),
        (errors.BucketNotFound("none"), BucketNotFound),
        (errors.AccessDenied("no", status=403), AccessDenied),
        (errors.Authentication("every one", code="E_DENIED"), Authentication),
        (errors.ChecksumMismatch("k", "x", "y"), ChecksumMismatch),
        (errors.ChecksumMismatch("k", "x", "y", code="E_ETAG_MISMATCH"), ChecksumMismatch),
        (errors.object_changing("k"), IntegrityError),
        (errors.Timeout("slow", code="E_STALLED"), Network),
        (errors.SourceMissing("no such file"), InvalidConfig),
        (errors.Service("Odd: what", code="OddCode", status=400), Service),
        (errors.AccessDenied("Odd: what", code="OddCode", status=403), AccessDenied),
        (errors.ServerFault("Odd: what", code="OddCode", status=500), Service),
        (errors.LocalError("disk"), errors.LocalError),
        (S3Error("some day", code="E_SOME_DAY"), S3Error),
    ],
)
def test_a_failure_is_the_error_that_it_was(error, kind):
    """Of its class, with everything that it said."""
    event = read_event(JSON.failed(("s3://b/k", "f"), Failure.of(error), 2).out)
    assert isinstance(event, ObjectFailed)
    told = event.error
    assert isinstance(told, kind)
    assert (str(told), told.message, told.code) == (error.message, error.message, error.code)
    assert (told.status, told.request_id) == (error.status, error.request_id)
    assert (event.retryable, event.attempts) == (error.is_retryable(), 2)
    if isinstance(told, NotFound):
        assert (told.bucket, told.key) == ("b", "k")
    if isinstance(told, ChecksumMismatch):
        assert (told.key, told.expected, told.actual) == ("k", "x", "y")


def test_every_class_of_error_comes_back_as_itself():
    """By its default code; where two share one, as what both are."""
    kinds, left = [], [S3Error]
    while left:
        kind = left.pop()
        kinds += [kind] if kind.__module__ == errors.__name__ else []
        left += kind.__subclasses__()
    for kind in kinds:
        if kind in {errors.ChecksumMismatch, errors.NotFound}:
            continue  # theirs is said above
        told = error_told("m", kind.default_code, status=0, request_id="", place="")
        assert isinstance(kind("m"), type(told)), kind
        assert told.exit_code == kind.exit_code, kind


def test_a_report_raises_when_asked_to():
    """The first object's error; or that there is one."""
    line = JSON.summary(Totals(command="cp", files_failed=1, exit_code=1)).out
    summary = read_event(line)
    assert isinstance(summary, EngineSummary)
    failed = ObjectFailed(operation="cp", source="a", error=errors.NotFound("b", "k"))
    values = {name: getattr(summary, name) for name in summary.__struct_fields__}
    with pytest.raises(NotFound):
        EngineReport(**values, failures=(failed,)).raise_for_failures()
    with pytest.raises(S3Error, match="cp ended with exit status 1"):
        EngineReport(**values).raise_for_failures()
    EngineReport(**{**values, "exit_code": 0}).raise_for_failures()
