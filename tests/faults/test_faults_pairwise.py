"""Every fault at every operation, and every fault together with every other one.

The jobs run in this process (`tests.kit.small_job`), with the product's ledger, desk, flows and client, against a
server that misbehaves as planned; many at once, so that waiting costs nothing. Their verdict is computed from what the
server stores and what lies on the disk. The rule is that of `tests.kit.fault_run`: success if and only if everything is
right; whatever is not right is as it was; no litter, no unfinished upload; an end within the deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass
from pathlib import Path

import pytest

from orbit_fast.core.settings import NetworkSettings
from orbit_fast.io import copy
from orbit_fast.io import pool
from orbit_fast.io import upload
from orbit_fast.io.lane import Lane
from orbit_fast.io.loop import run
from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from tests.kit.fault_pairs import ABORT
from tests.kit.fault_pairs import CREATE
from tests.kit.fault_pairs import FAULTS
from tests.kit.fault_pairs import PART
from tests.kit.fault_pairs import SETTINGS
from tests.kit.fault_pairs import SILENT
from tests.kit.fault_pairs import Case
from tests.kit.fault_pairs import Fault
from tests.kit.fault_pairs import pairs
from tests.kit.fault_pairs import singles
from tests.kit.fault_run import stored
from tests.kit.faults import ALWAYS
from tests.kit.faults import Injector
from tests.kit.faults import Rule
from tests.kit.faults_actions import error
from tests.kit.faults_verdict import State
from tests.kit.faults_verdict import judge
from tests.kit.faults_verdict import read_files
from tests.kit.small_job import NETWORK
from tests.kit.small_job import Ended
from tests.kit.small_job import SmallJob
from tests.kit.trees import content

SIZE = 3000
PIECE = 1200
"""Three parts."""
DEADLINE_S = 60.0
BEFORE = b"what was here before"
GROUPS = 6
EVERY = {**FAULTS, **SILENT}


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a case: what the job said, and what it left."""

    case: Case
    ended: Ended
    states: dict[str, State]
    litter: set[str]
    uploads: int
    hits: int

    def __str__(self) -> str:
        said = [(one.status.name, one.failure and one.failure.code) for one in self.ended.outcomes]
        return (
            f"{self.case.setting}: {self.case.faults}{' always' if self.case.is_always else ''}: said {said},"
            f" {self.ended.failure and self.ended.failure.message}; left {self.states}, litter {self.litter},"
            f" {self.uploads} uploads; {self.hits} faults happened"
        )

    def complaint(self) -> str:
        """What is wrong about it, or ``''``."""
        is_right = all(state is State.RIGHT for state in self.states.values())
        faults = [EVERY[name] for name, _ in self.case.faults]
        if self.ended.is_success and not is_right:
            return "A WRONG SUCCESS"
        if not any(fault.spoils for fault in faults) and not set(self.states.values()) <= {
            State.RIGHT,
            State.UNTOUCHED,
        }:
            return "harm"
        if self.litter:
            return "litter"
        if self.uploads and not self._may_leave_uploads():
            return "an unfinished upload"
        if self._should_succeed(faults) and not self.ended.is_success:
            return "a failure over a fault that passes"
        return "" if self.hits else "nothing happened"

    def _may_leave_uploads(self) -> bool:
        """What was created while nobody heard its id stays, and what nobody may remove."""
        if {CREATE, ABORT} & {operation for _, operation in self.case.faults}:
            return True
        # The request after an answer is on its way when the connection ends.
        return any(name == "an idle connection that ends" for name, _ in self.case.faults)

    def _should_succeed(self, faults: list[Fault]) -> bool:
        """One passing fault never costs an object; nor do two, at exchanges of different kinds."""
        places = {operation for _, operation in self.case.faults}
        is_passing = all(fault.mends for fault in faults) and not self.case.is_always
        return is_passing and len(places) == len(faults) and self.case.setting != "upload that fails"


class Bench:
    """A server, a plan, and a directory for many jobs."""

    def __init__(self, directory: Path, *, at_once: int = 32, network: NetworkSettings = NETWORK) -> None:
        self.server = S3Server(settings=ServerSettings(min_part_size=1))
        self.plan = Injector(self.server)
        self._directory = directory
        self._at_once = at_once
        self._network = network
        self._numbers = itertools.count()

    async def all(self, cases: list[Case]) -> list[Judged]:
        """Run every case, some at once."""
        gate = asyncio.Semaphore(self._at_once)

        async def one(case: Case) -> Judged:
            async with gate, asyncio.timeout(DEADLINE_S):
                return await self.one(case)

        return await asyncio.gather(*map(one, cases))

    async def one(self, case: Case) -> Judged:
        """Run one case and judge it."""
        bucket = f"case-{next(self._numbers)}"
        self.server.store.create_bucket(bucket)
        directory = self._directory / bucket
        directory.mkdir()
        self._plan(case, bucket)
        before = len(self.plan.fired)
        parts = PIECE if "parts" in case.setting or "ranges" in case.setting or "fails" in case.setting else 0
        job = SmallJob(
            self.server, bucket, part_size=parts, network=self._network, has_lane=case.setting.endswith("lane")
        )
        wanted, place, known = self._give(case, job, bucket, directory)
        ended = await job.run()
        store = self.server.store
        found = read_files(directory) if place else {key: store.read(bucket, key) for key in store.keys(bucket)}
        states = {name: judge(found.get(name), data, known.get(name)) for name, data in wanted.items()}
        litter = {name for name in found.keys() - wanted.keys() if found[name] != known.get(name)}
        hits = sum(fired.rule.bucket == bucket for fired in self.plan.fired[before:])
        return Judged(case, ended, states, litter, len(store.bucket(bucket).uploads), hits)

    def _plan(self, case: Case, bucket: str) -> None:
        times = ALWAYS if case.is_always else 1
        for name, operation in case.faults:
            # The lane has taken over when the second object comes.
            key = "b$" if case.setting.endswith("lane") and operation in {"PutObject", "GetObject"} else ""
            self.plan.add(Rule(action=EVERY[name].action, operation=operation, bucket=bucket, key=key, times=times))
        if case.setting == "upload that fails":
            denied = error(code="AccessDenied", status=403)
            self.plan.add(Rule(action=denied, operation=PART, bucket=bucket, part=2, times=ALWAYS))

    def _give(
        self, case: Case, job: SmallJob, bucket: str, directory: Path
    ) -> tuple[dict[str, bytes], bool, dict[str, bytes]]:
        """Give the job its work: what shall be there in the end, whether on the disk, and what is there now."""
        data = content(3, SIZE)
        store = self.server.store
        if case.setting.startswith(("put", "upload")):
            names = "ab" if case.setting.endswith("lane") else "b"
            sources = directory / "sources"
            sources.mkdir()
            for name in names:
                (sources / name).write_bytes(data)
                job.upload(sources / name, name)
            return dict.fromkeys(names, data), False, {}
        names = {"get a tree": ["p/1", "p/2", "p/3"], "get on the lane": ["p/a", "p/b"]}.get(case.setting, ["b"])
        for name in names:
            store.bucket(bucket).add(stored(name, data, now_s=store.now()))
        if case.setting.startswith("copy"):
            job.copy("b", "copy")
            return {"copy": data}, False, {"b": data}
        wanted = {name.removeprefix("p/"): data for name in names}
        known = dict.fromkeys(wanted, BEFORE)
        for name in wanted:
            (directory / name).write_bytes(BEFORE)
        job.download("p/" if len(names) > 1 else "b", directory)
        return wanted, True, known


@contextlib.contextmanager
def bench(directory, **settings):
    """A bench whose server runs while the block does."""
    made = Bench(directory, **settings)
    made.plan.page_size = 2
    with made.server:
        yield made


def run_all(made: Bench, cases: list[Case]) -> list[Judged]:
    """Run the cases; the first complaint of each kind ends the test."""
    judged = run(made.all(cases))
    complaints = [f"{complaint}: {one}" for one in judged if (complaint := one.complaint())]
    assert not complaints, "\n".join(complaints[:10])
    return judged


def test_the_tables_meet():
    """Each operation and each fault has its places, and the pairs are as many as they should be."""
    cases = list(pairs())
    assert {operation for operations in SETTINGS.values() for operation in operations} == frozenset().union(
        *(fault.at for fault in FAULTS.values())
    )
    assert sum(len(singles(name, fault)) for name, fault in EVERY.items()) > 1000
    assert len(cases) > 1000
    met = {frozenset(name for name, _ in case.faults) for case in cases}
    meetable = [
        {first, second}
        for first, second in itertools.combinations(FAULTS, 2)
        if any(
            set(operations) & FAULTS[first].at and set(operations) & FAULTS[second].at
            for operations in SETTINGS.values()
        )
    ]
    assert all(frozenset(two) in met for two in meetable)
    places = {(case.setting, *(operation for _, operation in case.faults)) for case in cases}
    assert len(places) == sum(len(operations) ** 2 for operations in SETTINGS.values())


@pytest.mark.parametrize("setting", [setting for setting in SETTINGS if setting != "upload that fails"])
def test_without_a_fault_every_job_arrives(tmp_path, monkeypatch, setting):
    """And where the express lane is meant, it is taken."""
    taken = []
    start = Lane.start
    monkeypatch.setattr(Lane, "start", lambda lane, item: taken.append(start(lane, item)) or taken[-1])
    with bench(tmp_path) as made:
        [judged] = run(made.all([Case(setting, ())]))
    assert judged.ended.is_success, judged
    assert judged.complaint() == "nothing happened", judged
    assert any(taken) == setting.endswith("lane")


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_at_every_operation(tmp_path, name):
    """Happening once it costs nothing where it passes; happening always it is never taken for a success."""
    with bench(tmp_path) as made:
        run_all(made, singles(name, FAULTS[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", SILENT)
def test_silence_at_every_operation(tmp_path, name, monkeypatch):
    """The same for what only a time limit ends; the limits are short here."""
    monkeypatch.setattr(pool, "TICK_S", 0.05)
    monkeypatch.setattr(upload, "COMMIT_FIRST_BYTE_S", 30.0)
    monkeypatch.setattr(copy, "COMMIT_FIRST_BYTE_S", 30.0)
    hasty = NetworkSettings(retry_attempts=2, timeout_s=1.0)
    with bench(tmp_path, at_once=200, network=hasty) as made:
        # Of three objects one after another each would be waited for.
        cases = singles(name, SILENT[name])
        run_all(made, [case for case in cases if case.setting != "get a tree" or not case.is_always])


@pytest.mark.slow
@pytest.mark.parametrize("group", range(GROUPS))
def test_two_faults_in_one_job(tmp_path, group):
    """Whatever else goes wrong in the same job, no wrong byte is called right."""
    with bench(tmp_path) as made:
        run_all(made, list(pairs())[group::GROUPS])


EXERCISES = {"put": "PutObject", "upload in parts": "UploadPart", "get": "GetObject", "copy": "CopyObject"}
"""The settings that `Lab.exercise` has too, with the operation by which it calls them."""
SAMPLE = [case for case in pairs() if case.setting in EXERCISES and case.faults[0][1] != case.faults[1][1]][::20]


@pytest.mark.slow
@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: " and ".join(name for name, _ in case.faults))
def test_two_faults_in_one_run_of_the_command(lab, case):
    """A sample of the same, through processes and pipes."""
    for name, operation in case.faults:
        lab.plan.add(Rule(action=FAULTS[name].action, operation=operation))
    spoils = any(FAULTS[name].spoils for name, _ in case.faults)
    run = lab.exercise(EXERCISES[case.setting])
    run.honest(0, 1, 2, 3, harmless=not spoils, orphans=True, fires=False, unproven=True)
