"""Downloads in ranges, played by hand: the steps that the ledger deals out, each in its own worker."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.errors import Unverifiable
from orbit_fast.core.errors import Vanished
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import TransferSettings
from orbit_fast.io import download
from tests.kit.flow_driver import RUN
from tests.kit.flow_driver import Body
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import Tries
from tests.kit.flow_driver import interrupt_everywhere
from tests.kit.flow_driver import staged
from tests.kit.object_replies import DATA
from tests.kit.object_replies import MODIFIED_S
from tests.kit.object_replies import failure
from tests.kit.object_replies import head_reply
from tests.kit.object_replies import item_of
from tests.kit.object_replies import md5
from tests.kit.object_replies import rest
from tests.kit.object_replies import value

NO_VERIFY = JobSettings(transfer=TransferSettings(verify=False))
REQUIRED = JobSettings(transfer=TransferSettings(require_verify=True))
CUT = 4000
PARTS = [DATA[:CUT], DATA[CUT:]]


def begun(stage, item, **headers):
    """A download that began."""
    return Driver([head_reply(**headers)]).run(download.begin(stage.around, item))


def range_of(number, *, etag="v1", data=None, total=None, status=206, content_range=None):
    """The answer to a ranged GET of one part."""
    first = 0 if number == 1 else CUT
    part = PARTS[number - 1] if data is None else data
    named = content_range or f"bytes {first}-{first + len(part) - 1}/{total or len(DATA)}"
    return Body(data=part, headers={"etag": f'"{etag}"', "content-range": named}, status=status)


def move(stage, item, start, number, answer):
    """Fetch one of the two ranges."""
    order = MovePart(item, start, number, 0 if number == 1 else CUT, len(PARTS[number - 1]))
    driver = Driver([answer])
    return driver, driver.run(download.move_part(stage.around, order))


def fetched(stage, item, **headers):
    """A download of which both ranges have landed, the second one first."""
    start = begun(stage, item, **headers)
    facts = [move(stage, item, start, number, range_of(number))[1] for number in (2, 1)]
    return Finish(item, start, tuple(sorted(facts, key=lambda fact: fact.number)))


@pytest.mark.parametrize("algorithm", ["CRC64NVME", "CRC32C", "SHA256", "MD5", ""])
def test_ranges_land_in_one_file_that_is_proven(tmp_path, algorithm):
    """Combined where the checksum combines, read again where it does not; else an MD5 ETag; else the size."""
    etag = md5(DATA) if algorithm == "MD5" else "v1"
    known = {"etag": f'"{etag}"'}
    if algorithm not in {"MD5", ""}:
        known[f"x_amz_checksum_{algorithm.lower()}"] = value(DATA, algorithm)
        known["x_amz_checksum_type"] = "FULL_OBJECT"
    with staged(tmp_path) as stage:
        item = item_of(tmp_path)
        start = begun(stage, item, **known)
        stage.check_clean(temps=1)
        facts = []
        for number in (2, 1):
            driver, fact = move(stage, item, start, number, range_of(number, etag=etag))
            assert driver.headers()["if-match"] == f'"{etag}"'
            first = 0 if number == 1 else CUT
            assert driver.headers()["range"] == f"bytes={first}-{first + len(PARTS[number - 1]) - 1}"
            stage.check_clean(temps=1)
            facts.insert(0, fact)
        assert facts[0].checksum == value(PARTS[0], algorithm if algorithm.startswith("CRC") else "CRC32C")
        ending = Driver([]).run(download.finish(stage.around, Finish(item, start, tuple(facts))))
        stage.check_clean()
    assert (tmp_path / "out" / "a" / "file").read_bytes() == DATA
    assert (tmp_path / "out" / "a" / "file").stat().st_mtime_ns == MODIFIED_S * 10**9
    wanted = {"MD5": Verified.ETAG, "": Verified.SIZE}.get(algorithm, Verified.CHECKSUM)
    assert (ending.landed.verified, ending.landed.parts) == (wanted, 2)


@pytest.mark.parametrize("algorithm", ["CRC64NVME", "SHA256", "MD5"])
def test_ranges_that_are_not_the_object_are_not_published(tmp_path, algorithm):
    """The failure leaves the temporary file to the step that abandons."""
    wrong = DATA[::-1]
    known = {"etag": f'"{md5(wrong)}"'} if algorithm == "MD5" else {}
    if not known:
        known = {f"x_amz_checksum_{algorithm.lower()}": value(wrong, algorithm), "x_amz_checksum_type": "FULL_OBJECT"}
    with staged(tmp_path) as stage:
        item = item_of(tmp_path)
        start = begun(stage, item, **known)
        facts = tuple(move(stage, item, start, number, range_of(number, etag=start.etag))[1] for number in (1, 2))
        with pytest.raises(ChecksumMismatch):
            Driver([]).run(download.finish(stage.around, Finish(item, start, facts)))
        stage.check_clean(temps=1)
        Driver([]).run(download.abandon(stage.around, item, start))
        stage.check_clean()
        Driver([]).run(download.abandon(stage.around, item, start))
    assert not (tmp_path / "out" / "a" / "file").exists()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (range_of(2, etag="v2"), PreconditionFailed),
        (range_of(2, total=len(DATA) + 1), PreconditionFailed),
        (failure(PreconditionFailed, status=412), PreconditionFailed),
        (range_of(2, content_range="bytes 3999-9999/10000"), BadReply),
        (Body(data=PARTS[1], headers={"etag": '"v1"'}, status=206), BadReply),
        (Body(data=DATA, headers={"etag": '"v1"'}), BadReply),
        (range_of(2, data=PARTS[1][:-1]), BadReply),
    ],
)
def test_a_range_that_is_not_the_one_asked_for_is_refused(tmp_path, answer, kind):
    """Another version, another place, the whole object: nothing of it is written."""
    with staged(tmp_path) as stage:
        item = item_of(tmp_path)
        start = begun(stage, item)
        move(stage, item, start, 1, range_of(1))
        [temp] = stage.temps()
        before = temp.read_bytes()
        with pytest.raises(kind):
            move(stage, item, start, 2, answer)
        stage.check_clean(temps=1)
        assert temp.read_bytes() == before


def test_a_range_that_breaks_off_is_continued(tmp_path):
    """From where it broke, to its own end."""
    with staged(tmp_path) as stage:
        item = item_of(tmp_path)
        start = begun(stage, item, x_amz_checksum_crc32c=value(DATA, "CRC32C"), x_amz_checksum_type="FULL_OBJECT")
        tries = [rest(CUT, cut=(1000, Network("cut"))), rest(CUT + 1000)]
        driver, fact = move(stage, item, start, 2, Tries(tries))
        assert [dict(request.headers)["range"] for request in driver.requests] == ["bytes=4000-9999", "bytes=5000-9999"]
        assert (fact.checksum, fact.attempts) == (value(PARTS[1], "CRC32C"), 2)
        [temp] = stage.temps()
        assert temp.read_bytes()[CUT:] == PARTS[1]


def test_a_200_with_the_right_content_range_is_good(tmp_path):
    """Some services answer ranges so."""
    with staged(tmp_path) as stage:
        item = item_of(tmp_path)
        _, fact = move(stage, item, begun(stage, item), 2, range_of(2, status=200))
    assert fact.size == len(PARTS[1])


def test_an_object_of_another_size_begins_as_it_is_now(tmp_path):
    """It was replaced since the listing: the size goes back with the event, so that the parts are cut anew."""
    with staged(tmp_path) as stage:
        assert begun(stage, item_of(tmp_path)).size == -1
        assert begun(stage, item_of(tmp_path, size=5)).size == len(DATA)
        stage.check_clean(temps=1)  # the same number: the second took the place of the first


@pytest.mark.parametrize("length", ["0", str(1 << 62)])
def test_an_object_of_a_size_that_cannot_be_does_not_begin(tmp_path, length):
    """Emptied since the listing, or a lie."""
    with staged(tmp_path) as stage:
        with pytest.raises(SizeMismatch):
            begun(stage, item_of(tmp_path), content_length=length)
        stage.check_clean()


def test_the_steps_leave_nothing_of_their_own_when_interrupted(tmp_path):
    """Closed or failed at each request: no descriptor; of a begun download the temporary file stays for `abandon`."""
    with staged(tmp_path) as stage:
        item = item_of(tmp_path)
        assert interrupt_everywhere(stage, lambda: download.begin(stage.around, item), [head_reply()]) == 1
        for temp in stage.temps():
            temp.unlink()
        start = begun(stage, item)
        order = MovePart(item, start, 1, 0, CUT)
        for end in ("close", "throw"):
            flow = download.move_part(stage.around, order)
            call = next(flow)
            call.sink.begin(206, dict(range_of(1).headers), CUT)
            call.sink.received(100)
            if end == "close":
                flow.close()
            else:
                with pytest.raises(Network):
                    flow.throw(Network("cut"))
            stage.check_clean(temps=1)


def test_without_verification_nothing_is_compared(tmp_path):
    """--no-verify: whatever the service says about the whole. A later job can tell what has landed all the same."""
    with staged(tmp_path, NO_VERIFY) as stage:
        item = item_of(tmp_path)
        order = fetched(stage, item, x_amz_checksum_crc64nvme=value(b"other"), x_amz_checksum_type="FULL_OBJECT")
        assert [fact.checksum for fact in order.parts] == [value(part) for part in PARTS]
        ending = Driver([]).run(download.finish(stage.around, order))
        stage.check_clean()
    assert (ending.status, ending.landed.verified) == (Status.DONE, Verified.NOTHING)


def test_proof_of_ranges_may_be_required(tmp_path):
    """--require-verify, and nothing to compare with."""
    with staged(tmp_path, REQUIRED) as stage:
        order = fetched(stage, item_of(tmp_path))
        with pytest.raises(Unverifiable):
            Driver([]).run(download.finish(stage.around, order))
        stage.check_clean(temps=1)


def test_a_file_that_is_gone_or_foreign_is_not_finished(tmp_path):
    """A temporary file that somebody removed; one that is not this destination's."""
    with staged(tmp_path) as stage:
        item = item_of(tmp_path)
        order = fetched(stage, item)
        stage.temps()[0].unlink()
        for flow in (
            download.finish(stage.around, order),
            download.move_part(stage.around, MovePart(item, order.begun, 1, 0, CUT)),
        ):
            with pytest.raises(Vanished):
                Driver([]).run(flow)
        foreign = replace(order.begun, temp=bytes(tmp_path / "out" / f".orbit-{RUN}-7.tmp"))
        with pytest.raises(S3Error):
            Driver([]).run(download.finish(stage.around, replace(order, begun=foreign)))
        stage.check_clean()


def test_parts_keep_the_most_tries(tmp_path):
    """The event says how often the most troubled request was made."""
    with staged(tmp_path) as stage:
        order = fetched(stage, item_of(tmp_path))
        tried = PartFact(2, CUT, len(PARTS[1]), attempts=4)
        ending = Driver([]).run(download.finish(stage.around, replace(order, parts=(order.parts[0], tried))))
    assert ending.landed.attempts == 4
