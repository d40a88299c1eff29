"""What is known of two things, and what that proves; lines of checksum lists; names of manifests."""

from __future__ import annotations

import pytest

from orbit_fast.core.manifest import ManifestRow
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.core.render.verify import Counts
from orbit_fast.core.render.verify import name_line
from orbit_fast.core.render.verify import totals_line
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.verification import UNPROVEN
from orbit_fast.core.verification import Known
from orbit_fast.core.verification import Result
from orbit_fast.core.verification import Verdict
from orbit_fast.core.verification import compare_known
from orbit_fast.core.verification import row_name
from orbit_fast.core.verification import sum_row
from tests.kit.event_schema import validated

MD5, OTHER = "a" * 32, "b" * 32
CRC, CRC2 = Checksum("CRC32C", "AAAAAA=="), Checksum("CRC32C", "AAAAAQ==")
CUT = Checksum("CRC32C", "AAAAAA==-2", "COMPOSITE")
CUT2 = Checksum("CRC32C", "AAAAAQ==-3", "COMPOSITE")
SHA = Checksum("SHA256", "x")


def known(**facts):
    """What one side says."""
    return Known(b"n", **{"size": 5, **facts})


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ({"size": 4}, {}, "size"),
        ({"size": -1}, {}, UNPROVEN),
        ({"checksum": CRC}, {"checksum": CRC}, Verified.CHECKSUM),
        ({"checksum": CRC}, {"checksum": CRC2}, "checksum"),
        ({"checksum": CRC, "etag": MD5}, {"checksum": SHA, "etag": MD5}, Verified.ETAG),
        ({"checksum": CRC}, {"checksum": SHA}, UNPROVEN),
        ({"checksum": CUT}, {"checksum": CUT}, Verified.CHECKSUM),
        ({"checksum": CUT}, {"checksum": CUT2}, UNPROVEN),
        ({"checksum": CUT}, {"checksum": CRC}, UNPROVEN),
        ({"etag": MD5}, {"etag": MD5}, Verified.ETAG),
        ({"etag": MD5}, {"etag": OTHER}, "etag"),
        ({"etag": MD5, "encryption": "aws:kms"}, {"etag": OTHER}, UNPROVEN),
        ({"etag": MD5, "encryption": "aws:kms"}, {"etag": MD5, "encryption": "aws:kms"}, UNPROVEN),
        ({"etag": f"{MD5}-2"}, {"etag": f"{MD5}-2"}, Verified.ETAG),
        ({"etag": f"{MD5}-2"}, {"etag": f"{OTHER}-2"}, UNPROVEN),
        ({"etag": f"{MD5}-2"}, {"etag": MD5}, UNPROVEN),
        ({"etag": ""}, {"etag": ""}, UNPROVEN),
    ],
)
def test_compare_known(first, second, wanted):
    """Only what is certain is said; both ways round."""
    for one, other in ((first, second), (second, first)):
        verdict = compare_known(known(**one), known(**other))
        if isinstance(wanted, Verdict):
            assert verdict == wanted
        elif isinstance(wanted, Verified):
            assert verdict == Verdict(Result.MATCH, wanted)
        else:
            assert (verdict.result, verdict.reason) == (Result.DIFFERS, wanted)


@pytest.mark.parametrize(
    ("line", "name", "etag", "checksum"),
    [
        (f"{MD5}  a b".encode(), b"a b", MD5, None),
        (f"{MD5.upper()} *./a".encode(), b"a", MD5, None),
        (rb"\%s  a\nb\\c" % MD5.encode(), b"a\nb\\c", MD5, None),
        (b"00" * 20 + b"  x", b"x", "", Checksum("SHA1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
        (b"SHA256 (x (1)) = " + b"00" * 32, b"x (1)", "", Checksum("SHA256", "A" * 43 + "=")),
        (f"MD5 (x) = {MD5}".encode(), b"x", MD5, None),
    ],
)
def test_sum_row(line, name, etag, checksum):
    """The forms that GNU's and BSD's programs write."""
    assert sum_row(line) == ManifestRow(line=0, name=name, etag=etag, checksum=checksum)


@pytest.mark.parametrize("line", [b"", b"name", MD5.encode(), f"{MD5} x".encode(), f"SHA256 (x) = {MD5}".encode()])
def test_other_lines(line):
    """Anything else is not one of them."""
    assert sum_row(line) is None


@pytest.mark.parametrize(
    ("row", "root", "name"),
    [
        ({"name": b"a/b"}, b"s3://k/p/", b"a/b"),
        ({"name": b"s3://k/p/a"}, b"s3://k/p/", b"a"),
        ({"name": b"src/a", "destination": b"s3://k/p/a"}, b"s3://k/p/", b"a"),
        ({"name": b"src/a", "destination": b"s3://k/p/a"}, b"src/", b"a"),
        ({"name": b"s3://other/x/a"}, b"s3://k/", b"x/a"),
        ({"name": b"s3://k/p/a"}, b"", b"p/a"),
    ],
)
def test_row_name(row, root, name):
    """The name below the other side's root, whichever of the two it is."""
    assert row_name(ManifestRow(line=1, **row), root) == name


PROVEN = Verdict(Result.MATCH, Verified.CHECKSUM)
PAIR = (b"d/a", b"s3://k/a")


@pytest.mark.parametrize(
    ("verdict", "pair", "options", "text"),
    [
        (PROVEN, PAIR, {}, ""),
        (PROVEN, PAIR, {"verbose": 1}, "match d/a s3://k/a: checksum\n"),
        (PROVEN, PAIR, {"verbose": 1, "quiet": True}, ""),
        (UNPROVEN, PAIR, {}, "unproven d/a s3://k/a: size\n"),
        (Verdict(Result.MISSING), (b"d/a", b""), {"quiet": True}, "missing d/a\n"),
        (Verdict(Result.EXTRA), (b"", b"s3://k/\x1b"), {}, "extra s3://k/\\x1b\n"),
        (Verdict(Result.DIFFERS, reason="size", expected="1", actual="2"), PAIR, {}, None),
    ],
)
def test_name_lines(verdict, pair, options, text):
    """As text, and as an event of the schema."""
    line = name_line(verdict, pair, 5, OutputSettings(**options)).decode()
    assert line == (text if text is not None else "differs d/a s3://k/a: size: 1 and 2\n")
    if not options.get("quiet"):
        [event] = validated(name_line(verdict, pair, 5, OutputSettings(json=True)))
        assert (event["result"], event["success"], event["size"]) == (
            verdict.result,
            verdict.result is Result.MATCH,
            5,
        )


def test_names_that_are_not_text():
    """The event has the exact bytes too."""
    [event] = validated(name_line(Verdict(Result.MISSING), (b"d/\xff", b""), -1, OutputSettings(json=True)))
    assert (event["source"], event["source_b64"], "size" in event) == ("d/\N{REPLACEMENT CHARACTER}", "ZC//", False)


def test_totals():
    """Every verdict is counted once."""
    counts = Counts()
    for verdict in (PROVEN, PROVEN, UNPROVEN, Verdict(Result.MISSING), Verdict(Result.EXTRA), Verdict(Result.DIFFERS)):
        counts.add(verdict)
    text = totals_line(counts, OutputSettings()).decode()
    assert text == "2 match, 1 unproven (size only), 1 differ, 1 missing, 1 extra\n"
    [event] = validated(totals_line(counts, OutputSettings(json=True)))
    assert (event["matched"], event["differing"], event["success"]) == (2, 1, False)
    assert totals_line(Counts(), OutputSettings(quiet=True)) == b""
