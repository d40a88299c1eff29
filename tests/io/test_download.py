"""Downloads, played by hand: what lands, what proves it, and that nothing else is left."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from orbit_fast.core.checksum import composite
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import IntegrityError
from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import NameConflict
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import ServerFault
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.errors import UnsafePath
from orbit_fast.core.errors import Unverifiable
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.core.settings import TransferSettings
from orbit_fast.io import download
from tests.kit.flow_driver import RUN
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import Tries
from tests.kit.flow_driver import interrupt_everywhere
from tests.kit.flow_driver import reply
from tests.kit.flow_driver import staged
from tests.kit.object_replies import DATA
from tests.kit.object_replies import MODIFIED_S
from tests.kit.object_replies import body
from tests.kit.object_replies import failure
from tests.kit.object_replies import good
from tests.kit.object_replies import head_reply
from tests.kit.object_replies import item_of
from tests.kit.object_replies import md5
from tests.kit.object_replies import rest
from tests.kit.object_replies import value

NO_VERIFY = JobSettings(transfer=TransferSettings(verify=False))
REQUIRED = JobSettings(transfer=TransferSettings(require_verify=True))
NO_CLOBBER = JobSettings(selection=SelectionSettings(no_clobber=True))
MISSING = NotFound("here", "k")


@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=["empty", "one byte", "several buffers"])
def test_an_object_lands_whole_under_its_name(tmp_path, data):
    """One GET, pinned to the version that was listed; the file has its bytes, mode and Last-Modified."""
    with staged(tmp_path) as stage:
        driver = Driver([body(data, x_amz_checksum_crc64nvme=value(data), x_amz_version_id="ver")])
        ending = driver.run(download.download(stage.around, item_of(tmp_path, data)))
        stage.check_clean()
    assert driver.operations == ["GetObject"]
    assert driver.headers()["if-match"] == '"v1"'
    assert driver.headers()["x-amz-checksum-mode"] == "ENABLED"
    landed = tmp_path / "out" / "a" / "file"
    assert landed.read_bytes() == data
    assert (landed.stat().st_mtime_ns, landed.stat().st_mode & 0o777) == (MODIFIED_S * 10**9, 0o644)
    assert (ending.status, ending.landed.verified) == (Status.DONE, Verified.CHECKSUM)
    assert (ending.landed.size, ending.landed.etag, ending.landed.version_id) == (len(data), "v1", "ver")


@pytest.mark.parametrize(
    ("headers", "heads", "verified"),
    [
        ({"x_amz_checksum_crc64nvme": value(DATA)}, [], Verified.CHECKSUM),
        ({"x_amz_checksum_sha256": value(DATA, "SHA256")}, [], Verified.CHECKSUM),
        ({"x_amz_checksum_crc32": value(DATA, "CRC32") + "-2"}, [head_reply()], Verified.SIZE),
        ({"etag": md5(DATA)}, [], Verified.ETAG),
        ({"etag": md5(b""), "x_amz_server_side_encryption": "aws:kms"}, [head_reply()], Verified.SIZE),
        ({}, [head_reply()], Verified.SIZE),
        ({}, [head_reply(x_amz_checksum_crc32c=value(DATA, "CRC32C"), etag='"opaque"')], Verified.CHECKSUM),
    ],
)
def test_what_the_answer_proves(tmp_path, headers, heads, verified):
    """The whole object's checksum, else an ETag that is an MD5, else what another look brings, else the size."""
    etag = headers.get("etag", "opaque")
    item = item_of(tmp_path, etag=etag)
    with staged(tmp_path) as stage:
        driver = Driver([body(**{**headers, "etag": etag}), *heads])
        ending = driver.run(download.download(stage.around, item))
        stage.check_clean()
    assert ending.landed.verified is verified
    assert (ending.landed.checksum is not None) == (verified is Verified.CHECKSUM)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (body(x_amz_checksum_crc64nvme=value(b"other")), ChecksumMismatch),
        (body(etag=md5(b"other")), ChecksumMismatch),
        (body(DATA[:-1]), SizeMismatch),
        (body(DATA + b"x"), SizeMismatch),
        (body(DATA[:-1], is_chunked=True), SizeMismatch),
        (body(DATA + b"x", is_chunked=True), SizeMismatch),
        (body(cut=(5000, Network("cut"))), Network),
        (body(cut=(0, Network("cut"))), Network),
        (MISSING, NotFound),
    ],
)
def test_what_is_not_the_object_never_gets_its_name(tmp_path, answer, kind):
    """Other bytes, fewer, more, a cut: the destination is as it was, and no temporary file is left."""
    there = tmp_path / "out" / "a" / "file"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"old")
    with staged(tmp_path) as stage:
        item = item_of(tmp_path, etag="")
        with pytest.raises(kind):
            Driver([answer]).run(download.download(stage.around, item))
        stage.check_clean()
    assert there.read_bytes() == b"old"


def test_an_answer_of_404_makes_no_directory(tmp_path):
    """Nothing is made before a good answer has begun."""
    with staged(tmp_path) as stage, pytest.raises(NotFound):
        Driver([MISSING]).run(download.download(stage.around, item_of(tmp_path)))
    assert not (tmp_path / "out").exists()


def test_a_download_that_is_interrupted_leaves_nothing(tmp_path):
    """Closed or failed at its request, before and in the middle of the body."""
    with staged(tmp_path) as stage:
        item = item_of(tmp_path)
        answers = [body(), head_reply()]
        assert interrupt_everywhere(stage, lambda: download.download(stage.around, item), answers) == 2
        for end in ("close", "throw"):
            flow = download.download(stage.around, item)
            call = next(flow)
            call.sink.begin(200, {"content-length": str(len(DATA)), "etag": '"v1"'}, len(DATA))
            call.sink.received(100)
            assert len(stage.temps()) == 1
            if end == "close":
                flow.close()
            else:
                with pytest.raises(Network):
                    flow.throw(Network("cut"))
            stage.check_clean()


def test_a_second_try_starts_the_same_file_afresh(tmp_path):
    """A retry's sink begins again: nothing of a longer first try is left in the file."""
    with staged(tmp_path) as stage:
        item = item_of(tmp_path, b"short", etag="")
        flow = download.download(stage.around, item)
        call = next(flow)
        headers = {"content-length": "5", "x-amz-checksum-crc64nvme": value(b"short")}
        call.sink.begin(200, headers, 5)
        call.sink.buffer()[:5] = b"wrong"
        call.sink.received(5)
        call.sink.begin(200, headers, 5)
        assert len(stage.temps()) == 1
        call.sink.buffer()[:5] = b"short"
        call.sink.received(5)
        call.sink.finish()
        with pytest.raises(StopIteration):
            flow.send(reply(content_length="5", attempts=2))
        stage.check_clean()
    assert (tmp_path / "out" / "a" / "file").read_bytes() == b"short"


@pytest.mark.parametrize(
    "first",
    [failure(PreconditionFailed, status=412), body(b"z" * 20_000, etag="v2")],
    ids=["412", "another version answers"],
)
@pytest.mark.parametrize("new", [b"", b"newer", DATA * 3], ids=["empty", "smaller", "larger"])
def test_an_object_that_was_replaced_since_the_listing_is_fetched_as_it_is(tmp_path, first, new):
    """A look at what it is now, and a second GET that is pinned to that."""
    with staged(tmp_path) as stage:
        driver = Driver([first, head_reply(content_length=str(len(new)), etag='"v2"'), good(new, etag="v2")])
        ending = driver.run(download.download(stage.around, item_of(tmp_path)))
        stage.check_clean()
    assert driver.headers()["if-match"] == '"v2"'
    assert (ending.landed.size, ending.landed.etag) == (len(new), "v2")
    assert (tmp_path / "out" / "a" / "file").read_bytes() == new


CUT = Network("cut")


@pytest.mark.parametrize(
    ("tries", "ranges"),
    [
        ([good(cut=(4000, CUT)), rest(4000)], ["", "bytes=4000-9999"]),
        ([good(cut=(4000, CUT)), rest(4000, cut=(1, CUT)), rest(4001)], ["", "bytes=4000-9999", "bytes=4001-9999"]),
        ([good(cut=(4000, CUT)), ServerFault("503"), rest(4000)], ["", "bytes=4000-9999", "bytes=4000-9999"]),
        ([good(cut=(4000, CUT)), rest(3999), good()], ["", "bytes=4000-9999", ""]),
        ([good(cut=(4000, CUT)), good()], ["", "bytes=4000-9999"]),
        ([body(DATA[::-1], x_amz_checksum_crc64nvme=value(DATA)), good()], ["", ""]),
        ([ServerFault("503"), good()], ["", ""]),
    ],
)
def test_a_body_that_breaks_off_is_continued(tmp_path, tries, ranges):
    """Only what has not arrived is asked for, of the same version; the checksum of the whole still proves it."""
    with staged(tmp_path) as stage:
        driver = Driver([Tries(tries)])
        ending = driver.run(download.download(stage.around, item_of(tmp_path)))
        stage.check_clean()
    assert [dict(request.headers).get("range", "") for request in driver.requests] == ranges
    assert {dict(request.headers)["if-match"] for request in driver.requests} == {'"v1"'}
    assert ["x-amz-checksum-mode" in dict(request.headers) for request in driver.requests] == [not r for r in ranges]
    assert (ending.landed.verified, ending.landed.attempts) == (Verified.CHECKSUM, len(tries))
    assert (tmp_path / "out" / "a" / "file").read_bytes() == DATA


def test_an_object_of_no_known_version_is_never_pieced_together(tmp_path):
    """Without an ETag the rest might be another object's."""
    with staged(tmp_path) as stage:
        driver = Driver([Tries([good(cut=(4000, CUT)), good()])])
        driver.run(download.download(stage.around, item_of(tmp_path, etag="")))
    assert ["range" in dict(request.headers) for request in driver.requests] == [False, False]


def test_an_object_that_is_replaced_while_it_is_continued_is_fetched_anew(tmp_path):
    """Nothing of the first version is in the file."""
    with staged(tmp_path) as stage:
        gone = Tries([body(cut=(4000, CUT)), failure(PreconditionFailed, status=412)])
        driver = Driver([gone, head_reply(content_length="5", etag='"v2"'), good(b"newer", etag="v2")])
        driver.run(download.download(stage.around, item_of(tmp_path)))
        stage.check_clean()
    assert "range" not in driver.headers()
    assert (tmp_path / "out" / "a" / "file").read_bytes() == b"newer"


def test_an_object_that_is_replaced_again_and_again_is_a_failure(tmp_path):
    """Two tries, not for ever."""
    refused = failure(PreconditionFailed, status=412)
    with staged(tmp_path) as stage:
        with pytest.raises(IntegrityError) as caught:
            Driver([refused, head_reply(), refused]).run(download.download(stage.around, item_of(tmp_path)))
        stage.check_clean()
    assert caught.value.code == "E_OBJECT_CHANGING"


def test_a_reply_in_chunks_has_a_length_when_it_has_ended(tmp_path):
    """No Content-Length: what was listed, or looked up, says how long it must be."""
    with staged(tmp_path) as stage:
        Driver([good(is_chunked=True)]).run(download.download(stage.around, item_of(tmp_path)))
        now = head_reply(content_length="5", etag='"v2"')
        answers = [failure(PreconditionFailed), now, good(b"newer", etag="v2", is_chunked=True)]
        ending = Driver(answers).run(download.download(stage.around, item_of(tmp_path)))
    assert (ending.landed.size, ending.landed.verified) == (5, Verified.CHECKSUM)


def test_no_disk_is_reserved_on_a_strangers_word(tmp_path, monkeypatch):
    """A replaced object of an impossible size must not look like a full disk."""
    reserved = []
    with staged(tmp_path) as stage:
        monkeypatch.setattr(stage.landings, "_reserve", lambda _landing, size: reserved.append(size))
        huge = str(1 << 60)
        begun = body(b"", content_length=huge, cut=(0, Network("cut")))
        driver = Driver([failure(PreconditionFailed), head_reply(content_length=huge), begun])
        with pytest.raises(Network):
            driver.run(download.download(stage.around, item_of(tmp_path, size=2 << 20)))
        stage.check_clean()
    assert reserved == [2 << 20]


def test_without_verification_nothing_is_compared_but_the_size(tmp_path):
    """--no-verify: no checksum is asked for, a wrong one does not matter, a wrong size still does."""
    with staged(tmp_path, NO_VERIFY) as stage:
        driver = Driver([body(x_amz_checksum_crc64nvme=value(b"other"))])
        ending = driver.run(download.download(stage.around, item_of(tmp_path)))
        assert ending.landed.verified is Verified.NOTHING
        assert ending.landed.checksum is None
        assert "x-amz-checksum-mode" not in driver.headers()
        with pytest.raises(SizeMismatch):
            Driver([body(DATA[:-1])]).run(download.download(stage.around, item_of(tmp_path)))
        stage.check_clean()


def test_proof_may_be_required(tmp_path):
    """--require-verify: an object of which only the size is known does not get its name."""
    with staged(tmp_path, REQUIRED) as stage:
        with pytest.raises(Unverifiable):
            Driver([body(), head_reply()]).run(download.download(stage.around, item_of(tmp_path)))
        stage.check_clean()
        assert Driver([good()]).run(download.download(stage.around, item_of(tmp_path))).status is Status.DONE


KNOWN = head_reply(x_amz_checksum_crc32c=value(DATA, "CRC32C"))


@pytest.mark.parametrize(
    ("look", "verified", "is_mute"),
    [
        (KNOWN, Verified.CHECKSUM, False),
        (head_reply(), Verified.SIZE, True),
        (head_reply(etag='"v2"', x_amz_checksum_crc32c=value(b"other", "CRC32C")), Verified.SIZE, False),
        (MISSING, Verified.SIZE, False),
    ],
    ids=["told", "not told", "of another version", "deleted since"],
)
def test_a_checksum_that_came_not_with_the_bytes_is_asked_for(tmp_path, look, verified, is_mute):
    """For some objects: a service that never tells it then either is not asked for ever."""
    with staged(tmp_path) as stage:
        for number in range(download.MAX_UNANSWERED + 2):
            is_asked = not is_mute or number < download.MAX_UNANSWERED
            answers = [body(), look] if is_asked else [body()]
            ending = Driver(answers).run(download.download(stage.around, item_of(tmp_path)))
            assert (ending.status, ending.landed.verified) == (Status.DONE, verified)
        stage.check_clean()


def test_a_checksum_that_is_told_later_still_refuses_other_bytes(tmp_path):
    """It is compared with the landed file."""
    wrong = head_reply(x_amz_checksum_crc32c=value(b"other", "CRC32C"))
    with staged(tmp_path) as stage:
        with pytest.raises(ChecksumMismatch):
            Driver([body(), wrong]).run(download.download(stage.around, item_of(tmp_path)))
        stage.check_clean()
    assert not (tmp_path / "out" / "a" / "file").exists()


@pytest.mark.parametrize("data", [DATA, DATA[::-1]], ids=["right", "damaged"])
@pytest.mark.parametrize("is_ranged", [False, True])
def test_an_object_that_was_uploaded_in_parts_is_proven_by_them(tmp_path, data, is_ranged):
    """Its composite checksum, over the landed file, cut where the service says that it was."""
    sizes, etag = [6000, 4000], "opaque-2"
    stored = composite("SHA256", [value(DATA[:6000], "SHA256"), value(DATA[6000:], "SHA256")])
    named = {"etag": f'"{etag}"', "x_amz_checksum_sha256": stored}
    parts = [reply(content_length=str(size), etag=f'"{etag}"') for size in sizes]
    item = item_of(tmp_path, etag=etag)

    def steps():
        if not is_ranged:
            return (yield from download.download(stage.around, item))
        start = yield from download.begin(stage.around, item)
        fact = yield from download.move_part(stage.around, MovePart(item, start, 1, 0, len(DATA)))
        return (yield from download.finish(stage.around, Finish(item, start, (fact,))))

    with staged(tmp_path) as stage:
        whole = body(data, etag=etag, x_amz_checksum_sha256=stored)
        answers = [head_reply(**named), rest(0, data, etag=etag)] if is_ranged else [whole]
        driver = Driver([*answers, *parts])
        if data == DATA:
            assert driver.run(steps()).landed.verified is Verified.CHECKSUM
        else:
            with pytest.raises(ChecksumMismatch):
                driver.run(steps())
        stage.check_clean(temps=int(is_ranged and data != DATA))
    assert (tmp_path / "out" / "a" / "file").exists() == (data == DATA)


def test_time_and_mode_come_back_when_they_are_wanted(tmp_path):
    """--preserve-metadata: what an upload stored, without set-uid bits."""
    settings = JobSettings(transfer=TransferSettings(preserve_metadata=True))
    with staged(tmp_path, settings) as stage:
        answer = good(x_amz_meta_mtime="1500000000.25", x_amz_meta_mode="104750")
        Driver([answer]).run(download.download(stage.around, item_of(tmp_path)))
    found = (tmp_path / "out" / "a" / "file").stat()
    assert (found.st_mtime_ns, found.st_mode & 0o7777) == (1_500_000_000_250_000_000, 0o750)


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        (SelectionSettings(no_clobber=True), "exists"),
        (SelectionSettings(if_size_differ=True), "same-size"),
        (SelectionSettings(if_source_newer=True), "not-newer"),
    ],
)
def test_a_condition_is_decided_without_a_request(tmp_path, selection, reason):
    """What stands at the destination is looked at; what is forbidden is not fetched."""
    there = tmp_path / "out" / "a" / "file"
    there.parent.mkdir(parents=True)
    there.write_bytes(DATA[::-1])
    with staged(tmp_path, JobSettings(selection=selection)) as stage:
        for flow in (download.download, download.begin):
            ending = Driver([]).run(flow(stage.around, item_of(tmp_path)))
            assert (ending.status, ending.reason) == (Status.SKIPPED, reason)
    assert there.read_bytes() == DATA[::-1]


def test_a_file_that_appears_under_way_is_not_replaced(tmp_path):
    """--no-clobber holds at the moment of the rename."""
    there = tmp_path / "out" / "a" / "file"
    with staged(tmp_path, NO_CLOBBER) as stage:

        def appear(_call):
            there.parent.mkdir(parents=True)
            there.write_bytes(b"mine")
            return good()

        ending = Driver([appear]).run(download.download(stage.around, item_of(tmp_path)))
        stage.check_clean()
    assert (ending.status, ending.reason) == (Status.SKIPPED, "exists")
    assert there.read_bytes() == b"mine"


def test_a_dry_run_touches_nothing(tmp_path):
    """--dry-run."""
    with staged(tmp_path, JobSettings(output=OutputSettings(dry_run=True))) as stage:
        for flow in (download.download, download.begin):
            assert Driver([]).run(flow(stage.around, item_of(tmp_path))).status is Status.PLANNED
    assert not (tmp_path / "out").exists()


def test_a_directory_marker_becomes_a_directory(tmp_path):
    """``name/`` without bytes, asked for by nobody; with bytes it is refused; over a file it is a conflict."""
    with staged(tmp_path) as stage:
        marker = item_of(tmp_path, b"", key="d/", path=bytes(tmp_path / "out" / "d") + b"/")
        assert Driver([]).run(download.download(stage.around, marker)).status is Status.DONE
        assert (tmp_path / "out" / "d").is_dir()
        with pytest.raises(LocalError) as caught:
            Driver([]).run(download.download(stage.around, replace(marker, size=3)))
        assert caught.value.code == "E_DIR_MARKER_DATA"
        (tmp_path / "out" / "f").write_bytes(b"x")
        with pytest.raises(NameConflict):
            Driver([]).run(download.download(stage.around, replace(marker, path=bytes(tmp_path / "out" / "f") + b"/")))


def test_a_link_in_the_way_leads_nowhere(tmp_path):
    """A key does not leave the destination through somebody's symbolic link."""
    (tmp_path / "out").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "outside")
    with staged(tmp_path) as stage:
        with pytest.raises(UnsafePath):
            Driver([body()]).run(download.download(stage.around, item_of(tmp_path)))
        stage.check_clean()
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_worker_that_follows_a_dead_one_takes_its_file_over(tmp_path):
    """Temporary names are the job's, by item: the second worker removes what the first one left."""
    with staged(tmp_path) as first:
        flow = download.download(first.around, item_of(tmp_path))
        call = next(flow)
        call.sink.begin(200, {"content-length": str(len(DATA)), "etag": '"v1"'}, len(DATA))
        call.sink.received(4000)
        with staged(tmp_path) as second:
            assert len(second.temps()) == 1
            Driver([good()]).run(download.download(second.around, item_of(tmp_path)))
            assert second.temps() == []
        flow.close()
    assert (tmp_path / "out" / "a" / "file").read_bytes() == DATA


@pytest.mark.parametrize("path", ["out/a/file", "file", "./file", "out//file"])
def test_what_a_dead_worker_left_is_swept_away(tmp_path, monkeypatch, path):
    """By number, whatever the path looks like; nothing is made where nothing was, and nothing else is touched."""
    monkeypatch.chdir(tmp_path)
    with staged(tmp_path) as dead:
        dead.landings.sweep(7, path.encode())
        assert not (tmp_path / "out").exists()
        dead.landings.create(path.encode(), number=7).leave()
        dead.landings.create(path.encode(), number=8).leave()
    with staged(tmp_path) as stage:
        stage.landings.sweep(7, path.encode())
        assert [temp.name for temp in stage.temps()] == [f".orbit-{RUN}-8.tmp"]
