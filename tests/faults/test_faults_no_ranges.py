"""A service that takes no notice of Range, and stdout: one stream instead, in order, in bounded memory, proven."""

from __future__ import annotations

import pytest

from tests.kit import faults_actions as act
from tests.kit.command import Orbit
from tests.kit.command import descendants
from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import stored
from tests.kit.faults import ALWAYS
from tests.kit.faults import Rule
from tests.kit.trees import content

pytestmark = pytest.mark.slow

MIB = 1 << 20
GET = "GetObject"
DATA = content(3, 12 * MIB + 345)
SMALL_MEMORY = ("--max-memory", "16MiB")
"""Ranges of 2 MiB: seven of the object, of which five are asked for at once."""

REFUSED = 5 * 2
"""Requests before the stream: each range is tried twice."""


@pytest.fixture
def orbit(lab):
    """Runs ``orbit`` against a service that does no ranges."""
    lab.plan.add(Rule(action=act.ignore_range(), operation=GET, times=ALWAYS))
    return Orbit({**lab.environment, "AWS_ENDPOINT_URL_S3": lab.endpoint_url})


@pytest.fixture
def gets(lab):
    """How many GetObject were answered."""
    return lambda: sum(entry.operation == GET for entry in lab.server.store.log)


@pytest.mark.parametrize("how", [{"checksum": "CRC32C"}, {"checksum": ""}, {"checksum": "", "part_size": 5 * MIB}])
def test_b8_cat_reads_in_one_stream(lab, orbit, gets, how):
    """All of it, in order, proven as ranges would be, with one request beside those that were refused."""
    lab.put("object", DATA, **how)
    lab.put("next", b"next")
    result = orbit("cat", *SMALL_MEMORY, f"s3://{BUCKET}/object", f"s3://{BUCKET}/next").expect(0)
    assert result.out == DATA + b"next"
    assert gets() == REFUSED + 2


@pytest.mark.parametrize("action", [act.cut(keep=5 * MIB), act.chunked(), act.chunked(keep=5 * MIB, ends=False)])
def test_b8_a_stream_that_breaks_is_begun_again(lab, orbit, action):
    """What was written before is passed over, not written again; nor does a length that is not said matter."""
    lab.put("object", DATA, checksum="CRC32C")
    lab.plan.add(Rule(action=action, operation=GET, nth=REFUSED + 1))
    assert orbit("cat", *SMALL_MEMORY, f"s3://{BUCKET}/object").expect(0).out == DATA


def test_b8_a_stream_of_other_bytes_is_an_integrity_failure(lab, orbit):
    """Exit 3: the proof of the whole sees what passed."""
    lab.put("object", DATA, checksum="CRC32C")
    lab.plan.add(Rule(action=act.flip(offset=7 * MIB), operation=GET, nth=REFUSED + 1))
    result = orbit("cat", *SMALL_MEMORY, f"s3://{BUCKET}/object")
    assert (result.code, len(result.out)) == (3, len(DATA))
    assert "E_CHECKSUM_MISMATCH" in result.errors[0]


def test_b8_an_object_that_is_replaced_before_its_stream_begins(lab, orbit):
    """The stream is of the version that was looked at, or is none: exit 3, and nothing is written."""
    lab.put("object", DATA, checksum="CRC32C")
    other = stored("object", content(4, len(DATA)), now_s=lab.server.store.now())
    replaced = act.then(run=lambda: lab.server.store.bucket(BUCKET).add(other))
    lab.plan.add(Rule(action=replaced, operation=GET, nth=REFUSED))
    result = orbit("cat", *SMALL_MEMORY, f"s3://{BUCKET}/object")
    assert (result.code, result.out) == (3, b"")
    assert "E_OBJECT_CHANGING" in result.errors[0]


def test_b8_a_range_that_was_asked_for_is_cut_out_of_the_stream(lab, orbit):
    """``--range`` of more than fits one request: what lies before is passed over, what lies behind is not read."""
    lab.put("object", DATA, checksum="CRC32C")
    result = orbit("cat", *SMALL_MEMORY, "--range", f"{MIB}-{7 * MIB}", f"s3://{BUCKET}/object").expect(0)
    assert result.out == DATA[MIB : 7 * MIB + 1]


def test_b8_a_stream_whose_worker_dies_is_begun_by_another(lab, orbit, gets):
    """While the reader waits: what has been written is not written again."""
    data = content(5, 48 * MIB)  # more than memory and the pipe hold: no worker can have read it all
    lab.put("object", data, checksum="CRC32C")
    with orbit.start("cat", *SMALL_MEMORY, f"s3://{BUCKET}/object") as process:
        first = process.stdout.read(10)
        for child in descendants(process.pid):
            child.kill()
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert first + rest == data
    assert gets() > REFUSED + 1


def test_b8_streams_in_a_script(lab, orbit, tmp_path):
    """``orbit run``: in the order of the lines, at a limited speed too."""
    lab.put("object", DATA, checksum="CRC32C")
    lab.put("next", b"next")
    script = tmp_path / "script"
    script.write_text(f"cat s3://{BUCKET}/object\ncat s3://{BUCKET}/next\n")
    result = orbit("run", "--max-memory", "32MiB", "--max-bandwidth", "200MB", script).expect(0)
    assert result.out == DATA + b"next"
