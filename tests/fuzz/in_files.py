"""Targets for files and lines of people and other programs: configuration, filters, lists, scripts, journals."""

from __future__ import annotations

import shlex

from orbit_fast.cli.config import _parse
from orbit_fast.client.resume import ResumeState
from orbit_fast.core.checksum import new_hasher
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import ResumeStateError
from orbit_fast.core.errors import UnsafePath
from orbit_fast.core.filters import Selection
from orbit_fast.core.filters import parse_rules
from orbit_fast.core.journal import Ended
from orbit_fast.core.journal import Header
from orbit_fast.core.journal import State
from orbit_fast.core.journal import decode_line
from orbit_fast.core.journal import encode_line
from orbit_fast.core.journal import replay
from orbit_fast.core.manifest import ManifestRow
from orbit_fast.core.manifest import read_rows
from orbit_fast.core.manifest import relative_name
from orbit_fast.core.manifest import row_line
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.options import TABLE
from orbit_fast.core.script import part_options
from orbit_fast.core.script import renamed
from orbit_fast.core.script import split_line
from orbit_fast.core.script import translated
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.core.shellwords import quoted
from orbit_fast.core.shellwords import read_line
from orbit_fast.core.values import Context
from orbit_fast.core.values import read_entry
from orbit_fast.core.values import read_variable
from orbit_fast.core.verification import compare_known
from orbit_fast.core.verification import known_row
from orbit_fast.core.verification import row_name
from orbit_fast.core.verification import sum_row
from orbit_fast.core.verification import whole_sum
from tests.fuzz.pieces import check_travels
from tests.fuzz.pieces import cuts_of
from tests.fuzz.pieces import outcome
from tests.fuzz.pieces import text_of

_BY_PARAMETER = {option.parameter: option for option in TABLE}
_TAKES_VALUE = {flag: index % 2 == 0 for index, flag in enumerate(sorted({f for o in TABLE for f in o.flags}))}
_ITEM = Item(number=1, direction=Direction.UPLOAD, site=0, key="key", path=b"/data/file")


def _no_file(_: str) -> bytes:
    return b"+ *.txt\n"


_CONTEXT = Context(now_ns=lambda: 1_800_000_000_000_000_000, read_file=_no_file)


def config(data: bytes) -> None:
    """A configuration file: every value is one that the option's own parser is asked about, and may refuse."""
    layers = outcome(lambda: _parse(data, "orbit.toml", "cp"), InvalidConfig)
    if isinstance(layers, str):
        return
    for entries in layers:
        for parameter, entry in entries.items():
            option = _BY_PARAMETER[parameter]
            value = outcome(lambda option=option, entry=entry: read_entry(option, entry, _CONTEXT), InvalidConfig)
            check_travels(value)


def variables(data: bytes) -> None:
    """A text as the value of every option that an environment variable can set."""
    text = text_of(data).replace("\0", "")
    for option in TABLE:
        value = outcome(lambda option=option: read_variable(option, text, _CONTEXT), InvalidConfig)
        if value != "InvalidConfig" and not (isinstance(value, str) and value == text):
            outcome(lambda value=value: check_travels(value), UnicodeEncodeError)


def filters(data: bytes) -> None:
    """A file of rules: the same rules once they are written again; a name is in or out."""
    rules = outcome(lambda: parse_rules(data, "rules"), InvalidConfig)
    if isinstance(rules, str):
        return
    written = "\n".join(f"{sign} {pattern}" for sign, pattern in rules)
    assert parse_rules(written.encode(), "rules") == rules
    selection = Selection(SelectionSettings(rules=rules))
    for name in ("a", "dir/name.txt", data[:60].decode("latin-1")):
        is_in = selection.accepts(name, 5, 5)
        assert is_in == selection.accepts_name(name)
        included, excluded = (any(_fits(pattern, name) for each, pattern in rules if each == sign) for sign in "+-")
        assert is_in == (not excluded and (included or all(sign == "-" for sign, _ in rules)))


def _fits(pattern: str, name: str) -> bool:
    return Selection(SelectionSettings(include=(pattern,))).accepts_name(name)


# --- lists ------------------------------------------------------------------------------------------------------------


def manifest(data: bytes) -> None:
    """A list of objects: every row can be passed on and written again, and names nothing outside its source."""
    rows = outcome(lambda: list(read_rows(data.split(b"\n"), "list")), InvalidConfig)
    if isinstance(rows, str):
        return
    assert len(rows) <= data.count(b"\n") + 1
    for row in rows:
        _check_row(row)
        again = list(read_rows([row_line(row).removesuffix(b"\n")], "list"))
        assert [(one.name, one.size, one.etag, one.checksum, one.destination) for one in again] == [
            (row.name, row.size, row.etag, row.checksum, row.destination)
        ]


def sums(data: bytes) -> None:
    """Lines of ``md5sum`` and its kin."""
    for line in data.split(b"\n"):
        row = sum_row(line)
        if row is not None:
            _check_row(row)
            assert whole_sum(known_row(row)) is not None


def _check_row(row: ManifestRow) -> None:
    assert row.name or row.etag or row.checksum
    assert row.size >= -1
    check_travels(row)
    known = known_row(row)
    check_travels(known)
    compare_known(known, known)
    for source in (b"s3://bucket/prefix/", b"/data/", b"data/"):
        name = outcome(lambda source=source: relative_name(row, source, "list"), UnsafePath)
        if isinstance(name, bytes) and not source.startswith(b"s3"):
            parts = name.removesuffix(b"/").split(b"/")
            assert {b"", b".", b".."}.isdisjoint(parts)
            assert b"\0" not in name
        row_name(row, source)


# --- lines of commands ----------------------------------------------------------------------------------------------


def script(data: bytes) -> None:
    """A line of ``run``: words, which mean themselves when they are quoted; options and arguments lose none of them."""
    text = text_of(data).replace("\n", " ")
    words = outcome(lambda: split_line(text), InvalidConfig)
    if isinstance(words, str):
        return
    assert split_line(shlex.join(words)) == words
    for verb in ("cp", "mv", "ls", "select"):
        said = translated(verb, renamed(words))
        options, arguments = part_options(said, _TAKES_VALUE)
        assert len(options) + len(arguments) + ("--" in said) >= len(said)
        assert set(options) | set(arguments) | {"--"} >= set(said)


def typed(data: bytes) -> None:
    """A command line under the cursor: any word that completes it can be put in."""
    text = text_of(data)
    line = read_line(text, " \t\n\"'><=;|&(:")
    assert line.words
    assert 0 <= line.kept <= len(line.words[-1])
    assert sum(map(len, line.words)) <= len(text)
    word = line.words[-1] + "a b'\"$\\"
    quoted_word = line.replacement(word)
    assert len(quoted_word) >= len(word) - line.kept
    plain = "".join(sign for sign in text if sign.isprintable())
    assert read_line(quoted(plain), "").words == (plain,)


# --- journals ---------------------------------------------------------------------------------------------------------


def journal(data: bytes) -> None:
    """A journal, damaged or not its own: what it comes to can be gone on with, or it is left alone."""
    _check_state(data.splitlines(keepends=True))
    summed = [_summed(line) for line in data.split(b"\n")]
    _check_state(summed)
    head = encode_line(Header(run="0" * 16, operation="cp", sources=(b"a",), destination=b"b"))
    _check_state([head, *summed])
    for cut in cuts_of(head + data):
        _check_state(b"".join(cut[: len(cut) // 2]).splitlines(keepends=True))


def resume_state(data: bytes) -> None:
    """What a program kept of a transfer that was interrupted: a state that is the same again, or refused."""
    state = outcome(lambda: ResumeState.from_json(data), ResumeStateError)
    if not isinstance(state, str):
        assert ResumeState.from_json(state.to_json()) == state


def _summed(record: bytes) -> bytes:
    hasher = new_hasher("CRC32C", len(record))
    hasher.update(record)
    return f"{hasher.digest().hex()} ".encode() + record + b"\n"


def _check_state(lines: list[bytes]) -> None:
    for line in lines:
        record = outcome(lambda line=line: decode_line(line), ResumeStateError)
        if record is not None and not isinstance(record, str):
            assert decode_line(encode_line(record)) == record
            assert isinstance(record, Header) or record.transfer >= 0
    state = outcome(lambda: replay(lines), ResumeStateError)
    if not isinstance(state, State):
        return
    assert not state.transfers or state.runs
    assert outcome(lambda: replay([*lines, *lines]), ResumeStateError) != "ResumeStateError"
    for number, transfer in [*state.transfers.items()]:
        assert 0 <= number <= state.last
        check_travels(transfer.earlier(_ITEM))
        state.add(Ended(transfer=number))
    assert not state.transfers
