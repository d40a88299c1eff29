"""``select``: SQL over the content of objects, one after another, records on stdout as they come.

A service does not wait for a slow reader: S3 gives up a stream that nobody takes. So what comes faster than it can be
said goes to a temporary file, and from there to stdout.
"""

from __future__ import annotations

from typing import IO
from typing import Final

from msgspec.structs import replace

from orbit_fast.core import encode
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import Service
from orbit_fast.core.events import new_renderer
from orbit_fast.core.filters import Selection
from orbit_fast.core.location import S3Url
from orbit_fast.core.messages import Failure
from orbit_fast.core.model import Request
from orbit_fast.core.reach import has_limits
from orbit_fast.core.reach import removed
from orbit_fast.core.render import select as lines
from orbit_fast.core.selecting import select_params
from orbit_fast.core.tasks import SelectRecords
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.eventstream import RecordSink
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.service import service_request
from orbit_fast.io.survey import Survey
from orbit_fast.io.task import TaskSurroundings

FIRST_BYTE_S: Final = 120.0
"""A service may read much of a large object before it says a word."""

STEP: Final = 256 << 10
"""Bytes that come back from the temporary file at once."""

_UNKNOWN: Final = frozenset({"MethodNotAllowed", "NotImplemented", "XNotImplemented", "UnsupportedOperation"})


def select_records(given: TaskSurroundings, task: SelectRecords) -> Flow[None]:
    """Ask what an argument stands for, in the order of keys.

    Raises:
        S3Error: there is nothing; the one object could not be asked; the listing failed; or the service cannot select.
    """
    selection = given.settings.selection
    reach = removed(S3Url(given.around.sites[task.site].bucket, task.key), selection)
    is_key = reach.wildcard is None
    if is_key and not has_limits(selection):
        if Selection(selection).accepts_name(reach.relative_name(task.key)):
            yield from _select(given, task, task.key, is_only=True)
        return
    survey = Survey(given, task.site, reach, all_versions=False)
    try:
        while True:
            seen = yield from survey.next()
            if seen is None:
                return
            for entry in seen.entries:
                if not (entry.key.endswith("/") and not entry.size):  # a directory's marker
                    yield from _select(given, task, entry.key, is_only=is_key)
    finally:
        survey.close()


def _select(given: TaskSurroundings, task: SelectRecords, key: str, *, is_only: bool) -> Flow[None]:
    """Ask one object. That it fails is told and counted.

    Raises:
        S3Error: it is the only one and has given nothing; or every other one would fail in the same way.
    """
    bucket = given.around.sites[task.site].bucket
    voice = _Voice(given, f"s3://{bucket}/{key}")
    sink = RecordSink(given.around.receive, voice.give, bucket=bucket, key=key)
    try:
        failure = yield from _ask(given, task, key, sink)
        yield from voice.catch_up()
    finally:
        voice.close()
    if failure is None:
        voice.selected(sink)
    elif failure.scope is Scope.JOB or (is_only and not sink.size):
        raise failure
    else:
        voice.failed(failure)


def _ask(given: TaskSurroundings, task: SelectRecords, key: str, sink: RecordSink) -> Flow[S3Error | None]:
    """Have one object's records put into the sink; why that failed, or None."""
    params = select_params(key, task.input_format, given.settings.select)
    request = service_request("SelectObjectContent", params)
    request = replace(request, headers=request.headers + encode.sse_c_headers(given.settings.object))

    def again() -> Request:
        sink.check_again()
        return request

    try:
        yield Call(request=request, site=task.site, sink=sink, first_byte_s=FIRST_BYTE_S, again=again)
    except S3Error as error:
        return _explained(error)
    return None


def _explained(error: S3Error) -> S3Error:
    """What a service means that does not know this operation."""
    if error.status not in {405, 501} and error.code not in _UNKNOWN:
        return error
    message = "this service does not offer S3 Select: fetch the objects with orbit cat, and query them on this machine"
    return Service(message, code=error.code, status=error.status, request_id=error.request_id, scope=Scope.JOB)


class _Voice:
    """Where the records of one object go, and what is said of it.

    By itself the command leaves stdout to the records. In a line of ``run`` all that is said goes there, and with
    ``--json`` records are events like everything else.
    """

    def __init__(self, given: TaskSurroundings, source: str) -> None:
        self._given = given
        self._source = source
        self._is_line = given.line > 0
        self._is_event = self._is_line and given.settings.output.json
        self._spill: IO[bytes] | None = None

    def give(self, records: bytes) -> None:
        """Whole lines of records.

        Raises:
            S3Error: the temporary file does not take them.
        """
        said = lines.records(self._source, records) if self._is_event else records
        if self._spill is None and not self._given.output.is_congested:
            self._given.say(said)
            return
        import tempfile  # noqa: PLC0415 - a reader is rarely that slow

        try:
            if self._spill is None:
                self._spill = tempfile.TemporaryFile(prefix="orbit-select-")  # noqa: SIM115 - closed by `close`
            self._spill.write(said)
        except OSError as error:
            raise local_error(error, tempfile.gettempdir().encode(), Side.DESTINATION) from None

    def catch_up(self) -> Flow[None]:
        """Say what had to wait, as fast as it is read."""
        yield from self._given.drained()
        if self._spill is None:
            return
        self._spill.seek(0)
        while some := self._spill.readlines(STEP):
            self._given.say(b"".join(some))
            yield from self._given.drained()

    def close(self) -> None:
        """Drop what nobody wants any more. To be called in a ``finally``."""
        if self._spill is not None:
            self._spill.close()

    def selected(self, sink: RecordSink) -> None:
        """It has given all."""
        self._say_aside(lines.selected(self._source, sink.size, sink.stats, self._given.settings.output))
        self._given.tallied.copied += 1
        self._given.tallied.size += sink.size

    def failed(self, error: S3Error) -> None:
        """It failed; what has been given of it is not all."""
        failure = Failure.of(error)
        renderer = new_renderer(self._given.settings, operation="select")
        said = renderer.failed((self._source, ""), failure, failure.attempts, line=self._given.line)
        self._say_aside(said.out, said.err)
        self._given.failed(failure)

    def _say_aside(self, out: bytes, err: bytes = b"") -> None:
        if self._is_line:
            self._given.say(out, err)
        else:
            self._given.say(b"", out + err)
