"""``sync --delete`` when the source has what its listing does not name, and when its filters have changed.

L6: a gateway that loses keys or pages, a file that comes back: what is to be deleted is looked for at the source first.
"""

from __future__ import annotations

import os

import pytest

from tests.kit import faults_actions as act
from tests.kit.command import Orbit
from tests.kit.fault_run import BASE
from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import OTHER
from tests.kit.fault_run import stored
from tests.kit.faults import ALWAYS
from tests.kit.faults import Rule

LIST = "ListObjects ListObjectsV2"
NAMES = [f"f{number:02}" for number in range(10)]
EXTRAS = ["extra", "zzz"]


class Pair:
    """A bucket, and what was once its copy: with two names more."""

    def __init__(self, lab, kind: str) -> None:
        self.lab = lab
        self.is_local = kind == "local"
        self.destination = str(lab.target) if self.is_local else f"s3://{OTHER}/q/"
        for name in NAMES:
            lab.put(f"p/{name}", name.encode())
        for name in NAMES + EXTRAS:
            if self.is_local:
                (lab.target / name).write_bytes(name.encode())
            else:
                store = lab.server.store
                store.bucket(OTHER).add(stored(f"q/{name}", name.encode(), now_s=store.now()))
        lab.plan.page_size = 3

    def hide(self, keys: str) -> None:
        """Let the source's listing leave out what matches."""
        self.lab.plan.add(Rule(action=act.hide(keys=keys), operation=LIST, bucket=BUCKET, times=ALWAYS))

    def sync(self, *options):
        """Run it, with deletion."""
        orbit = Orbit(self.lab.environment)
        endpoint = ("--endpoint-url", self.lab.endpoint_url)
        return orbit("sync", *BASE, *endpoint, "--delete", *options, f"s3://{BUCKET}/p/", self.destination)

    def left(self) -> list[str]:
        """The names at the destination."""
        if self.is_local:
            return sorted(os.listdir(self.lab.target))
        return [key.removeprefix("q/") for key in self.lab.server.store.keys(OTHER)]

    def spared(self, result, code: str):
        """Nothing was deleted, and one line says why; exit 2."""
        assert result.code == 2, result.out + result.err
        assert set(EXTRAS) <= set(self.left())
        assert set(NAMES) <= set(self.left())
        assert result.summary["files_deleted"] == 0
        assert self.lab.plan.count("DeleteObjects DeleteObject") == 0
        (failure,) = result.failures
        assert (failure["code"], failure["operation"]) == (code, "sync")
        assert failure["error"].startswith("nothing was deleted, because ")
        return failure["error"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["local", "s3"])
@pytest.mark.parametrize("keys", ["p/f05", "p/f0[345]"], ids=["a key", "a page"])
def test_l6_what_a_listing_hides_is_not_deleted(lab, kind, keys):
    """A key or a page that the service does not name, and has: not even what is an extra goes; believed, it would."""
    pair = Pair(lab, kind)
    pair.hide(keys)
    message = pair.spared(pair.sync(), "E_LIST_INCOMPLETE")
    assert f"s3://{BUCKET}/p/f0" in message
    assert message.endswith(
        " is at the source, which was listed without it (--delete-verify none believes the listing)"
    )
    pair.spared(pair.sync("--dry-run", "--delete-verify", "head"), "E_LIST_INCOMPLETE")
    looks = lab.plan.count("HeadObject")
    believed = pair.sync("--delete-verify", "none")
    assert (believed.code, lab.plan.count("HeadObject")) == (0, looks)
    assert not {"f05", *EXTRAS} & set(pair.left())


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (act.error(code="AccessDenied", status=403), "AccessDenied"),
        (act.error(code="SlowDown", status=503), "E_THROTTLED"),
        (act.html(status=403), None),
    ],
    ids=["403", "503", "html"],
)
def test_l6_a_look_that_fails_says_nothing(lab, fault, code):
    """Unknown is not absent: one peer that cannot be looked for, and nothing is deleted."""
    pair = Pair(lab, "local")
    lab.plan.add(Rule(action=fault, operation="HeadObject GetObject", key="zzz$", times=ALWAYS))
    result = pair.sync("--retry-attempts", "1")
    message = pair.spared(result, code or result.failures[0]["code"])
    assert f"it cannot be told whether s3://{BUCKET}/p/zzz is at the source: " in message


def test_l6_one_look_for_each_extra(lab):
    """No more requests than that; what the filters leave out may be at the source, and is not looked for."""
    pair = Pair(lab, "s3")
    assert pair.sync("--exclude", "f05", "--exclude", "zzz", "--delete-excluded").code == 0
    assert pair.left() == [name for name in NAMES if name != "f05"]
    assert [one.key for one in lab.plan.requests if one.operation == "HeadObject"] == ["p/extra"]


def test_l6_a_file_that_has_come_back(lab):
    """It was not there when the directory was read, and is when its copy would go: nothing goes."""
    for name in ("a", "back", "gone"):
        lab.put(f"p/{name}", name.encode())
    (lab.source / "a").write_bytes(b"changed")
    back = lab.source / "back"
    lab.plan.add(Rule(action=act.call(run=lambda: back.write_bytes(b"here")), operation="PutObject", key="a$"))
    orbit = Orbit(lab.environment)
    endpoint = ("--endpoint-url", lab.endpoint_url)
    arguments = ("sync", *BASE, *endpoint, "--delete", str(lab.source), f"s3://{BUCKET}/p")
    result = orbit(*arguments)
    assert result.code == 2, result.out + result.err
    assert [event["code"] for event in result.failures] == ["E_LIST_INCOMPLETE"]
    assert f"{back} is at the source" in result.failures[0]["error"]
    assert lab.server.store.keys(BUCKET) == ["p/a", "p/back", "p/gone"]
    again = orbit(*arguments).expect(0)
    assert again.summary["files_deleted"] == 1
    assert lab.server.store.keys(BUCKET) == ["p/a", "p/back"]


def test_l6_in_a_script(lab):
    """A line that cannot trust its listing fails for itself; the other one deletes."""
    pair = Pair(lab, "s3")
    pair.hide("p/f05")
    (lab.source / "kept").write_bytes(b"kept")
    lab.put("other/gone", b"gone")
    lines = f"sync --delete s3://{BUCKET}/p/ s3://{OTHER}/q/\nsync --delete {lab.source} s3://{BUCKET}/other\n"
    endpoint = ("--endpoint-url", lab.endpoint_url)
    result = Orbit(lab.environment)("run", "--json", *endpoint, fed=lines.encode())
    assert result.code == 1
    assert [(event["line"], event["code"]) for event in result.failures] == [(1, "E_LIST_INCOMPLETE")]
    assert pair.left() == sorted(NAMES + EXTRAS)
    assert [key for key in lab.server.store.keys(BUCKET) if key.startswith("other/")] == ["other/kept"]


# --- filters that change ----------------------------------------------------------------------------------------------


class Kept:
    """A source that lacks what its copy has, in three kinds; syncs of it remember their filters."""

    def __init__(self, lab, tmp_path) -> None:
        self.lab = lab
        self.orbit = Orbit(lab.environment | {"XDG_STATE_HOME": str(tmp_path / "state")})
        (lab.source / "kept").write_bytes(b"kept")
        for name in ("a.log", "b.tmp", "c"):
            lab.put(f"p/{name}", b"x")
        self.sides = (str(lab.source), f"s3://{BUCKET}/p")

    def sync(self, *options):
        """Run it, with deletion."""
        return self.orbit("sync", *BASE, "--endpoint-url", self.lab.endpoint_url, "--delete", *options, *self.sides)

    def names(self) -> list[str]:
        """At the destination."""
        return [key.removeprefix("p/") for key in self.lab.server.store.keys(BUCKET)]


def test_l12_a_filter_that_is_forgotten_deletes_nothing(lab, tmp_path):
    """Once a sync has protected something, the next one asks before it does no more; who means it says so, once."""
    kept = Kept(lab, tmp_path)
    assert kept.sync("--exclude", "*.log", "--exclude", "*.tmp").code == 0
    assert kept.names() == ["a.log", "b.tmp", "kept"]
    for options in ((), ("--dry-run",), ("--exclude", "*.log"), ("--max-delete", "unlimited")):
        refused = kept.sync(*options)
        assert refused.code == 2
        (failure,) = refused.failures
        assert failure["code"] == "E_FILTERS_CHANGED"
        assert "because --exclude protects less than in the last sync of these two" in failure["error"]
        assert failure["error"].endswith(" --allow-changed-filters")
        assert refused.summary["files_deleted"] == 0
    assert kept.names() == ["a.log", "b.tmp", "kept"]
    assert kept.sync("--exclude", "*.log", "--allow-changed-filters").code == 0
    assert kept.names() == ["a.log", "kept"]
    assert kept.sync("--exclude", "*.log").code == 0
    assert kept.sync("--exclude", "*.log", "--exclude", "more").code == 0
    assert kept.names() == ["a.log", "kept"]


def test_l12_each_pair_of_sides_for_itself(lab, tmp_path):
    """Another source or destination, a run without deletion, a plan: none of them asks, or changes what is asked."""
    kept = Kept(lab, tmp_path)
    lab.put("q/only", b"x")
    filters = ("--exclude", "*.log")
    assert kept.sync(*filters, "--dry-run").code == 0
    assert kept.sync("--dry-run").summary["files_deleted"] == 3
    assert kept.sync(*filters).code == 0
    plain = ("--endpoint-url", lab.endpoint_url)
    kept.orbit("sync", "--json", *plain, *kept.sides).expect(0)
    lines = f"sync --delete {lab.source} s3://{BUCKET}/q\nsync --delete {lab.source} s3://{BUCKET}/p\n"
    script = kept.orbit("run", "--json", *plain, fed=lines.encode())
    assert [(event["line"], event["code"]) for event in script.failures] == [(2, "E_FILTERS_CHANGED")]
    assert kept.names() == ["a.log", "kept", "q/kept"]
    assert lab.plan.count("DeleteObjects") == 2
