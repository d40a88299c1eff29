"""``sync --delete`` when a side cannot be seen whole, when a copy fails, and when the user cannot mean it.

Whatever happens, the rule is the same (`_spared`): what only the destination has is still there, the summary counts no
deletion, and the exit status is not 0.
"""

from __future__ import annotations

import os
import shutil

import pytest

from orbit_fast.testing import HttpRequest
from tests.kit import faults_actions as act
from tests.kit.command import Orbit
from tests.kit.fault_run import BASE
from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import OTHER
from tests.kit.fault_run import stored
from tests.kit.faults import ALWAYS
from tests.kit.faults import Rule
from tests.kit.powers import without_root_powers
from tests.kit.trees import content

LIST = "ListObjects ListObjectsV2"
NAMES = [f"f{number:02}" for number in range(10)]
EXTRAS = ["extra", "f05x", "zzz"]


class Pair:
    """Two sides of which the destination has three names more.

    Attributes:
        source, destination: arguments of the command.
        bucket: of the side whose listing may be made to fail.
    """

    def __init__(self, lab, kind: str) -> None:
        self.lab = lab
        self.kind = kind
        self.bucket = BUCKET if kind != "destination of a copy" else OTHER
        data = {name: content(number, 50) for number, name in enumerate(NAMES)}
        stale = dict.fromkeys(NAMES, b"older")
        extras = dict.fromkeys(EXTRAS, b"only here") | stale
        if kind == "destination":
            self._write(data)
            self._add(BUCKET, extras)
        elif kind == "source":
            self._add(BUCKET, data)
            for name, one in extras.items():
                (lab.target / name).write_bytes(one)
        else:
            self._add(BUCKET, data)
            self._add(OTHER, extras)
        lab.plan.page_size = 3
        local = kind in {"source", "destination"}
        self.source = str(lab.source) if kind == "destination" else f"s3://{BUCKET}/p/"
        self.destination = str(lab.target) if kind == "source" else f"s3://{BUCKET if local else OTHER}/p/"

    def _write(self, files) -> None:
        for name, data in files.items():
            (self.lab.source / name).write_bytes(data)

    def _add(self, bucket, objects) -> None:
        for name, data in objects.items():
            store = self.lab.server.store
            store.bucket(bucket).add(stored(f"p/{name}", data, now_s=store.now()))

    def sync(self, *options, **how):
        """Run it, with deletion."""
        orbit = Orbit(self.lab.environment)
        endpoint = ("--endpoint-url", self.lab.endpoint_url)
        return orbit("sync", *BASE, *endpoint, "--delete", *options, self.source, self.destination, **how)

    def left(self) -> set[str]:
        """The names at the destination."""
        if self.kind == "source":
            return set(os.listdir(self.lab.target))
        bucket = BUCKET if self.kind == "destination" else OTHER
        return {key.removeprefix("p/") for key in self.lab.server.store.keys(bucket)}

    def spared(self, result, status: int = 2, code: str = ""):
        """Nothing was deleted, and the command says that it did not do what it should."""
        assert result.code == status, result.out + result.err
        assert set(EXTRAS) <= self.left()
        assert result.summary["files_deleted"] == 0
        assert not [event for event in result.events if event.get("operation") == "rm" and event.get("success")]
        assert not code or code in {event["code"] for event in result.failures}, result.out
        assert b"Traceback" not in result.err
        return result


SIDES = pytest.mark.parametrize("kind", ["source", "destination"])
EVERY_SIDE = pytest.mark.parametrize("kind", ["source", "destination", "source of a copy", "destination of a copy"])


@pytest.fixture
def pair(lab, request):
    """The pair that the test asks for by ``kind``."""
    return Pair(lab, request.getfixturevalue("kind"))


@EVERY_SIDE
def test_it_deletes_when_nothing_is_wrong(lab, kind):
    """The control: without a fault, the extras go and all the rest is there."""
    pair = Pair(lab, kind)
    result = pair.sync()
    assert result.code == 0, result.out + result.err
    assert pair.left() == set(NAMES)
    assert result.summary["files_deleted"] == 3
    assert result.summary["files_copied"] == 10


BROKEN = {
    "503": act.error(code="SlowDown", status=503),
    "reset": act.reset(),
    "cut XML": act.resize(keep=400),
    "no last tag": act.edit(pattern="</ListBucketResult>", to=""),
    "403": act.error(code="AccessDenied", status=403),
    "html": act.html(),
    "nothing": act.reply(),
    "no token": act.edit(pattern="<NextContinuationToken>.*?</NextContinuationToken>", to=""),
}


@pytest.mark.slow
@EVERY_SIDE
@pytest.mark.parametrize("page", [1, 3])
@pytest.mark.parametrize("how", ["503", "cut XML", "html"])
def test_l1_l2_a_page_that_cannot_be_had(lab, kind, page, how):
    """Any page, on any side: the listing is not whole, so nothing is deleted (exit 2)."""
    pair = Pair(lab, kind)
    lab.plan.add(Rule(action=BROKEN[how], operation=LIST, bucket=pair.bucket, nth=page, times=ALWAYS))
    pair.spared(pair.sync("--retry-attempts", "1"))
    assert not lab.plan.unfired()


@pytest.mark.slow
@SIDES
@pytest.mark.parametrize("how", sorted(BROKEN.keys() - {"503", "cut XML", "html"}))
def test_l1_l3_a_second_page_that_cannot_be_had(lab, kind, how):
    """However it fails: reset, refused, cut, empty, or truncated without saying how to go on."""
    pair = Pair(lab, kind)
    lab.plan.add(Rule(action=BROKEN[how], operation=LIST, bucket=pair.bucket, nth=2, times=ALWAYS))
    pair.spared(pair.sync("--retry-attempts", "1"))
    assert not lab.plan.unfired()


@SIDES
def test_l1_a_page_that_fails_once_is_asked_for_again(lab, kind):
    """A storm that passes: the listing is whole in the end, and extras go."""
    pair = Pair(lab, kind)
    lab.plan.add(Rule(action=BROKEN["503"], operation=LIST, nth=2, times=2))
    assert pair.sync().code == 0
    assert pair.left() == set(NAMES)


@SIDES
def test_l4_a_listing_in_circles(lab, kind):
    """A service that takes no notice of tokens gives its first page for ever: no listing."""
    pair = Pair(lab, kind)
    lab.plan.add(Rule(action=act.query(drop=["continuation-token", "start-after"]), operation=LIST, times=ALWAYS))
    pair.spared(pair.sync("--retry-attempts", "1"))
    assert lab.plan.count(LIST) < 30


LIES = {
    "order": act.edit(pattern="<Key>p/f01</Key>", to="<Key>p/f03x</Key>"),
    "outside": act.edit(pattern="<Key>p/f02</Key>", to="<Key>q/outside</Key>"),
    "no IsTruncated": act.edit(pattern="<IsTruncated>.*?</IsTruncated>", to=""),
    "too many counted": act.edit(pattern="<KeyCount>[0-9]+<", to="<KeyCount>7<"),
}


@pytest.mark.slow
@pytest.mark.parametrize("lie", LIES)
def test_l5_a_page_that_contradicts_itself(lab, lie):
    """Keys out of order, outside the prefix, miscounted: what such a listing does not name may be there."""
    pair = Pair(lab, "source")
    lab.plan.add(Rule(action=LIES[lie], operation=LIST, times=ALWAYS))
    pair.spared(pair.sync("--retry-attempts", "1"))


@EVERY_SIDE
def test_a_copy_that_fails_cancels_every_deletion(lab, kind):
    """One object that could not be copied: the others are, nothing is deleted, exit 1."""
    pair = Pair(lab, kind)
    operation = "GetObject" if kind == "source" else "PutObject" if kind == "destination" else "CopyObject"
    lab.plan.add(
        Rule(action=act.error(code="InvalidRequest", status=400), operation=operation, key="f03$", times=ALWAYS)
    )
    result = pair.spared(pair.sync(), 1, "E_DELETE_CANCELLED")
    assert result.summary["files_copied"] == 9
    assert result.summary["files_failed"] == 1


def test_l9_more_deletions_than_can_be_meant(lab):
    """101 of 102: stopped before the first, and the message is the command that goes on."""
    for number in range(101):
        lab.put(f"p/extra{number:03}", b"x")
    lab.put("p/kept", b"kept")
    (lab.source / "kept").write_bytes(b"kept")
    orbit = Orbit(lab.environment)
    arguments = ("sync", *BASE, "--endpoint-url", lab.endpoint_url, "--delete", str(lab.source), f"s3://{BUCKET}/p")
    result = orbit(*arguments)
    assert result.code == 2
    (failure,) = result.failures
    assert failure["code"] == "E_MAX_DELETE"
    assert "101 of the 102 objects" in failure["error"]
    assert failure["error"].endswith(" --max-delete 101")
    assert len(lab.server.store.keys(BUCKET)) == 102
    assert lab.plan.count("DeleteObjects DeleteObject") == 0
    dry = orbit(*arguments, "--dry-run", "--max-delete", "unlimited")
    assert dry.code == 0
    assert dry.summary["files_deleted"] == 101
    assert len(lab.server.store.keys(BUCKET)) == 102
    assert orbit(*arguments, "--max-delete", "101").code == 0
    assert lab.server.store.keys(BUCKET) == ["p/kept"]


@pytest.mark.parametrize("options", [("--max-delete", "2"), ("--max-delete", "20%")])
def test_l9_the_limit_is_the_users(lab, options):
    """A number or a share of the destination: three of three are more than either."""
    pair = Pair(lab, "destination")
    result = pair.spared(pair.sync(*options), 2, "E_MAX_DELETE")
    assert result.summary["files_copied"] == len(NAMES)


def test_l11_what_has_changed_since_it_was_listed_stays(lab):
    """A file at the destination that is written to while the job runs is not what was to be deleted: it stays."""
    pair = Pair(lab, "source")

    def change() -> None:
        (lab.target / "zzz").write_bytes(b"somebody works here")

    lab.plan.add(Rule(action=act.call(run=change), operation="GetObject", key="f09$"))
    result = pair.sync()
    assert result.code == 1
    assert pair.left() == {*NAMES, "zzz"}
    assert [event["code"] for event in result.failures] == ["PreconditionFailed"]
    assert (lab.target / "zzz").read_bytes() == b"somebody works here"


@pytest.mark.parametrize("option", ["--exclude", "--include", "--filter-from"])
def test_l12_a_filter_protects_both_sides(lab, tmp_path, option):
    """What a filter leaves out is not deleted, whichever option says so."""
    pair = Pair(lab, "destination")
    rules = tmp_path / "rules"
    rules.write_text("# all but one\n- extra\n- zz*\n")
    given = {
        "--exclude": ("--exclude", "extra", "--exclude", "zz*"),
        "--include": ("--include", "f*"),
        "--filter-from": ("--filter-from", str(rules)),
    }
    result = pair.sync(*given[option])
    assert result.code == 0
    assert pair.left() == {*NAMES, "extra", "zzz"}
    assert result.summary["files_deleted"] == 1


# --- sources that cannot be seen --------------------------------------------------------------------------------------


def _upload_tree(lab, *names):
    """A local tree that was synced once: the same names at the destination."""
    for name in names:
        path = lab.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    orbit = Orbit(lab.environment)
    arguments = ("sync", *BASE, "--endpoint-url", lab.endpoint_url, str(lab.source), f"s3://{BUCKET}/p")
    assert orbit(*arguments).code == 0
    return lambda *options: orbit(*arguments, "--delete", *options)


def _keys(lab):
    return [key.removeprefix("p/") for key in lab.server.store.keys(BUCKET)]


def test_d6_a_file_that_vanishes_is_no_reason_to_delete_its_copy(lab):
    """Gone between listing and opening: a failure, its copy stays, and so does everything else."""
    sync = _upload_tree(lab, "a", "b", "gone")
    (lab.source / "gone").unlink()
    for name in ("a", "b"):
        (lab.source / name).write_bytes(b"changed")
    lab.plan.add(Rule(action=act.call(run=(lab.source / "b").unlink), operation="PutObject", key="a$"))
    result = sync("--workers", "1")
    assert result.code == 1, result.out + result.err
    assert _keys(lab) == ["a", "b", "gone"]
    assert {event["code"] for event in result.failures} == {"E_VANISHED", "E_DELETE_CANCELLED"}


def test_d7_what_may_not_be_read_is_not_deleted(lab):
    """An unreadable directory and an unreadable file: failures, and nothing at all is deleted."""
    sync = _upload_tree(lab, "closed/x", "closed/y", "open", "secret", "gone")
    (lab.source / "gone").unlink()
    (lab.source / "closed").chmod(0)
    (lab.source / "secret").chmod(0)
    before = _keys(lab)
    orbit = Orbit(lab.environment, prefix=without_root_powers())
    endpoint = ("--endpoint-url", lab.endpoint_url)
    result = orbit("sync", *BASE, *endpoint, "--delete", str(lab.source), f"s3://{BUCKET}/p")
    (lab.source / "closed").chmod(0o755)
    assert result.code == 1, result.out + result.err
    assert _keys(lab) == before
    assert {event["code"] for event in result.failures} == {"E_SOURCE_UNREADABLE", "E_DELETE_CANCELLED"}
    assert sync().code == 0
    assert "gone" not in _keys(lab)


def test_d8_an_empty_source_deletes_nothing(lab):
    """Empty, and missing: both stop before the first deletion; the first goes on when it is told that it is meant."""
    sync = _upload_tree(lab, "a", "b/c")
    shutil.rmtree(lab.source)
    result = sync()
    assert result.code == 2
    assert [event["code"] for event in result.failures] == ["E_NO_SOURCE"]
    (lab.source / "mountpoint").mkdir(parents=True)
    result = sync()
    assert result.code == 2
    assert [event["code"] for event in result.failures] == ["E_EMPTY_SOURCE"]
    assert result.failures[0]["error"].endswith("--allow-empty-source")
    assert _keys(lab) == ["a", "b/c"]
    assert sync("--allow-empty-source").code == 0
    assert _keys(lab) == []


def test_d8_an_empty_source_in_s3(lab):
    """A prefix under which there is nothing is more likely mistyped: exit 2, with or without --delete."""
    (lab.target / "file").write_bytes(b"mine")
    orbit = Orbit(lab.environment)
    arguments = ("sync", *BASE, "--endpoint-url", lab.endpoint_url, f"s3://{BUCKET}/nothing", str(lab.target))
    for options in ((), ("--delete",)):
        result = orbit(*arguments, *options)
        assert result.code == 2
        assert result.failures[0]["code"] == "E_NO_SOURCE"
    assert (lab.target / "file").exists()
    assert orbit(*arguments, "--delete", "--allow-empty-source").code == 0
    assert not (lab.target / "file").exists()


def test_d9_links_that_lead_nowhere_or_are_not_followed_protect_their_copies(lab):
    """A file that became a dangling link, and a directory that became a link: their copies stay."""
    sync = _upload_tree(lab, "dir/x", "dir/y", "file", "gone")
    (lab.source / "gone").unlink()
    (lab.source / "file").unlink()
    (lab.source / "file").symlink_to("nowhere")
    shutil.rmtree(lab.source / "dir")
    (lab.source / "dir").symlink_to("/")
    (lab.source / "kept").write_bytes(b"one is there")
    result = sync()
    assert result.code == 0, result.out + result.err
    assert _keys(lab) == ["dir/x", "dir/y", "file", "kept"]
    assert sorted(event["reason"] for event in result.skipped) == ["symlink", "symlink"]


def test_d9_a_loop_is_no_tree(lab):
    """Followed links that lead back up are told once, and what was under them stays."""
    sync = _upload_tree(lab, "a/x", "a/up/old", "gone")
    shutil.rmtree(lab.source / "a" / "up")
    (lab.source / "a" / "up").symlink_to("..")
    (lab.source / "gone").unlink()
    result = sync("--symlink", "follow")
    assert result.code == 0, result.out + result.err
    assert _keys(lab) == ["a/up/old", "a/x"]
    assert [event["reason"] for event in result.skipped] == ["symlink"]


def test_archived_objects_protect_their_copies(lab):
    """An object that cannot be read is there all the same: what stands for it at the destination stays."""
    for name, data in (("cold", b"cold"), ("warm", b"warm")):
        lab.put(f"p/{name}", data)
        (lab.target / name).write_bytes(b"older content")
        os.utime(lab.target / name, (1, 1))
    version = lab.server.store.bucket(BUCKET).current("p/cold")
    version.attributes = version.attributes.__class__(storage_class="GLACIER")
    (lab.target / "extra").write_bytes(b"x")
    orbit = Orbit(lab.environment)
    arguments = ("sync", *BASE, "--endpoint-url", lab.endpoint_url, "--delete", f"s3://{BUCKET}/p", str(lab.target))
    result = orbit(*arguments)
    assert result.code == 1, result.out + result.err
    assert [event["reason"] for event in result.skipped] == ["glacier"]
    assert (lab.target / "cold").read_bytes() == b"older content"
    assert (lab.target / "warm").read_bytes() == b"warm"
    assert not (lab.target / "extra").exists()
    assert orbit(*arguments, "--ignore-glacier-warnings").code == 0


def test_a_full_disk_deletes_nothing(lab, mounted):
    """No space for the copies: exit 2, and the extras stay."""
    disk = mounted("size=1m")
    for number in range(4):
        lab.put(f"p/f{number}", content(number, 400_000))
    (disk.path / "extra").write_bytes(b"x")
    orbit = Orbit(lab.environment, prefix=disk.prefix)
    endpoint = ("--endpoint-url", lab.endpoint_url)
    result = orbit("sync", *BASE, *endpoint, "--delete", f"s3://{BUCKET}/p", str(disk.inside))
    assert result.code == 2, result.out + result.err
    assert (disk.path / "extra").exists()
    assert result.summary["files_deleted"] == 0


def test_a_request_log_without_more_than_listings(lab):
    """A sync that has nothing to do asks for the pages of both sides and for nothing else."""
    sync = _upload_tree(lab, *NAMES)
    lab.plan.requests.clear()
    assert sync().code == 0
    asked: list[HttpRequest] = lab.plan.requests
    assert {request.operation for request in asked} == {"ListObjectsV2"}
    assert len(asked) == 1
