"""Faults and operations as two tables, the jobs in which they meet, and the plan that lets every two faults meet.

A *setting* is a kind of job in which certain operations are needed. A *place* is one of its operations. Every fault is
put at every place where it can do something; and for every two faults there is a job that has both, the pairs of places
being used in turn. Which jobs these are follows from the tables alone.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.kit import faults_actions as act
from tests.kit.faults import Action

GET, HEAD, LIST = "GetObject", "HeadObject", "ListObjectsV2"
PUT, CREATE, PART = "PutObject", "CreateMultipartUpload", "UploadPart"
COMPLETE, ABORT = "CompleteMultipartUpload", "AbortMultipartUpload"
COPY, PART_COPY = "CopyObject", "UploadPartCopy"

DOCUMENTS = frozenset({LIST, CREATE, COMPLETE, COPY, PART_COPY})
"""Operations that are answered with a document."""
BODIES = DOCUMENTS | {GET}
SENDING = frozenset({PUT, PART})
"""Operations with bytes of the user's."""
COMMITS = frozenset({COMPLETE, COPY, PART_COPY})
"""Operations that may be silent for a quarter of an hour."""
ALL = frozenset({GET, HEAD, LIST, PUT, CREATE, PART, COMPLETE, ABORT, COPY, PART_COPY})


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong with an exchange.

    Attributes:
        action: what is done.
        at: the operations for which it is something.
        mends: happening once, it costs no object, whatever the operation.
        spoils: the service itself stores other bytes.
    """

    action: Action
    at: frozenset[str] = ALL
    mends: bool = True
    spoils: bool = False


def _status(status: int, code: str) -> Action:
    return act.error(code=code, status=status)


_LENGTH = "(?i)content-length: ([0-9]+)"
_HIDDEN = '<?xml version="1.0"?>\n<Error><Code>InternalError</Code><Message>hidden</Message></Error>'

FAULTS: dict[str, Fault] = {
    # responses
    "500": Fault(_status(500, "InternalError")),
    "503": Fault(_status(503, "SlowDown")),
    "429": Fault(_status(429, "TooManyRequests")),
    "400 RequestTimeout": Fault(_status(400, "RequestTimeout"), ALL - {HEAD}),
    "409": Fault(_status(409, "OperationAborted"), ALL - {HEAD}),
    "403": Fault(_status(403, "AccessDenied"), mends=False),
    "404": Fault(_status(404, "NoSuchKey"), mends=False),
    "412": Fault(_status(412, "PreconditionFailed"), mends=False),
    "304": Fault(act.reply(status=304), mends=False),
    "501": Fault(_status(501, "NotImplemented"), mends=False),
    "a redirect": Fault(act.reply(status=307, headers={"location": "http://192.0.2.1/"}), mends=False),
    "an error in 200": Fault(act.reply(body=_HIDDEN), DOCUMENTS | SENDING),
    "a web page": Fault(act.html(), ALL - {HEAD, GET}),
    "a web page as the object": Fault(act.html(), frozenset({GET})),
    "nothing in 200": Fault(act.reply(), ALL - {HEAD, GET, ABORT}),
    "nothing in 200 as the object": Fault(act.reply(), frozenset({GET, HEAD}), mends=False),
    "done, and 500": Fault(act.replace_reply(status=500), ALL - {HEAD}),
    "done, and nothing": Fault(act.replace_reply(), BODIES | SENDING),
    "no ETag": Fault(act.headers(drop=["etag"]), frozenset({GET, HEAD, PUT, PART}), mends=False),
    # bodies
    "a flipped bit": Fault(act.flip(offset=0), BODIES),
    "fewer bytes": Fault(act.resize(keep=100), BODIES),
    "more bytes": Fault(act.resize(add=100), frozenset({GET})),
    "an error as bytes": Fault(act.overwrite(data="<Error><Code>SlowDown</Code></Error>"), BODIES),
    "a body that is closed": Fault(act.cut(keep=50), BODIES),
    "a body that is reset": Fault(act.cut(keep=50, how="reset"), BODIES),
    "chunks without end": Fault(act.chunked(step=64, ends=False), BODIES),
    "fewer bytes in chunks": Fault(act.chunked(step=64, keep=90), BODIES),
    "fewer bytes until the end": Fault(act.until_close(keep=90), BODIES),
    "damage to what is sent": Fault(act.damage_upload(offset=10), SENDING),
    "other bytes stored": Fault(act.store_damaged(offset=10), SENDING, mends=False, spoils=True),
    "other bytes stored, and said": Fault(
        act.store_damaged(offset=10, says_checksum=True), SENDING, mends=False, spoils=True
    ),
    "Range ignored": Fault(act.ignore_range(), frozenset({GET})),
    "no Content-Range": Fault(act.headers(drop=["content-range"]), frozenset({GET})),
    # the way
    "a reset": Fault(act.reset()),
    "a close": Fault(act.close()),
    "a reset while sending": Fault(act.reset_while_sending(), ALL),
    "an early answer": Fault(act.answer_early()),
    "an early answer and a reset": Fault(act.answer_early(resets=True)),
    "a reset after the work": Fault(act.lose_reply()),
    "a close after the work": Fault(act.lose_reply(how="close")),
    "a head that breaks off": Fault(act.cut_head()),
    "an idle connection that ends": Fault(act.close_idle()),
    "no HTTP": Fault(act.raw(data="SSH-2.0-OpenSSH_9.6\r\n")),
    "a head without end": Fault(act.raw(data="HTTP/1.1 200 OK\r\n" + "x-filler: 1\r\n" * 600)),
    "two lengths": Fault(act.frame(pattern=_LENGTH, to=r"Content-Length: 1\r\nContent-Length: \1"), BODIES),
    "interim answers": Fault(act.say_before(data="HTTP/1.1 103 Early Hints\r\n\r\n", repeat=3)),
    "bytes too many": Fault(act.overrun()),
    # listings
    "more without a token": Fault(
        act.edit(pattern="<IsTruncated>[a-z]+</IsTruncated>(<NextContinuationToken>.*?</NextContinuationToken>)?",
                 to="<IsTruncated>true</IsTruncated>"),
        frozenset({LIST}),
    ),
    "a key outside": Fault(act.edit(pattern="<Key>p/", to="<Key>q/"), frozenset({LIST})),
}  # fmt: skip
"""By what a person calls them."""

SILENT: dict[str, Fault] = {
    "no answer": Fault(act.hang()),
    "no answer after the work": Fault(act.lose_reply(how="hang")),
    "nobody reads": Fault(act.stop_reading()),
    "a head that stops": Fault(act.cut_head(how="hang")),
    "a body that stops": Fault(act.cut(keep=50, how="hang"), BODIES),
}
"""Faults that only a time limit ends."""

SETTINGS: dict[str, tuple[str, ...]] = {
    "put": (PUT,),
    "put on the lane": (PUT,),
    "upload in parts": (CREATE, PART, COMPLETE),
    "upload that fails": (CREATE, PART, ABORT),
    "get": (HEAD, GET),
    "get on the lane": (LIST, GET),
    "get in ranges": (HEAD, GET),
    "get a tree": (LIST, GET),
    "copy": (HEAD, COPY),
    "copy in parts": (HEAD, CREATE, PART_COPY, COMPLETE),
}
"""Each kind of job with the operations at which faults are put."""


@dataclass(frozen=True, slots=True)
class Case:
    """One job.

    Attributes:
        setting: its kind.
        faults: names of faults, each with the operation at which it happens.
        is_always: they happen to every such exchange, else to one.
    """

    setting: str
    faults: tuple[tuple[str, str], ...]
    is_always: bool = False


def singles(name: str, fault: Fault) -> list[Case]:
    """Every place for this fault, once and always."""
    return [
        Case(setting, ((name, operation),), is_always)
        for setting, operations in SETTINGS.items()
        for operation in operations
        if operation in fault.at
        for is_always in (False, True)
    ]


def pairs() -> Iterator[Case]:
    """A job for every two faults that can meet (also for a fault and itself); places are used evenly."""
    places = [
        (setting, first, second)
        for setting, operations in SETTINGS.items()
        for first, second in itertools.product(operations, repeat=2)
    ]
    used: Counter[tuple[str, str, str]] = Counter()
    for first, second in itertools.combinations_with_replacement(FAULTS, 2):
        fitting = [place for place in places if place[1] in FAULTS[first].at and place[2] in FAULTS[second].at]
        if not fitting:
            continue
        place = min(fitting, key=lambda place: used[place])
        used[place] += 1
        setting, operation, other = place
        yield Case(setting, ((first, operation), (second, other)))
