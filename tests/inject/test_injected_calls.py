"""System calls that fail on purpose, one at each place that matters: down, up, in the journal, at the start.

Each row is a job, a call of it, and what every error of that call comes to. A run is judged as every faulty run is
(`Run.honest`): a success only over right bytes, the old file or the new one, no litter, no unfinished upload, an end in
time; one failure, in one line that names the file. Afterwards the same command succeeds.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import LARGE
from tests.kit.fault_run import SMALL
from tests.kit.fault_run import Run
from tests.kit.fault_run import open_lab
from tests.kit.faults_verdict import Aim
from tests.kit.injection import TEMPORARY
from tests.kit.injection import Injected
from tests.kit.injection import Injection
from tests.kit.injection import forget
from tests.kit.trees import content

MEDIUM = 2_000_000
FINE = (0, "")
FULL = (2, "E_NO_SPACE")
READ_ONLY = (2, "E_READ_ONLY")
REFUSED = (1, "E_IO")
NOT_POSSIBLE = (2, "E_IO")
UNREADABLE = (2, "E_SOURCE_UNREADABLE")
NO_CONNECTION = (2, "E_CONNECT")
DISK = {"ENOSPC": FULL, "EDQUOT": FULL, "EROFS": READ_ONLY, "EIO": REFUSED}
"""What the errors of a disk come to: exit status and code."""

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A call of a job.

    Attributes:
        job: one of `JOBS`.
        call: its name.
        errors: what each error comes to.
        about: the files' role.
        like: what the line of the call has.
        also: ``+`` for every later one too.
        is_done: the file has its name already, though the job cannot call it done.
        names: what the failure's line names, or ``''`` for no file.
    """

    job: str
    call: str
    errors: dict[str, tuple[int, str]]
    about: str = "temporary"
    like: str = ""
    also: str = ""
    is_done: bool = False
    names: str = "object"


DOWN = [
    *(
        row
        for job in ("streamed", "parts")
        for row in (
            Row(
                job=job,
                call="openat",
                about="target",
                like="O_EXCL",
                errors={**DISK, "EMFILE": REFUSED, "ENFILE": REFUSED, "EACCES": REFUSED, "EINTR": FINE},
            ),
            Row(
                job=job,
                call="fallocate",
                errors={"ENOSPC": FULL, "EDQUOT": FULL, "EIO": REFUSED, "EOPNOTSUPP": FINE, "EINTR": FINE},
            ),
            Row(
                job=job,
                call="pwrite64",
                errors={"ENOSPC": FULL, "EDQUOT": FULL, "EIO": REFUSED, "EFBIG": (1, "E_TOO_LARGE"), "EINTR": FINE},
            ),
            Row(job=job, call="close", errors={"EIO": REFUSED, "ENOSPC": FULL, "EDQUOT": FULL}),
            Row(job=job, call="fchmod", errors={"EPERM": REFUSED, "EIO": REFUSED}),
            Row(job=job, call="utimensat", errors={"EPERM": REFUSED, "EIO": REFUSED}),
            Row(job=job, call="renameat", about="target", errors={**DISK, "EACCES": REFUSED}),
        )
    ),
    Row(job="parts", call="openat", about="target", like="O_NONBLOCK", errors={"EMFILE": REFUSED}, names=TEMPORARY),
    Row(job="parts", call="newfstatat", errors={"EIO": REFUSED}, names=TEMPORARY),
    # What goes wrong on the express lane is done again the long way: it can fail once, for good it cannot.
    Row(job="small", call="write", errors={"ENOSPC": FINE, "EIO": FINE}),
    Row(job="small", call="write,pwrite64", also="+", errors={"ENOSPC": FULL, "EDQUOT": FULL, "EIO": REFUSED}),
    Row(job="small", call="renameat", about="target", also="+", errors=DISK),
    Row(job="small", call="openat", about="target", like="O_EXCL", also="+", errors={**DISK, "EMFILE": REFUSED}),
    Row(job="exclusive", call="renameat2", about="target", errors={**DISK, "EINVAL": FINE, "ENOSYS": FINE}),
    *(
        row
        for job in ("durable", "durable-parts")
        for row in (
            # fsync is never tried again: what it did not write is marked as written all the same.
            Row(job=job, call="fsync", errors={"EIO": REFUSED, "ENOSPC": FULL, "EDQUOT": FULL, "EINTR": FINE}),
            Row(job=job, call="fsync", about="target", errors={"EIO": REFUSED, "ENOSPC": FULL}, is_done=True),
            Row(job=job, call="openat", about="target", like=r'"\."', errors={"EMFILE": REFUSED}, is_done=True),
        )
    ),
]

UP = [
    Row(job=job, about="source", **row)
    for job, read in (("up", "pread64"), ("up-parts", "preadv2"))
    for row in (
        {"call": "openat", "errors": {"EIO": UNREADABLE, "EACCES": UNREADABLE, "EMFILE": REFUSED, "EINTR": FINE}},
        {"call": read, "errors": {"EIO": UNREADABLE, "EINTR": FINE}},
        {"call": "newfstatat", "like": "object", "errors": {"EIO": (2, "E_NO_SOURCE")}},
    )
]

START = [
    Row(job="small", about="", names="", **row)
    for row in (
        {"call": "memfd_create", "errors": {"EMFILE": NOT_POSSIBLE, "ENOMEM": FINE, "ENOSYS": FINE}},
        {"call": "memfd_create", "also": "+", "errors": {"ENOMEM": FULL}},
        {"call": "ftruncate", "errors": {"ENOSPC": FINE, "EINVAL": FINE, "EIO": NOT_POSSIBLE}},
        {"call": "ftruncate", "also": "+", "errors": {"ENOSPC": FULL}},
        {"call": "mmap", "like": "orbit-slots", "errors": {"ENOMEM": FINE}},
        {"call": "clone", "errors": {"EAGAIN": NOT_POSSIBLE, "ENOMEM": NOT_POSSIBLE}},
        {"call": "pipe2", "errors": {"EMFILE": NOT_POSSIBLE, "ENFILE": NOT_POSSIBLE}},
        {"call": "epoll_create1", "errors": {"EMFILE": (2, "E_WORKER_LOST")}},
        {"call": "socket", "errors": {"EMFILE": FINE, "ENFILE": FINE}},
        {"call": "socket", "also": "+", "errors": {"EMFILE": NO_CONNECTION, "EACCES": NO_CONNECTION}},
        {"call": "connect", "errors": {"ECONNREFUSED": FINE, "ENETUNREACH": FINE}},
        {"call": "connect", "also": "+", "errors": {"ECONNREFUSED": NO_CONNECTION, "EADDRNOTAVAIL": NO_CONNECTION}},
    )
] + [
    # The second worker cannot be had: the first one does the work of both.
    Row(job="two-workers", call="clone", about="", like="", errors={"EAGAIN": FINE, "ENOMEM": FINE}, names="second"),
]


@dataclass(frozen=True, slots=True)
class Bench:
    """A lab for many rows, and where each call was found."""

    injected: Injected
    places: dict[tuple[str, ...], int]

    def run(self, job: str) -> Run:
        """Run a job from the start."""
        lab = self.injected.lab
        forget(lab.target)
        lab.server.store.buckets.pop(BUCKET, None)
        lab.server.store.create_bucket(BUCKET)
        return JOBS[job](self)

    def place_of(self, job: str, one: Injection) -> int:
        """Which of its calls is the one."""
        key = (job, one.call, one.about, one.like)
        if key not in self.places:
            self.injected.watch(one.call, one.about)
            self.run(job).right()
            self.places[key] = self.injected.place_of(one)
        return self.places[key]

    def struck(self, job: str, one: Injection, *, at: int = 0) -> Run:
        """Run a job in which this call fails."""
        self.injected.inject(one, at=at or self.place_of(job, one))
        run = self.run(job)
        assert any(line.is_injected for line in self.injected.trace), run.report()
        self.injected.release()
        return run


def _down(size: int, *options: str) -> Callable[[Bench], Run]:
    return lambda bench: bench.injected.lab.download(None, *options, size=size)


def _up(size: int) -> Callable[[Bench], Run]:
    return lambda bench: bench.injected.lab.upload(size)


def _exclusive(bench: Bench) -> Run:
    lab, data = bench.injected.lab, content(7, SMALL)
    lab.put("object", data)
    aim = Aim(wanted={"object": data}, directory=lab.target)
    return lab.run(aim, "--no-clobber", f"s3://{BUCKET}/object", lab.target / "object")


JOBS: dict[str, Callable[[Bench], Run]] = {
    "small": _down(SMALL),
    "streamed": _down(MEDIUM),
    "parts": _down(LARGE),
    "two-workers": _down(LARGE, "--processes", "2"),
    "durable": _down(SMALL, "--durable"),
    "durable-parts": _down(LARGE, "--durable"),
    "exclusive": _exclusive,
    "up": _up(SMALL),
    "up-parts": _up(LARGE),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """One server for all rows."""
    with open_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield Bench(Injected(lab), {})


def cases(rows):
    """Each error of each row."""
    return [
        pytest.param(row, error, id=f"{row.job}-{row.call}-{error}{row.also}-{row.about}-{place}")
        for place, row in enumerate(rows)
        for error in row.errors
    ]


@pytest.mark.parametrize(("row", "error"), cases([*DOWN, *UP, *START]))
def test_a_call_that_fails_is_a_failure_or_none(bench: Bench, row: Row, error: str) -> None:
    """What the row says, and afterwards the same command succeeds."""
    one = Injection(call=row.call, error=error, about=row.about, like=row.like, also=row.also)
    status, code = row.errors[error]
    run = bench.struck(row.job, one, at=2 if row.names == "second" else 0)
    if status == 0:
        run.right()
    else:
        run.failed(status, code, unproven=row.is_done)
        assert row.names in run.failure["error"], run.report()
        assert run.result.summary["retries"] == 0 or code == "E_CONNECT", run.report()
        if code != "E_WORKER_LOST":
            assert run.result.err == b"", run.report()
    bench.run(row.job).right()


# --- moves -----------------------------------------------------------------------------------------------------------


def _move_down(bench: Bench, size: int) -> Run:
    lab = bench.injected.lab
    lab.verb = "mv"
    try:
        return lab.download(None, size=size)
    finally:
        lab.verb = "cp"


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "parts"])
@pytest.mark.parametrize("about", ["temporary", "target"])
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_a_move_that_is_not_on_stable_storage_costs_no_source(bench, size, about, error):
    """Fsync of the file or of its directory fails: the object is still there."""
    lab = bench.injected.lab
    bench.run("small")
    bench.injected.inject(Injection(call="fsync", error=error, about=about), at=1)
    forget(lab.target)
    run = _move_down(bench, size).failed(1 if error == "EIO" else 2, unproven=about == "target")
    bench.injected.release()
    assert lab.server.store.keys(BUCKET) == ["object"], run.report()


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "parts"])
def test_what_is_durable_is_flushed_in_this_order(bench, size):
    """File, name, directory, and every directory above that was made for it; only then the source goes."""
    lab = bench.injected.lab
    for verb, options in (("cp", ("--durable",)), ("mv", ())):
        bench.run("small")
        lab.put("p/new/deep/object", content(7, size))
        bench.injected.watch("fsync,renameat")
        lab.verb = verb
        forget(lab.target)
        aim = Aim(wanted={"new/deep/object": content(7, size)}, directory=lab.target)
        lab.run(aim, "-R", *options, f"s3://{BUCKET}/p/", f"{lab.target}/").right()
        lab.verb = "cp"
        bench.injected.release()
        calls = [line for line in bench.injected.trace if str(lab.target) in line.rest]
        assert [line.call for line in calls] == ["fsync", "renameat", *["fsync"] * (len(calls) - 2)]
        assert ".tmp" in calls[0].rest
        flushed = [line.rest.partition("<")[2].partition(">")[0].removeprefix(str(lab.target)) for line in calls[2:]]
        assert set(flushed) >= {"/new/deep", "/new", ""}


# --- sources that cannot be listed -----------------------------------------------------------------------------------


def test_a_directory_that_cannot_be_read_deletes_nothing(bench):
    """EIO from getdents64: the job fails, and a sync deletes nothing for it."""
    lab = bench.injected.lab
    bench.run("small")
    forget(lab.source)
    data = lab.file("object", SMALL)
    extra = {"kept": b"not at the source"}
    for verb, options in (("cp", ("-R",)), ("sync", ("--delete",))):
        lab.server.store.put(BUCKET, "kept", extra["kept"])
        lab.verb = verb
        bench.injected.inject(Injection(call="getdents64", error="EIO", about="tree"), at=1)
        aim = Aim(wanted={"object": data}, before={"object": lab.server.store.read(BUCKET, "object"), **extra},
                  bucket=BUCKET)  # fmt: skip
        run = lab.run(aim, *options, f"{lab.source}/", f"s3://{BUCKET}/")
        lab.verb = "cp"
        bench.injected.release()
        assert run.code in {1, 2}, run.report()
        assert "Input/output error" in run.failure["error"]
        assert lab.server.store.read(BUCKET, "kept") == extra["kept"]


# --- the journal -----------------------------------------------------------------------------------------------------


def _journal(bench: Bench, job: str) -> Path:
    """Where the job's journal is while it runs."""
    bench.injected.watch("openat")
    bench.run(job).right()
    paths = {word for line in bench.injected.trace for word in line.rest.split('"') if word.endswith(".journal")}
    assert len(paths) == 1, paths
    return Path(paths.pop())


@pytest.mark.parametrize("job", ["up-parts", "parts"])
@pytest.mark.parametrize(
    ("call", "error", "at"),
    [
        *(("openat", error, 1) for error in ("EACCES", "EROFS", "ENOSPC", "EMFILE")),
        ("flock", "ENOLCK", 1),
        *((call, error, at) for call in ("write", "fsync") for error in ("ENOSPC", "EIO", "EDQUOT") for at in (1, 2)),
        ("unlink", "EIO", 1),
    ],
)
def test_a_journal_that_cannot_be_kept_stops_nothing(bench, job, call, error, at):
    """The job succeeds and leaves nothing but, at worst, a journal that the next run takes away."""
    injected = bench.injected
    journal = bench.places.get((job, "journal")) or _journal(bench, job)
    bench.places[job, "journal"] = journal
    injected.journal = journal
    injected.inject(Injection(call=call, error=error, about="journal"), at=at)
    bench.run(job).right()
    injected.release()
    bench.run(job).right()
    assert list(injected.state.rglob("*.journal")) == []


def test_a_place_for_journals_that_cannot_be_made_stops_nothing(bench):
    """Mkdir fails: no journal, and the job succeeds."""
    shutil.rmtree(bench.injected.state, ignore_errors=True)
    bench.injected.inject(Injection(call="mkdir", error="ENOSPC", about="state"), at=1)
    bench.run("up-parts").right()
    bench.injected.release()
    assert not os.path.exists(bench.injected.state / "orbit")
