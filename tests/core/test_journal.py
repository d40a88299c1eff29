"""The journal as lines: what it comes to when it is whole, cut short anywhere, damaged, or somebody else's."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from orbit_fast.core.errors import ResumeStateError
from orbit_fast.core.journal import MAX_LINE
from orbit_fast.core.journal import VERSION
from orbit_fast.core.journal import Ended
from orbit_fast.core.journal import Header
from orbit_fast.core.journal import Intent
from orbit_fast.core.journal import Landing
from orbit_fast.core.journal import Place
from orbit_fast.core.journal import Record
from orbit_fast.core.journal import Started
from orbit_fast.core.journal import decode_line
from orbit_fast.core.journal import encode_line
from orbit_fast.core.journal import job_name
from orbit_fast.core.journal import replay
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import PartFact
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import ObjectSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.core.settings import TransferSettings

HEADER = Header(run="0123456789abcdef", operation="cp", sources=(b"/a",), destination=b"s3://b/k")
PLACE = Place(Direction.UPLOAD, "https://s3", "b", "k\n\u20ac", b"/a/\xff")
INTENT = Intent(transfer=1, place=PLACE, when_ns=5)
STARTED = Started(transfer=1, size=25, part_size=10, token="id", fingerprint=(1, 2, 25, 4, 5), algorithm="CRC32C")
PART = PartFact(2, 10, 10, "etag", "AAAAAA==", True, 2, "BBBBBB==")
ALL = (HEADER, INTENT, STARTED, Landing(transfer=1, part=PART), Ended(transfer=1))

records = st.one_of(
    st.just(HEADER),
    st.builds(Header, run=st.text("0123456789abcdef", min_size=16, max_size=16), operation=st.just("mv"),
              sources=st.just(()), destination=st.just(b"")),
    st.builds(Intent, transfer=st.integers(1, 4), place=st.just(PLACE), when_ns=st.integers(0, 9)),
    st.builds(Started, transfer=st.integers(1, 4), size=st.just(25), part_size=st.just(9), token=st.sampled_from("ab")),
    st.builds(Landing, transfer=st.integers(1, 4),
              part=st.builds(PartFact, number=st.integers(1, 3), offset=st.just(0), size=st.just(10))),
    st.builds(Ended, transfer=st.integers(1, 4)),
)  # fmt: skip
journals = st.lists(records, max_size=25).map(lambda found: [encode_line(record) for record in (HEADER, *found)])


def lines(*found: Record) -> list[bytes]:
    """A journal of these records."""
    return [encode_line(record) for record in found]


@pytest.mark.parametrize("record", ALL, ids=lambda record: type(record).__name__)
def test_a_record_is_one_line_and_comes_back(record: Record) -> None:
    """Whatever its names hold, a record has one line feed, at its end."""
    line = encode_line(record)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode_line(line) == record


@pytest.mark.parametrize("damage", [lambda line: line[:-1], lambda line: line[:8] + b"_" + line[9:]])
def test_a_line_that_is_cut_or_changed_anywhere_is_none(damage) -> None:
    """The line feed and the blank are not in its sum, and count all the same."""
    assert decode_line(damage(encode_line(INTENT))) is None


def test_what_was_under_way_is_known_and_what_has_ended_is_not() -> None:
    """An object is known from its intent to its end."""
    state = replay(lines(*ALL[:4]))
    [transfer] = state.transfers.values()
    assert (transfer.place, transfer.started, transfer.parts) == (PLACE, STARTED, {2: PART})
    assert state.runs == [HEADER]
    ended = replay(lines(*ALL))
    assert (ended.transfers, ended.last) == ({}, 1)


def test_a_worker_is_told_what_an_earlier_job_had_begun() -> None:
    """A temporary file is looked for beside the file as this run spells it; of an intent only its time is known."""
    item = Item(7, Direction.DOWNLOAD, 0, "k", b"out/f", b"out", size=25)
    started = replace(STARTED, token="", temp=b".orbit-x.tmp", etag="e", fingerprint=())
    state = replay(lines(HEADER, INTENT, started, ALL[3]))
    assert state.transfers[1].earlier(item) == Begun(
        7, temp=b"out/.orbit-x.tmp", etag="e", algorithm="CRC32C", size=25, part_size=10, landed=(PART,)
    )
    assert replay(lines(HEADER, INTENT)).transfers[1].earlier(item) == Begun(7, since_ns=5)


def test_records_of_an_object_that_nobody_announced_mean_nothing() -> None:
    """Neither do records before the first header, and parts of what has not begun."""
    assert replay(lines(HEADER, STARTED, ALL[3], ALL[4])).transfers == {}
    assert replay(lines(*ALL[1:4])).transfers == {}
    assert replay(lines(HEADER, INTENT, ALL[3])).transfers[1].parts == {}


@pytest.mark.parametrize(
    "line",
    [
        encode_line(replace(HEADER, version=VERSION + 1)),
        b'07e3d5c7 {"type":"chapter"}\n',
    ],
)
def test_another_versions_journal_is_refused(line: bytes) -> None:
    """A header of another version, and a whole record that this version does not know."""
    if not line.startswith(b"07e3"):
        with pytest.raises(ResumeStateError, match="version"):
            replay([line])
        return
    from orbit_fast.core.journal import _sum  # noqa: PLC0415 - a line that nobody of us writes

    data = line[9:-1]
    with pytest.raises(ResumeStateError, match="version"):
        replay([_sum(data).encode() + b" " + data + b"\n"])


def test_a_record_that_is_too_long_is_refused() -> None:
    """A line has a limit, so that reading a journal has one."""
    with pytest.raises(ValueError, match="bytes"):
        encode_line(replace(HEADER, destination=b"x" * MAX_LINE))


@given(journal=journals, data=st.data())
def test_any_prefix_is_a_state_that_there_was(journal: list[bytes], data: st.DataObject) -> None:
    """Cut anywhere, a journal comes to what its whole lines come to."""
    text = b"".join(journal)
    cut = data.draw(st.integers(0, len(text)))
    whole = text[:cut].count(b"\n")
    assert replay(text[:cut].splitlines(keepends=True)) == replay(journal[:whole])


@given(journal=journals)
def test_replay_is_idempotent(journal: list[bytes]) -> None:
    """To read the same line twice in a row changes nothing."""
    assert replay(line for line in journal for _ in range(2)) == replay(journal)


@given(journal=journals, data=st.data())
def test_a_damaged_line_counts_for_nothing(journal: list[bytes], data: st.DataObject) -> None:
    """A flipped bit makes a line, or two of which the line feed was hit, as if they had never been written."""
    text = bytearray(b"".join(journal))
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] ^= 1 << data.draw(st.integers(0, 7))
    place = 0
    kept: list[bytes] = []
    hit = bytes(text)
    for index, line in enumerate(journal):
        spoiled = place <= at < place + len(line) or (index and place - 1 == at)
        if not spoiled:
            kept.append(line)
        place += len(line)
    assert replay(hit.splitlines(keepends=True)) == replay(kept)


@given(noise=st.binary(max_size=300))
def test_noise_comes_to_nothing(noise: bytes) -> None:
    """Bytes that nobody wrote are no journal."""
    assert replay(noise.splitlines(keepends=True)).transfers == {}


def named(**changed: object) -> str:
    """The name of a command's journal, with something about it changed."""
    given: dict[str, object] = {
        "operation": "cp",
        "sources": (b"/a",),
        "destination": b"s3://b/k",
        "settings": JobSettings(),
        "variables": ("AWS_PROFILE=x",),
    }
    return job_name(**{**given, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        {"operation": "mv"},
        {"sources": (b"/a", b"/b")},
        {"sources": (b"/\xff",)},
        {"destination": b"s3://b/l"},
        {"settings": JobSettings(dest=ClientSettings(endpoint_url="https://elsewhere"))},
        {"settings": JobSettings(object=ObjectSettings(content_type="text/plain"))},
        {"settings": JobSettings(transfer=TransferSettings(preserve_metadata=True))},
        {"settings": JobSettings(selection=SelectionSettings(include=("a*",)))},
        {"settings": JobSettings(selection=SelectionSettings(newer_than_ns=5))},
        {"settings": JobSettings(selection=SelectionSettings(older_than_ns=5))},
        {"settings": JobSettings(selection=SelectionSettings(older_than_ns=5, newer_than_ns=5))},
        {"variables": ("AWS_PROFILE=y",)},
    ],
)
def test_another_command_has_another_journal(changed: dict[str, object]) -> None:
    """Where objects go, and what they are given, makes a command another one."""
    assert named(**changed) != named()


def test_how_a_command_is_done_does_not_matter() -> None:
    """Part size, workers and output may differ between runs of one command; a customer's key is not in the name."""
    fast = TransferSettings(part_size=7, workers=1, concurrency=2, processes=3, max_memory=9, max_bandwidth=1)
    assert named(settings=JobSettings(transfer=fast, output=OutputSettings(json=True))) == named()
    for bound in ("newer_than_ns", "older_than_ns"):
        aged = [named(settings=JobSettings(selection=SelectionSettings(**{bound: now}))) for now in (5, 6)]
        assert aged[0] == aged[1]
    key = b"k" * 32
    name = named(settings=JobSettings(object=ObjectSettings(sse_c_key=key)))
    assert name != named()
    assert len(name) == 32
    assert key not in msgspec.json.encode(name)
