"""The journal of a job: what a later run of the same command must know of the large objects that were under way.

One record a line, appended and never changed: eight hexadecimal digits of CRC32C, a space, the record as JSON. A line
that a crash cut short or a disk damaged does not fit its checksum and is as if it had never been written.

The order that makes it safe to be killed anywhere (who writes keeps it; `proc.recorder`):

* an `Intent` is on stable storage before an upload is created: one whose id nobody wrote down is found by the time and
  the key of its intent;
* a `Started` is on stable storage before its upload id or temporary file is used: an upload without one has no parts;
* a `Landing` says what has landed; to lose one costs the part;
* an `Ended` says that nothing is left to go on with, and nothing to clean up.

Nothing here is believed when it is read again: these are hints to be checked with the service and on the disk. No
record holds a secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from typing import Final

import msgspec
from msgspec.structs import replace

from orbit_fast.core.checksum import new_hasher
from orbit_fast.core.errors import ResumeStateError
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import PartFact
from orbit_fast.core.settings import JobSettings

VERSION: Final = 1
"""Of the records. What another version wrote is left alone."""

MAX_LINE: Final = 1 << 16
"""Bytes of a line, at most: a key has 1,024, a path 4,096."""

_SUM_DIGITS: Final = 8


class Header(msgspec.Struct, frozen=True, kw_only=True, tag="job"):
    """A run of the job begins here.

    Attributes:
        version: of the records that follow.
        run: 16 hexadecimal digits that the run's temporary files are called after.
        operation: ``cp``, ``mv``, ``sync``, ``pipe``, or ``run``.
        sources: URLs and absolute paths; of ``run`` the script.
        destination: likewise; of ``run`` where it runs.
        root: the directory that temporary files of the run are in, or below; ``b''`` where it makes none.
    """

    version: int = VERSION
    run: str
    operation: str
    sources: tuple[bytes, ...]
    destination: bytes
    root: bytes = b""


class Intent(msgspec.Struct, frozen=True, kw_only=True, tag="intent"):
    """A large object is about to be begun.

    Attributes:
        transfer: its number in this journal.
        place: which object.
        when_ns: Unix time.
    """

    transfer: int
    place: Place
    when_ns: int


class Place(msgspec.Struct, frozen=True, array_like=True):
    """What tells one object of a job from the others: which way it goes, where its S3 side is, and its file.

    Attributes:
        direction: which way.
        endpoint: scheme and host of the S3 side (of a copy: the destination).
        bucket: likewise.
        key: likewise.
        path: absolute path of the file, or ``b''``.
        way: what tells one set of settings from another, where the objects of one job have several (`way_of`).
    """

    direction: Direction
    endpoint: str
    bucket: str
    key: str
    path: bytes = b""
    way: str = ""


class Started(msgspec.Struct, frozen=True, kw_only=True, tag="started", omit_defaults=True):
    """It has begun: what `Begun` says that an upload or a temporary file is known and checked by."""

    transfer: int
    size: int
    part_size: int
    token: str = ""
    temp: bytes = b""
    etag: str = ""
    fingerprint: tuple[int, ...] = ()
    algorithm: str = ""


class Landing(msgspec.Struct, frozen=True, kw_only=True, tag="part"):
    """One of its parts has landed."""

    transfer: int
    part: PartFact


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """It is done, or given up and cleaned up."""

    transfer: int


Record = Header | Intent | Started | Landing | Ended

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


@dataclass(slots=True, kw_only=True)
class Transfer:
    """A large object that was under way.

    Attributes:
        number: in the journal.
        place: which object.
        when_ns: when somebody was about to begin it, Unix time.
        started: what it has begun with; None where nobody knows whether it has.
        parts: what has landed, by part number.
    """

    number: int
    place: Place
    when_ns: int
    started: Started | None = None
    parts: dict[int, PartFact] = field(default_factory=dict)

    def earlier(self, item: Item) -> Begun:
        """The same as the worker that takes it up is told, for `item`."""
        started = self.started
        if started is None:
            return Begun(item.number, since_ns=self.when_ns)
        parent, slash, _ = item.path.rpartition(b"/")
        return Begun(
            item.number,
            token=started.token,
            temp=parent + slash + started.temp if started.temp else b"",
            etag=started.etag,
            fingerprint=started.fingerprint,
            algorithm=started.algorithm,
            size=started.size,
            part_size=started.part_size,
            landed=tuple(self.parts[number] for number in sorted(self.parts)),
        )


@dataclass(slots=True, kw_only=True)
class State:
    """What a journal comes to.

    Attributes:
        runs: the runs that wrote it, in order.
        transfers: those that have not ended, by number.
        last: the highest number of a transfer that was used.
    """

    runs: list[Header] = field(default_factory=list)
    transfers: dict[int, Transfer] = field(default_factory=dict)
    last: int = 0

    def add(self, record: Record) -> None:
        """One more record.

        Raises:
            ResumeStateError: another version wrote it.
        """
        if isinstance(record, Header):
            if record.version != VERSION:
                raise ResumeStateError(f"a journal of version {record.version}; this is version {VERSION}")
            if record not in self.runs:
                self.runs.append(record)
            return
        if not self.runs:
            return  # nobody has said how to read it
        if isinstance(record, Intent):
            self.last = max(self.last, record.transfer)
            begun = Transfer(number=record.transfer, place=record.place, when_ns=record.when_ns)
            self.transfers.setdefault(record.transfer, begun)
            return
        transfer = self.transfers.get(record.transfer)
        if transfer is None:
            return
        if isinstance(record, Ended):
            del self.transfers[record.transfer]
        elif isinstance(record, Started):
            transfer.started = record
        elif transfer.started is not None:
            transfer.parts[record.part.number] = record.part


def encode_line(record: Record) -> bytes:
    """The record as a line of the journal.

    Raises:
        ValueError: it is longer than a line may be, or holds what is no text.
    """
    data = _encode(record)
    line = f"{_sum(data)} ".encode() + data + b"\n"
    if len(line) > MAX_LINE:
        raise ValueError(f"a record of {len(line)} bytes")
    return line


def decode_line(line: bytes) -> Record | None:
    """The record in a line; None where it is damaged, cut short, or of no known kind.

    Raises:
        ResumeStateError: another version wrote it.
    """
    if not line.endswith(b"\n") or line[_SUM_DIGITS : _SUM_DIGITS + 1] != b" ":
        return None
    data = line[_SUM_DIGITS + 1 : -1]
    if line[:_SUM_DIGITS] != _sum(data).encode():
        return None
    try:
        record: Record = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # It is what somebody wrote, and not what we write.
        raise ResumeStateError(f"a journal of another version: {error}") from None
    return record


def replay(lines: Iterable[bytes]) -> State:
    """What the lines of a journal come to; damaged ones count for nothing.

    Raises:
        ResumeStateError: another version wrote one of them.
    """
    state = State()
    for line in lines:
        record = decode_line(line)
        if record is not None:
            state.add(record)
    return state


def job_name(
    operation: str, sources: Iterable[bytes], destination: bytes, settings: JobSettings, variables: Iterable[str]
) -> str:
    """What two runs of the same command have in common, and other commands have not: the journal's name.

    Args:
        operation: the verb.
        sources: URLs and absolute paths.
        destination: likewise.
        settings: of which those count that say where objects go and what they are given; not how fast.
        variables: of the environment, those that say where and as whom.
    """
    transfer, chosen = settings.transfer, settings.selection
    # Ages are counted from now: they differ from run to run.
    chosen = replace(chosen, newer_than_ns=int(chosen.newer_than_ns > 0), older_than_ns=int(chosen.older_than_ns > 0))
    same = (
        VERSION,
        operation,
        tuple(sources),
        destination,
        (settings.source, settings.dest, settings.object, chosen),
        (transfer.checksum_algorithm, transfer.preserve_metadata),
        tuple(variables),
    )
    return _digest(same)


def way_of(settings: JobSettings) -> str:
    """What two lines of a script have in common that give objects the same, and reach them as the same user."""
    transfer = settings.transfer
    given = (settings.source, settings.dest, settings.object)
    return _digest((given, transfer.checksum_algorithm, transfer.preserve_metadata))


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:32]


def _sum(data: bytes) -> str:
    hasher = new_hasher("CRC32C", len(data))
    hasher.update(data)
    return hasher.digest().hex()
