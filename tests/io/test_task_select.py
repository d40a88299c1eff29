"""``select``: what is asked, in which order, what is given, and what is no answer."""

from __future__ import annotations

import pytest

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import SourceMissing
from tests.kit import task_run
from tests.kit.select_service import CONT
from tests.kit.select_service import END
from tests.kit.select_service import STATS
from tests.kit.select_service import error
from tests.kit.select_service import records
from tests.kit.select_service import select_service
from tests.kit.task_run import Came
from tests.kit.task_run import do

SQL = "SELECT * FROM s3object"
GOOD = records(b"1,") + CONT + records(b"2\n3,4\n") + STATS + END


@pytest.fixture
def select(tmp_path):
    """``orbit select`` of a service with these answers: what came, and the service."""

    def run(answers, *arguments, **options):
        with select_service(answers) as service:
            return do(service, tmp_path, "select", *arguments, **({"query": SQL} | options)), service

    return run


def test_records_are_data(select):
    """Nothing but records on stdout, the rest on stderr."""
    came, service = select({"k": [GOOD]}, "csv", "s3://bkt/k")
    assert (came.error, came.out, came.err) == (None, b"1,2\n3,4\n", b"")
    assert (came.tallied[0].copied, came.tallied[0].size) == (1, 8)
    assert f"<Expression>{SQL}</Expression>" in service.asked[0][1]
    came, _ = select({"k": [GOOD]}, "csv", "s3://bkt/k", json=True)
    event = b'{"operation":"select","success":true,"source":"s3://bkt/k","size":8,"bytes_scanned":120,"bytes_processed":1200}\n'
    assert (came.out, came.err) == (b"1,2\n3,4\n", event)
    came, _ = select({"k": [GOOD]}, "csv", "s3://bkt/k", verbose=1)
    assert (came.out, came.err) == (b"1,2\n3,4\n", b"select s3://bkt/k\n")


@pytest.mark.parametrize(
    ("arguments", "options", "wanted"),
    [
        (("csv",), {}, "<CSV><FileHeaderInfo>NONE</FileHeaderInfo><FieldDelimiter>,</FieldDelimiter></CSV>"),
        (("csv",), {"use_header": "use"}, "<FileHeaderInfo>USE</FileHeaderInfo>"),
        (
            ("csv",),
            {"delimiter": ";"},
            "<CSV><FieldDelimiter>;</FieldDelimiter><RecordDelimiter>&#xA;</RecordDelimiter></CSV>",
        ),
        (("csv",), {"delimiter": r"\t"}, "<FieldDelimiter>\t</FieldDelimiter>"),
        (("csv",), {"compression": "gzip"}, "<CompressionType>GZIP</CompressionType>"),
        (("csv",), {"output_format": "json"}, "<OutputSerialization><JSON>"),
        (("csv",), {}, "<OutputSerialization><CSV>"),
        (("json",), {}, "<JSON><Type>LINES</Type></JSON>"),
        (("json",), {"compression": "bzip2"}, "<CompressionType>BZIP2</CompressionType>"),
        (("json",), {"structure": "document"}, "<JSON><Type>DOCUMENT</Type></JSON>"),
        (("json",), {"output_format": "csv", "delimiter": "|"}, "<FieldDelimiter>|</FieldDelimiter>"),
        ((), {}, "<JSON><Type>LINES</Type></JSON>"),
        (("parquet",), {}, "<InputSerialization><Parquet/></InputSerialization><OutputSerialization><JSON>"),
        (("parquet",), {"query": "SELECT\n'<'"}, "<Expression>SELECT&#xA;'&lt;'</Expression>"),
    ],
)
def test_what_is_asked(select, arguments, options, wanted):
    """Formats and options in the words of the API."""
    _, service = select({"k": [GOOD]}, *arguments, "s3://bkt/k", **options)
    ((key, body),) = service.asked
    body = body.replace("&#10;", "&#xA;").replace("<Parquet />", "<Parquet/>")
    assert (key, wanted in body) == ("k", True), body


def test_many_objects(select):
    """In the order of keys; one that fails is told of and the next one follows; filters and markers."""
    answers = {
        "logs/": [GOOD],
        "logs/1": [records(b"first\n") + END],
        "logs/2": [(400, "InvalidTextEncoding")],
        "logs/3": [records(b"half\nha") + error("CastFailed", "no number")],
        "logs/4": [records(b"last\n") + END],
        "other": [GOOD],
    }
    came, service = select(answers, "csv", "s3://bkt/logs/*")
    assert [key for key, _ in service.asked] == ["logs/1", "logs/2", "logs/3", "logs/4"]
    assert came.error is None
    assert came.out == b"first\nhalf\nlast\n"
    assert came.err.count(b"\n") == 2
    assert b'ERROR "select s3://bkt/logs/2": InvalidTextEncoding: ' in came.err
    assert b'ERROR "select s3://bkt/logs/3": CastFailed: no number' in came.err
    assert (came.tallied[0].copied, came.tallied[0].failed) == (2, 2)
    came, service = select(answers, "csv", "s3://bkt/*", include=("*4", "o*"), exclude=("other",))
    assert [key for key, _ in service.asked] == ["logs/4"]
    came, service = select({"*": [GOOD], "x": [GOOD]}, "csv", "s3://bkt/*", raw=True)
    assert [key for key, _ in service.asked] == ["*"]
    came, service = select(answers, "csv", "s3://bkt/none*")
    assert (isinstance(came.error, SourceMissing), service.asked) == (True, [])


def test_one_object_that_fails(select):
    """Before a record it ends the command; behind one it is a failure, and is not asked again."""
    came, _ = select({"k": [(404, "NoSuchKey")]}, "csv", "s3://bkt/k")
    assert isinstance(came.error, NotFound)
    came, service = select({"k": [error("CastFailed", "no number")]}, "csv", "s3://bkt/k")
    assert (came.error.code, came.out, len(service.asked)) == ("CastFailed", b"", 1)
    broken = records(b"1\n")
    for answer in (broken, (broken, True)):
        came, service = select({"k": [answer]}, "csv", "s3://bkt/k")
        assert (came.error, came.out, len(service.asked)) == (None, b"1\n", 1)
        assert came.tallied[0].failed == 1
        assert b'ERROR "select s3://bkt/k": E_SHORT_BODY: the answer broke off after 2 bytes' in came.err


def test_a_try_that_gave_nothing(select):
    """It is tried again, and its beginnings are forgotten."""
    answers = [(500, "InternalError"), (records(b"ha"), True), records(b"h"), GOOD]
    came, service = select({"k": answers[1:]}, "csv", "s3://bkt/k")
    assert (came.error, came.out, len(service.asked)) == (None, b"1,2\n3,4\n", 3)
    came, service = select({"k": [answers[0], GOOD]}, "csv", "s3://bkt/k")
    assert (came.error, came.out, len(service.asked)) == (None, b"1,2\n3,4\n", 2)


@pytest.mark.parametrize("refusal", [(501, "NotImplemented"), (405, "MethodNotAllowed"), (400, "MethodNotAllowed")])
def test_a_service_that_cannot(select, refusal):
    """One clear line, and no other object is asked."""
    came, service = select({"a": [refusal], "b": [refusal]}, "csv", "s3://bkt/*")
    assert "does not offer S3 Select" in came.error.message
    assert (came.error.code, came.error.scope, len(service.asked)) == (refusal[1], Scope.JOB, 1)


class SlowReader(Came):
    """Takes some lines and then none, until somebody waits for it."""

    has_been_waited_for = False

    @property
    def is_congested(self):
        """It has lines that nobody has read."""
        return bool(self.out) and not self.has_been_waited_for

    @is_congested.setter
    def is_congested(self, value):
        """Whoever makes one says that it is not."""

    def when_drained(self, wake):
        """It reads."""
        self.has_been_waited_for = True
        wake()


def test_a_slow_reader(select, monkeypatch):
    """What cannot be said yet waits in a file, and comes behind what was said, in order."""
    monkeypatch.setattr(task_run, "Came", SlowReader)
    lines = [b"%06d\n" % number for number in range(100_000)]
    body = b"".join(records(b"".join(lines[start : start + 1000])) for start in range(0, len(lines), 1000))
    came, _ = select({"k": [body + END]}, "csv", "s3://bkt/k")
    assert (came.error, came.has_been_waited_for) == (None, True)
    assert came.out == b"".join(lines)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((), {}, "takes a format and an S3 URL"),
        (("xml", "s3://bkt/k"), {}, "select knows csv, json, parquet, not 'xml'"),
        (("csv", "file"), {}, "does not begin with s3://"),
        (("csv", "s3://bkt"), {}, "is a bucket"),
        (("csv", "s3://bkt/k"), {"query": None}, "select needs --query SQL"),
        (("csv", "s3://bkt/k"), {"query": " "}, "--query: the value is empty"),
        (("json", "s3://bkt/k"), {"use_header": "USE"}, "--use-header has no meaning for json"),
        (("json", "s3://bkt/k"), {"delimiter": ";"}, "--delimiter has no meaning for json"),
        (("csv", "s3://bkt/k"), {"structure": "document"}, "--structure has no meaning for csv"),
        (("parquet", "s3://bkt/k"), {"compression": "GZIP"}, "--compression has no meaning for parquet"),
        (("csv", "s3://bkt/k"), {"delimiter": "ab"}, "is not one character"),
        (("csv", "s3://bkt/k"), {"delimiter": "\n"}, "is not one character"),
    ],
)
def test_what_cannot_be_meant(select, arguments, options, words):
    """Refused before anything is asked of the service."""
    with pytest.raises(InvalidConfig, match=words):
        select({}, *arguments, **options)
