"""Objects whose bytes nothing proves: an ETag that says nothing, no checksum. What is left has to hold by itself.

Elsewhere a wrong length, range or version is also seen by the checksum in the end. Here only the look at the answer's
head, the count of the bytes and the version stand between a lie and a wrong file.
"""

from __future__ import annotations

import pytest

from orbit_fast.testing.store import Attributes
from tests.kit import faults_actions as act
from tests.kit.fault_run import LARGE
from tests.kit.faults import ALWAYS
from tests.kit.faults import PART
from tests.kit.faults import Rule
from tests.kit.trees import content

GET = "GetObject"
MEDIUM = 300_000
CUT = 100_000
KMS = Attributes(encryption={"x-amz-server-side-encryption": "aws:kms"})
ETAGS = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210")


def put(lab, data, number=0):
    """Place an object without proof; its `number` is that of the version."""
    lab.put("object", data, checksum="", attributes=KMS, etag=ETAGS[number])


LENGTHS = {
    "fewer": act.resize(keep=CUT),
    "fewer in chunks": act.chunked(keep=CUT),
    "fewer until the end": act.until_close(keep=CUT),
    "more": act.resize(add=1),
    "more in chunks": act.chunked(add=1000),
}


@pytest.mark.parametrize("size", [MEDIUM, LARGE], ids=["whole", "ranges"])
@pytest.mark.parametrize("how", LENGTHS)
def test_b3_b4_another_length_is_not_the_object(lab, how, size):
    """Fewer or more bytes than the object has fail, however the answer is framed."""
    data = content(5, size)
    put(lab, data)
    lab.plan.add(Rule(action=LENGTHS[how], operation=GET, part=2 if size == LARGE else 0, times=ALWAYS))
    lab.download(data).failed(3, "E_SIZE_MISMATCH")


def test_b8_a_range_that_is_ignored_is_not_written(lab):
    """The whole object in the place of its second part is not taken for the part."""
    data = content(5, LARGE)
    put(lab, data)
    lab.plan.add(Rule(action=act.ignore_range(), operation=GET, part=2))
    lab.download(data).right()


def _shift(request):
    request.headers["range"] = f"bytes={PART + 1}-{2 * PART}"


def test_b9_bytes_of_another_range_are_not_written(lab):
    """The service sends as many bytes as asked, from the byte after, and says so: once, they are asked for again."""
    data = content(5, LARGE)
    put(lab, data)
    lab.plan.add(Rule(action=act.handle(run=_shift), operation=GET, part=2))
    lab.download(data).right()


def test_b9_bytes_of_another_range_for_ever_fail(lab):
    """For ever, the object fails."""
    data = content(5, LARGE)
    put(lab, data)
    lab.plan.add(Rule(action=act.handle(run=_shift), operation=GET, part=2, times=ALWAYS))
    lab.download(data).honest(1, 3)


@pytest.mark.parametrize("grows", [0, 777])
def test_v1_versions_are_not_mixed(lab, grows):
    """The object is replaced between two ranges and If-Match is ignored: one of the two versions, or a failure."""
    old, new = content(1, LARGE), content(2, LARGE + grows)
    put(lab, old)

    def replace(request):
        request.headers.pop("if-match", None)
        if request.headers["range"].startswith(f"bytes={PART}"):
            put(lab, new, 1)

    lab.plan.add(Rule(action=act.handle(run=replace), operation=GET, times=ALWAYS))
    lab.download((old, new), "--concurrency", "1").honest(0, 1, 3)


def test_v1_a_body_is_not_continued_by_another_version(lab):
    """The object is replaced while its body is broken off and If-Match is ignored: never some bytes of each."""
    old, new = content(1, MEDIUM), content(2, MEDIUM)
    put(lab, old)

    def replace(request):
        request.headers.pop("if-match", None)
        put(lab, new, 1)

    lab.plan.add(Rule(action=act.cut(keep=200_000), operation=GET))
    lab.plan.add(Rule(action=act.handle(run=replace), operation=GET, nth=2, times=ALWAYS))
    lab.download((old, new)).honest(0, 1, 3)
