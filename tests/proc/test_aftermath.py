"""What a job does about other runs of its command: litter that it removes, and what it says at its end."""

from __future__ import annotations

from types import SimpleNamespace

from orbit_fast.core.hands import Limits
from orbit_fast.core.journal import Place
from orbit_fast.core.journal import Started
from orbit_fast.core.journal import Transfer
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import PartFact
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings
from orbit_fast.proc.aftermath import MOST_TOLD
from orbit_fast.proc.aftermath import SLICE
from orbit_fast.proc.aftermath import Recovery
from orbit_fast.proc.aftermath import Sweep

RUN = b"0123456789abcdef"
LITTER = ".orbit-0123456789abcdef-1.tmp"
NEEDED = ".orbit-0123456789abcdef-2.tmp"
FOREIGN = ".orbit-ffffffffffffffff-1.tmp"


def swept(root, *, is_tree):
    """Sweep to the end; what is left, by its path below the root."""
    sweep = Sweep(bytes(root), {RUN}, {NEEDED.encode()}, is_tree=is_tree)
    pulls = 0
    while not sweep.is_done:
        sweep.pull()
        pulls += 1
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()), pulls


def test_litter_of_dead_runs_is_removed_and_nothing_else(tmp_path):
    """In every directory of a tree, never through a link; what is gone on with stays."""
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for directory in (root, root / "a" / "b", elsewhere):
        directory.mkdir(parents=True)
        for name in (LITTER, NEEDED, FOREIGN, "file", f"x{LITTER}"):
            (directory / name).write_bytes(b"")
    (root / "link").symlink_to(elsewhere)
    kept = sorted((NEEDED, FOREIGN, "file", f"x{LITTER}"))
    left, _ = swept(root, is_tree=True)
    assert left == sorted([*kept, *(f"a/b/{name}" for name in kept)])
    assert (elsewhere / LITTER).exists()


def test_beside_a_file_only_its_own_directory_is_swept(tmp_path):
    """Where one file is downloaded, what is below is somebody else's."""
    (tmp_path / "a").mkdir()
    for directory in (tmp_path, tmp_path / "a"):
        (directory / LITTER).write_bytes(b"")
    assert swept(tmp_path, is_tree=False)[0] == [f"a/{LITTER}"]


def test_a_sweep_lets_the_loop_turn(tmp_path):
    """Many names are looked at in slices; a directory that is not there has none."""
    for number in range(SLICE + 1):
        (tmp_path / str(number)).write_bytes(b"")
    assert swept(tmp_path, is_tree=True)[1] == 2
    assert swept(tmp_path / "gone", is_tree=True) == ([], 1)


class Said:
    """As much of a report as is told something."""

    def __init__(self):
        self.lines = []

    def forward(self, _out, err):
        """Lines for stderr."""
        self.lines += err.decode().splitlines()

    def log(self, _level, text):
        """A log line."""
        self.lines.append(text)


def ended(*known, quiet=False):
    """What a job says at its end that keeps these."""
    settings = JobSettings(dest=ClientSettings(endpoint_url="http://h:9"))
    if quiet:
        settings = JobSettings(output=SimpleNamespace(quiet=True))
    said = Said()
    recovery = Recovery(["src"], "s3://b/p", settings, {}, said, operation="cp", limits=Limits(depth=1, concurrency=1))
    recovery.ledger.journal.state.transfers.update({transfer.number: transfer for transfer in known})
    recovery.close()
    return said.lines


def known(number, direction=Direction.UPLOAD, *, is_started=True):
    """A large object that is under way, with one part of three."""
    is_down = direction is Direction.DOWNLOAD
    place = Place(direction, "aws", "b", f"k{number}\x1b", f"/out/f{number}".encode() if is_down else b"")
    started = Started(transfer=number, size=25, part_size=10, token="" if is_down else "id",
                      temp=b".orbit-x.tmp" if is_down else b"")  # fmt: skip
    parts = {1: PartFact(1, 0, 10)}
    return Transfer(number=number, place=place, when_ns=1, started=started if is_started else None, parts=parts)


def test_what_is_kept_is_named_with_the_commands_that_go_on_or_give_up():
    """An upload by its key and id, a download by its temporary file; nothing drives the terminal."""
    assert ended(known(1), known(2, Direction.DOWNLOAD), known(3, is_started=False)) == [
        "orbit: unfinished, and kept: s3://b/k1\\x1b (1 of 3 parts, upload id)",
        "orbit: unfinished, and kept: /out/.orbit-x.tmp (1 of 3 parts)",
        "orbit: the same command goes on from there",
        "orbit: to give uploads up: orbit uploads 's3://b/k1\\x1b' --abort --endpoint-url http://h:9",
        "orbit: to give downloads up: remove the files that are named above",
    ]
    assert ended() == []
    assert ended(known(1), quiet=True) == []


def test_of_many_only_some_are_named():
    """The rest is counted, and all are given up by one command."""
    lines = ended(*(known(number) for number in range(1, MOST_TOLD + 4)))
    assert len(lines) == MOST_TOLD + 3
    assert lines[MOST_TOLD] == "orbit: unfinished, and kept: 3 more"
    assert lines[-1] == "orbit: to give uploads up: orbit uploads s3://b/p --abort --endpoint-url http://h:9"
