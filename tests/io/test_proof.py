"""What proves a landed file: the best that the service offers, and never a false alarm."""

from __future__ import annotations

import hashlib
import random

import pytest

from orbit_fast.core.checksum import composite
from orbit_fast.core.checksum import etag_of_parts
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import InvalidRange
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import ServerFault
from orbit_fast.core.errors import Service
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import ObjectSettings
from orbit_fast.io.flow import Pause
from orbit_fast.io.proof import PAUSE_EVERY
from orbit_fast.io.proof import prove_file
from orbit_fast.io.proof import prove_ranges
from orbit_fast.io.proof import range_algorithm
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import etag_reply
from tests.kit.flow_driver import interrupt_everywhere
from tests.kit.flow_driver import staged
from tests.kit.object_replies import item_of
from tests.kit.object_replies import md5
from tests.kit.object_replies import value

DATA = random.Random(1).randbytes(10_000)
WRONG = DATA[:-1] + bytes([DATA[-1] ^ 1])
MIB = 1 << 20


class File:
    """A landed file in memory."""

    def __init__(self, data=DATA):
        self.data = data

    def read_into(self, view, offset):
        """As a landing file."""
        assert 0 < len(view) <= len(self.data) - offset
        view[:] = self.data[offset : offset + len(view)]


def cut(data, sizes):
    """The pieces of these sizes."""
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    assert ends[-1] == len(data)
    return [data[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def multipart_etag(data, sizes):
    """The ETag that S3 gives to an object of these parts."""
    return etag_of_parts([hashlib.md5(piece).digest() for piece in cut(data, sizes)])


def composite_of(data, sizes, algorithm="SHA256"):
    """The composite checksum of an object of these parts."""
    values = [value(piece, algorithm) for piece in cut(data, sizes)]
    return Checksum(algorithm, composite(algorithm, values), "COMPOSITE")


def told(sizes, etag):
    """A service that knows the parts' sizes, as an answer to every call."""

    def answer(call):
        number = int(dict(call.request.query)["partNumber"])
        return etag_reply(etag, content_length=str(sizes[number - 1]))

    return answer


def prove(tmp_path, answers, *, data=DATA, stored=None, etag="opaque", encryption=""):
    """The verdict, and which parts' sizes were asked for."""
    with staged(tmp_path) as stage:
        driver = Driver(answers)
        item = item_of(tmp_path, data, version_id="ver")
        verified = driver.run(prove_file(stage.around, item, File(data), stored, etag, encryption))
    for request in driver.requests:
        assert request.operation == "HeadObject"
        assert dict(request.query)["versionId"] == "ver"
    return verified


# --- without a question ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=["empty", "one byte", "several buffers"])
@pytest.mark.parametrize("algorithm", ["CRC64NVME", "CRC32C", "CRC32", "SHA256", "SHA1"])
def test_the_checksum_of_the_whole_is_computed_over_the_file(tmp_path, data, algorithm):
    """It is the strongest proof, whatever the ETag looks like; where it differs the file is refused."""
    etag = md5(b"other")
    assert prove(tmp_path, [], data=data, stored=Checksum(algorithm, value(data, algorithm)), etag=etag) is (
        Verified.CHECKSUM
    )
    with pytest.raises(ChecksumMismatch):
        prove(tmp_path, [], data=data, stored=Checksum(algorithm, value(b"other", algorithm)), etag=md5(data))


@pytest.mark.parametrize(
    ("stored", "etag", "encryption", "verified"),
    [
        (None, md5(DATA), "", Verified.ETAG),
        (None, md5(DATA), "AES256", Verified.ETAG),
        (None, md5(WRONG), "", None),
        (None, md5(WRONG), "aws:kms", Verified.SIZE),
        (None, md5(WRONG), "SSE-C", Verified.SIZE),
        (None, "opaque", "", Verified.SIZE),
        (None, "", "", Verified.SIZE),
        (None, multipart_etag(DATA, [10_000]), "", Verified.ETAG),
        (None, multipart_etag(DATA, [5000, 5000]), "aws:kms", Verified.SIZE),
        (None, multipart_etag(DATA, [5000, 5000]), "SSE-C", Verified.SIZE),
        (composite_of(DATA, [10_000]), "opaque", "", Verified.CHECKSUM),
        (composite_of(DATA, [10_000]), "opaque", "aws:kms", Verified.CHECKSUM),
        (composite_of(WRONG, [10_000]), multipart_etag(DATA, [10_000]), "", None),
        (Checksum("SHA256", "AAAA-" + "9" * 5000, "COMPOSITE"), "opaque", "", Verified.SIZE),
        (Checksum("SHA256", "AAAA-0", "COMPOSITE"), "opaque", "", Verified.SIZE),
        (Checksum("SHA256", "AAAA", "COMPOSITE"), md5(DATA), "", Verified.ETAG),
        (Checksum("SHA256", "AAAA", "UNHEARD_OF"), md5(DATA), "", Verified.ETAG),
        (None, "a" * 32 + "-" + "9" * 5000, "", Verified.SIZE),
        (None, "a" * 32 + "-02", "", Verified.SIZE),
    ],
)
def test_what_needs_no_question(tmp_path, stored, etag, encryption, verified):
    """An MD5, one part, or nothing that could prove anything: None is a refusal."""
    if verified is None:
        with pytest.raises(ChecksumMismatch):
            prove(tmp_path, [], stored=stored, etag=etag, encryption=encryption)
    else:
        assert prove(tmp_path, [], stored=stored, etag=etag, encryption=encryption) is verified


# --- where it was cut ------------------------------------------------------------------------------------------------

THREE = [4000, 4000, 2000]
FOUR = [2500, 2500, 2500, 2500]
HIDDEN = [2500, 2600, 2400, 2500]
"""Uneven parts that first and last do not betray."""


@pytest.mark.parametrize(
    ("sizes", "of", "questions", "is_proven"),
    [
        ([5000, 5000], DATA, 2, True),
        ([9999, 1], DATA, 2, True),
        (THREE, DATA, 2, True),
        (THREE, WRONG, 2, None),
        (FOUR, DATA, 2, True),
        (FOUR, WRONG, 4, None),
        (HIDDEN, DATA, 3, False),
        ([4000, 3000, 3000], DATA, 2, False),
        ([3000, 4000, 3000], DATA, 1, False),
        ([2000, 4000, 4000], DATA, 1, False),
        ([0, 5000, 5000], DATA, 1, False),
    ],
)
@pytest.mark.parametrize("kind", ["ETag", "SHA256", "CRC32", "both"])
def test_parts_that_the_service_tells_prove_the_whole(tmp_path, kind, sizes, of, questions, is_proven):
    """Two questions; more only before bytes are called wrong. Parts of several sizes are neither good nor bad."""
    etag = multipart_etag(DATA if kind == "both" else of, sizes) if kind in {"ETag", "both"} else "opaque"
    stored = None if kind == "ETag" else composite_of(of, sizes, "SHA256" if kind == "both" else kind)
    answers = [told(sizes, etag)] * questions
    if is_proven is None:
        with pytest.raises(ChecksumMismatch):
            prove(tmp_path, answers, stored=stored, etag=etag)
        return
    wanted = Verified.ETAG if kind == "ETag" else Verified.CHECKSUM
    assert prove(tmp_path, answers, stored=stored, etag=etag) is (wanted if is_proven else Verified.SIZE)


BIG = random.Random(2).randbytes(13 * MIB)
"""Parts of 5, 5 and 3 MiB: sizes that can be guessed."""
CUTS = [5 * MIB, 5 * MIB, 3 * MIB]
ODD = [5 * MIB + 1, 5 * MIB + 1, 3 * MIB - 2]


@pytest.mark.parametrize(
    "answers",
    [
        [etag_reply(multipart_etag(BIG, CUTS), content_length=str(len(BIG)))],
        [etag_reply("v2", content_length=str(5 * MIB))],
        [etag_reply(multipart_etag(BIG, CUTS), content_length=str(5 * MIB)), etag_reply("v2", content_length="1")],
        [etag_reply(multipart_etag(BIG, CUTS))],
        [etag_reply(multipart_etag(BIG, CUTS), content_length="many")],
        [BadReply("cut")],
        [NotFound("here", "k")],
        [InvalidRange("416")],
        [AccessDenied("403")],
        [Service("400", code="InvalidArgument", status=400)],
    ],
    ids=["ignored", "replaced", "replaced between", "no length", "bad length", "garbage", "404", "416", "403", "400"],
)
def test_a_service_that_tells_no_parts_is_second_guessed(tmp_path, answers):
    """The sizes that uploaders use: one that fits is as good as one that was told; none that fits says nothing."""
    etag = multipart_etag(BIG, CUTS)
    assert prove(tmp_path, answers, data=BIG, etag=etag) is Verified.ETAG
    assert prove(tmp_path, answers, data=BIG, stored=composite_of(BIG, CUTS), etag=etag) is Verified.CHECKSUM


def test_a_guess_that_fits_nothing_says_nothing(tmp_path):
    """An unusual part size is no damage."""
    etag = multipart_etag(BIG, ODD)
    assert prove(tmp_path, [NotFound("here", "k")], data=BIG, etag=etag) is Verified.SIZE
    assert prove(tmp_path, [told(ODD, etag)] * 2, data=BIG, etag=etag) is Verified.ETAG


ONE = multipart_etag(WRONG, [10_000])


@pytest.mark.parametrize(
    ("answer", "is_damage"),
    [
        (etag_reply(ONE, content_length="10000", x_amz_mp_parts_count="1"), True),
        (etag_reply(ONE, content_length="10000"), False),
        (etag_reply("v2", content_length="10000", x_amz_mp_parts_count="1"), False),
        (Service("400", code="InvalidArgument", status=400), False),
    ],
    ids=["one part", "no parts", "replaced", "400"],
)
def test_other_bytes_under_the_etag_of_one_part(tmp_path, answer, is_damage):
    """Some services write -1 behind ETags that are no MD5: only one that counts parts is believed to mean it."""
    if is_damage:
        with pytest.raises(ChecksumMismatch):
            prove(tmp_path, [answer], etag=ONE)
    else:
        assert prove(tmp_path, [answer], etag=ONE) is Verified.SIZE


@pytest.mark.parametrize("failure", [Network("reset"), ServerFault("500"), Cancelled("given up")])
@pytest.mark.parametrize("answered", [0, 1])
def test_a_question_that_was_not_answered_is_a_failure(tmp_path, failure, answered):
    """The object does not get by with its size because the network was down."""
    etag = multipart_etag(DATA, THREE)
    with pytest.raises(type(failure)):
        prove(tmp_path, [told(THREE, etag)] * answered + [failure], etag=etag)


def test_customers_keys_are_told_to_the_service(tmp_path):
    """Without them it answers nothing about the object."""
    settings = JobSettings(object=ObjectSettings(sse_c_key=bytes(32)))
    with staged(tmp_path, settings) as stage:
        driver = Driver([NotFound("here", "k")])
        stored = composite_of(DATA, THREE)
        driver.run(prove_file(stage.around, item_of(tmp_path), File(), stored, "opaque", "SSE-C"))
    assert "x-amz-server-side-encryption-customer-key" in driver.headers()


# --- how it goes about it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pieces", "pauses"), [(1, 2), (5, 2)])
def test_long_work_is_done_in_slices(tmp_path, pieces, pauses):
    """Every 8 MiB the loop has its turn, and whoever has it may use the receive memory."""
    data = bytes(2 * PAUSE_EVERY + 4096)
    size = -(-len(data) // pieces)
    sizes = [size] * (pieces - 1) + [len(data) - size * (pieces - 1)]
    etag = multipart_etag(data, sizes)
    stored = None if pieces > 1 else Checksum("CRC64NVME", value(data))
    with staged(tmp_path) as stage:
        driver = Driver([told(sizes, etag)] * (2 if pieces > 1 else 0))
        proving = prove_file(stage.around, item_of(tmp_path, data), File(data), stored, etag, "")
        assert driver.run(scribbling(stage, proving)) in {Verified.CHECKSUM, Verified.ETAG}
    assert driver.pauses == pauses


def scribbling(stage, flow):
    """The same flow, with others writing to the receive memory at each of its pauses."""
    step = next(flow)
    while True:
        sent = yield step
        if isinstance(step, Pause):
            stage.around.receive[:] = b"?" * len(stage.around.receive)
        try:
            step = flow.send(sent)
        except StopIteration as stop:
            return stop.value


def test_it_can_be_interrupted_at_every_question(tmp_path):
    """Closed or failed: nothing is held."""
    etag = multipart_etag(DATA, HIDDEN)
    with staged(tmp_path) as stage:

        def flow():
            return prove_file(stage.around, item_of(tmp_path), File(), None, etag, "")

        assert interrupt_everywhere(stage, flow, [told(HIDDEN, etag)] * 4) == 3


@pytest.mark.parametrize(
    ("stored", "algorithm"),
    [
        (None, ""),
        (Checksum("CRC64NVME", "x"), "CRC64NVME"),
        (Checksum("CRC32C", "x"), "CRC32C"),
        (Checksum("CRC32", "x"), "CRC32"),
        (Checksum("CRC32", "x-3", "COMPOSITE"), ""),
        (Checksum("SHA256", "x"), ""),
        (Checksum("SHA1", "x"), ""),
    ],
)
def test_what_is_computed_over_ranges(stored, algorithm):
    """Only what combines into the checksum of the whole."""
    assert range_algorithm(stored) == algorithm


@pytest.mark.parametrize("algorithm", ["CRC64NVME", "CRC32C", "CRC32"])
def test_ranges_prove_the_whole_in_their_order(algorithm):
    """All of them, each where it belongs."""
    stored = Checksum(algorithm, value(DATA, algorithm))
    parts = [
        PartFact(number, 0, len(piece), checksum=value(piece, algorithm))
        for number, piece in enumerate(cut(DATA, THREE), 1)
    ]
    assert prove_ranges("k", stored, parts) is Verified.CHECKSUM
    for wrong in (parts[:-1], parts[::-1], [*parts, parts[0]], []):
        with pytest.raises(ChecksumMismatch):
            prove_ranges("k", stored, wrong)
