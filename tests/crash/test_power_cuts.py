"""Power cuts: what was not flushed may be lost, at every point of a job; then the same command is run again.

A job is recorded call by call. For every prefix of the record, and every way in which a disk may lose what was not
flushed, it is looked at what the names hold; and from some of these disks (all of them with ``ORBIT_POWER_CUTS=all``)
the same command goes on to its end.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.kit.crash_lab import SCENARIOS
from tests.kit.crash_lab import SOURCE
from tests.kit.crash_lab import TARGET
from tests.kit.crash_lab import Lab
from tests.kit.crash_lab import Strike
from tests.kit.crash_lab import Trial
from tests.kit.disk_replay import Disk
from tests.kit.disk_replay import Loss
from tests.kit.disk_replay import lay_out
from tests.kit.disk_replay import read_record

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
AGAIN = 1 << 20 if os.environ.get("ORBIT_POWER_CUTS") == "all" else 6
"""From so many disks of a job it is run again."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which file a descriptor is"),
]


class RecordedLab(Lab):
    """As the lab; what the service deletes is noted in the record of the job, where it stands in it.

    Attributes:
        record: of the job.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.record = directory / "record"

    async def _revise(self, request, response):
        if request.operation == "DeleteObject":
            with self.record.open("ab") as file:
                file.write(json.dumps({"kind": "deleted", "key": request.key}).encode() + b"\n")
        return await super()._revise(request, response)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """One server and one zygote for all."""
    with RecordedLab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


def recorded(lab: RecordedLab, trial: Trial, strike: Strike | None = None) -> tuple[Disk, list]:
    """Run a job, until it ends or the strike; the disk as it was before, and the calls."""
    lab.record.unlink(missing_ok=True)
    disk = Disk(trial.directory)
    job = {**trial.job, "record": str(lab.record), "durable": True}
    status = lab.run(job, strike)
    assert status == 0 or (strike is not None and strike.has_struck), trial.log
    calls = read_record(lab.record)
    assert any(call["kind"] == "flush" for call in calls)
    return disk, calls


def names_said(call: dict) -> list[str]:
    """The destinations that a line on stdout calls done."""
    events = [json.loads(line) for line in base64.b64decode(call["data"]).splitlines() if line.startswith(b"{")]
    return [event["destination"] for event in events if event["success"] and event.get("destination")]


@pytest.mark.parametrize("name", ["down", "move-down"])
def test_what_is_done_survives_a_power_cut_and_the_rest_is_done_again(lab: RecordedLab, name: str) -> None:
    """``cp --durable`` and ``mv``: a name holds the old bytes or the new; what was called done, or deleted, is safe."""
    trial = lab.trial(BY_NAME[name], 11)
    old = next(iter(trial.files))
    path = trial.directory / "work" / TARGET / old
    path.parent.mkdir(parents=True)
    path.write_bytes(b"what was here before")
    disk, calls = recorded(lab, trial)
    done: set[str] = set()
    deleted: list[str] = []
    disks = {}
    for call in calls:
        disk.apply(call)
        if call["kind"] == "said":
            done |= {one for said in names_said(call) for one in trial.files if f"/{said}".endswith(f"/{TARGET}/{one}")}
        elif call["kind"] == "deleted":
            deleted.append(call["key"])
            done |= {one for one in trial.files if call["key"] == f"{SOURCE}/{one}"}
        for loss in Loss:
            found = disk.after(loss)
            for one, data in trial.files.items():
                there = found.get(f"work/{TARGET}/{one}")
                before = b"what was here before" if one == old else None
                assert there == data or (there == before and one not in done), (call, loss, one)
            disks[tuple(found.items()), tuple(deleted)] = None
    assert done == trial.files.keys()
    assert len(disks) > 30
    step = max(1, len(disks) // AGAIN)
    for found, gone in [*disks][step // 2 :: step]:
        trial.restore(without=gone)
        lay_out(trial.directory, dict(found))
        trial.run(iter(()))


@pytest.mark.parametrize("loss", [Loss.EVERYTHING, Loss.TORN])
@pytest.mark.parametrize("point", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
@pytest.mark.parametrize("name", ["up"])
def test_a_journal_that_lost_its_end_leaves_no_upload(lab: RecordedLab, name: str, point: str, loss: Loss) -> None:
    """Everything stops after the service has acted, and the journal has lost what was not flushed."""
    trial = lab.trial(BY_NAME[name], 100 + 10 * list(Loss).index(loss) + len(point))
    disk, calls = recorded(lab, trial, Strike("all", point, number=2, is_after=True))
    for call in calls:
        disk.apply(call)
    state = trial.directory / "state"
    before = len(list(state.rglob("*.journal")))
    kept = {path[6:]: data for path, data in disk.after(loss).items() if path.startswith("state/")}
    assert before == sum(path.endswith(".journal") for path in kept) == 1
    lay_out(state, kept)
    trial.run(iter(()))


def test_the_model_loses_what_it_should(tmp_path: Path) -> None:
    """A file with a name that was flushed, and one whose directory was not: what every loss leaves of them."""
    (tmp_path / "old").write_bytes(b"old")
    disk = Disk(tmp_path)
    data = base64.b64encode(b"abcd").decode()

    def call(kind: str, path: str = "", **facts: object) -> None:
        disk.apply({"kind": kind, **facts, **({"path": str(tmp_path / path)} if path else {})})

    call("mkdir", "d")
    call("create", "d/t", file=1)
    call("write", file=1, offset=0, data=data)
    assert disk.after(Loss.NOTHING) == {"d": None, "d/t": b"abcd", "old": b"old"}
    assert disk.after(Loss.EVERYTHING) == disk.after(Loss.NAMES) == {"old": b"old"}
    assert disk.after(Loss.TORN)["d/t"] == b"ab"
    assert (disk.after(Loss.BYTES)["d/t"], disk.after(Loss.ZEROED)["d/t"]) == (b"", bytes(4))
    call("flush", file=1)
    call("rename", "d/t", to=str(tmp_path / "old"))
    assert disk.after(Loss.EVERYTHING) == {"old": b"old"}
    assert disk.after(Loss.BYTES) == {"d": None, "old": b"abcd"}
    disk.apply({"kind": "flush directory", "path": str(tmp_path)})
    assert {loss: disk.after(loss)["old"] for loss in Loss} == dict.fromkeys(Loss, b"abcd")
    lay_out(tmp_path / "new", disk.after(Loss.EVERYTHING))
    assert (tmp_path / "new" / "old").read_bytes() == b"abcd"
    shutil.rmtree(tmp_path / "new")
