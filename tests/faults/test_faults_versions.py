"""Objects and files that change while they are moved, and two who want the same.

Rows without a test here:

===  ==================================================================================================================
V4   comparing times and sizes, V5 clocks that differ: rules of a synchronisation, which is not there yet.
===  ==================================================================================================================
"""

from __future__ import annotations

import base64
import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from orbit_fast.testing import ServerSettings
from tests.kit import faults_actions as act
from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import LARGE
from tests.kit.fault_run import OTHER
from tests.kit.fault_run import SMALL
from tests.kit.fault_run import open_lab
from tests.kit.faults import ALWAYS
from tests.kit.faults import PART
from tests.kit.faults import Rule
from tests.kit.faults_verdict import Aim
from tests.kit.trees import content

GET = "GetObject"


@pytest.mark.parametrize("part", [1, 2, 3])
@pytest.mark.parametrize("has_checksum", [True, False], ids=["checksum", "etag"])
def test_v1_an_object_replaced_between_its_ranges_is_begun_again(lab, part, has_checksum):
    """The file is wholly of the new version, of whatever size; never some ranges of each."""
    old, new = content(1, LARGE), content(2, LARGE + 777)
    how = {} if has_checksum else {"checksum": "", "part_size": PART}
    lab.put("object", old, **how)
    lab.plan.add(Rule(action=act.call(run=lambda: lab.put("object", new, **how)), operation=GET, part=part))
    lab.download(new, "--concurrency", "1").right()


def test_v1_an_object_replaced_by_one_of_the_same_size(lab):
    """Same size, other bytes, no checksum stored: the version is what tells them apart."""
    old, new = content(1, LARGE), content(2, LARGE)
    lab.put("object", old, checksum="", part_size=PART)
    replace = act.call(run=lambda: lab.put("object", new, checksum="", part_size=PART))
    lab.plan.add(Rule(action=replace, operation=GET, part=2))
    lab.download((old, new), "--concurrency", "1").right()


def test_v1_a_service_that_ignores_if_match_cannot_mix_versions(lab):
    """If-Match is taken no notice of, and the object is replaced: the ETag of each answer is compared."""
    old, new = content(1, LARGE), content(2, LARGE)
    lab.put("object", old, checksum="", part_size=PART)

    def forget(request):
        request.headers.pop("if-match", None)
        if request.headers["range"].startswith(f"bytes={PART}"):
            lab.put("object", new, checksum="", part_size=PART)

    lab.plan.add(Rule(action=act.handle(run=forget), operation=GET, times=ALWAYS))
    lab.download((old, new), "--concurrency", "1").honest(0, 1, 3)


def test_v1_an_object_that_never_stands_still_fails(lab):
    """Replaced at every range for ever: a failure in the end, and what was there stays."""
    numbers = itertools.count(2)
    lab.put("object", content(1, LARGE))
    change = act.call(run=lambda: lab.put("object", content(next(numbers), LARGE)))
    lab.plan.add(Rule(action=change, operation=GET, part=2, times=ALWAYS))
    run = lab.download(content(1, LARGE), "--concurrency", "1").failed(3, "E_OBJECT_CHANGING", "E_SOURCE_CHANGED")
    assert lab.plan.count(GET) < 40, run.report()


def test_v1_a_small_object_replaced_after_the_listing_is_the_new_one(lab):
    """One request reads one version: the new one, with its own proof."""
    old, new = content(1, SMALL), content(2, SMALL + 50)
    lab.put("object", old)
    lab.plan.add(Rule(action=act.call(run=lambda: lab.put("object", new)), operation=GET))
    assert lab.download(new).right().done["size"] == len(new)


def test_v1_a_source_of_a_copy_that_is_replaced(lab):
    """The copy is of the old version or of the new one, and what is said of it is true."""
    old, new = content(1, SMALL), content(2, SMALL + 50)
    lab.put("object", old)
    lab.plan.add(Rule(action=act.call(run=lambda: lab.put("object", new)), operation="CopyObject"))
    aim = Aim(wanted={"object": (old, new)}, bucket=OTHER)
    run = lab.run(aim, f"s3://{BUCKET}/object", f"s3://{OTHER}/object").honest(0, 1, 3)
    if run.code == 0:
        assert run.done["size"] == len(lab.server.store.read(OTHER, "object"))


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_v2_two_at_the_same_file(lab, size):
    """Two downloads to one name at once: both end well, the file is whole, and no litter is left."""
    data = content(1, size)
    lab.put("object", data)
    aim = Aim(wanted={"object": data}, directory=lab.target)
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(lab.run, aim, f"s3://{BUCKET}/object", f"{lab.target}/object") for _ in range(2)]
        codes = [run.result().code for run in runs]
    assert codes == [0, 0]
    verdict = aim.judge(lab.server)
    assert verdict.is_right
    assert not verdict.litter


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_v2_two_at_the_same_key(lab, size):
    """Two uploads of different files to one key at once: the object is wholly one of them."""
    one, two = lab.file("one", size, 1), lab.file("two", size, 2)
    aim = Aim(wanted={"object": (one, two)}, bucket=BUCKET)
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(lab.run, aim, lab.source / name, f"s3://{BUCKET}/object") for name in ("one", "two")]
        codes = [run.result().code for run in runs]
    assert codes == [0, 0]
    verdict = aim.judge(lab.server)
    assert verdict.is_right
    assert not verdict.uploads


def test_v3_two_sources_for_one_key_are_told(lab):
    """Two files that would land on one key: the second is refused, never merged silently."""
    (lab.source / "a").mkdir()
    (lab.source / "b").mkdir()
    one, two = lab.file("a/name", 100, 1), lab.file("b/name", 100, 2)
    aim = Aim(wanted={"name": (one, two)}, bucket=BUCKET)
    run = lab.run(aim, lab.source / "a/name", lab.source / "b/name", f"s3://{BUCKET}/")
    assert run.code in {1, 2}, run.report()
    assert run.result.failures


def test_v3_two_keys_for_one_file_are_told(lab):
    """Two keys that would land on one file with ``--flatten``: one is refused."""
    one, two = content(1, 100), content(2, 100)
    lab.put("p/a/name", one)
    lab.put("p/b/name", two)
    run = lab.download_all({"name": (one, two)}, "--flatten", prefix="p/")
    assert run.code == 1, run.report()
    assert run.verdict.is_right, run.report()
    assert len(run.result.failures) == 1


@pytest.mark.slow
def test_v6_a_copy_that_is_seen_late_is_waited_for(lab):
    """A service that shows a new object a moment later: the look at a copy is repeated before it is called missing."""
    data = content(1, SMALL)
    lab.put("object", data, part_size=PART)
    lab.plan.add(Rule(action=act.edit(pattern="<ETag>.*?</ETag>", to='<ETag>"x-1"</ETag>'), operation="CopyObject"))
    lab.plan.add(Rule(action=act.error(code="NoSuchKey", status=404), operation="HeadObject", nth=3, times=1))
    lab.copy(data).right(fires=False)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_v7_an_object_is_not_copied_onto_itself(lab, size):
    """Source and destination are the same object: refused, and the object is as it was."""
    data = content(1, size)
    lab.put("object", data)
    aim = Aim(wanted={"object": data}, before={"object": data}, bucket=BUCKET)
    run = lab.run(aim, f"s3://{BUCKET}/object", f"s3://{BUCKET}/object")
    assert run.code in {1, 2}, run.report()
    assert run.verdict.is_right


@pytest.mark.parametrize(("size", "operation"), [(SMALL, "PutObject"), (LARGE, "CompleteMultipartUpload")])
def test_v8_a_locked_object_is_told(lab, size, operation):
    """Retention is AccessDenied: told with the service's words, not tried again."""
    locked = act.error(code="AccessDenied", status=403, message="Access Denied because object protected by object lock")
    lab.plan.add(Rule(action=locked, operation=operation, times=ALWAYS))
    run = lab.upload(size).failed(2, "AccessDenied")
    assert "object lock" in run.failure["error"]
    assert lab.plan.count(operation) == 1


@pytest.fixture
def customer(tmp_path):
    """A lab that takes the client's own encryption keys over plain HTTP, and the option that gives one."""
    key = tmp_path / "key"
    secret = base64.b64encode(os.urandom(32))
    key.write_bytes(secret)
    with open_lab(tmp_path, settings=ServerSettings(sse_c_needs_tls=False)) as lab:
        yield lab, ("--sse-c-key-file", str(key)), secret


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_v9_an_encrypted_objects_etag_is_no_md5(customer, size):
    """With a customer's key the ETag says nothing: never compared, other proof is used, the key is shown nowhere."""
    lab, options, secret = customer
    up = lab.upload(size, *options).right()
    stored = lab.server.store.read(BUCKET, "object")
    down = lab.download(stored, *options).right()
    assert (up.done["verified"], down.done["verified"]) == ("checksum", "checksum")
    for run in (up, down):
        assert secret not in run.result.out + run.result.err


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_v9_damage_of_an_encrypted_object_is_seen(customer, size):
    """A flipped bit of such an object is an integrity failure."""
    lab, options, _ = customer
    lab.upload(size, *options).right()
    stored = lab.server.store.read(BUCKET, "object")
    lab.plan.add(Rule(action=act.flip(offset=1000), operation=GET, part=2 if size == LARGE else 0, times=ALWAYS))
    lab.download(stored, *options).failed(3, "E_CHECKSUM_MISMATCH")


@pytest.mark.parametrize("size", [2_000_000, LARGE])
def test_g6_a_file_that_changes_while_it_is_sent_is_not_stored_mixed(lab, size):
    """The file is rewritten during its upload: a failure or the whole new content; never some of each."""
    old, new = content(1, size), content(2, size)
    operation = "PutObject" if size < LARGE else "UploadPart"

    def rewrite():
        (lab.source / "object").write_bytes(new)

    lab.file("object", size)
    lab.plan.add(Rule(action=act.call(run=rewrite), operation=operation))
    aim = Aim(wanted={"object": (old, new)}, bucket=BUCKET)
    lab.run(aim, "--concurrency", "1", lab.source / "object", f"s3://{BUCKET}/object").honest(0, 1, 3, unproven=True)


def test_an_exchange_can_be_held(lab):
    """An exchange that is held shows the state in between: nothing is under the name while a range is missing."""
    data = content(1, LARGE)
    lab.put("object", data)
    arrived, go = threading.Event(), threading.Event()
    lab.plan.add(Rule(action=act.pause(arrived=arrived, until=go), operation=GET, part=3))
    aim = Aim(wanted={"object": data}, directory=lab.target)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(lab.run, aim, f"s3://{BUCKET}/object", f"{lab.target}/object")
        assert arrived.wait(60)
        assert not (lab.target / "object").exists()
        go.set()
        running.result().right()
