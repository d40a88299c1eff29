"""Modes and modification times of downloaded files: the umask, and metadata that others may have written."""

from __future__ import annotations

import stat

import pytest

from orbit_fast.testing.store import Attributes
from tests.kit.fault_run import LARGE
from tests.kit.fault_run import SMALL
from tests.kit.trees import content

MEDIUM = 2_000_000
SIZES = pytest.mark.parametrize("size", [SMALL, MEDIUM, LARGE], ids=["small", "streamed", "parts"])


@pytest.mark.parametrize("umask", ["077", "022", "027", "000"])
@SIZES
def test_e9_the_umask_is_kept(lab, size, umask):
    """A new file has 0666 without the umask, a new directory 0777 without it."""
    data = content(7, size)
    lab.put("p/dir/object", data)
    lab.prefix = ("sh", "-c", f'umask {umask}; exec "$@"', "sh")
    lab.download_all({"dir/object": data}, prefix="p/").right()
    mask = int(umask, 8)
    assert stat.S_IMODE((lab.target / "dir" / "object").stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE((lab.target / "dir").stat().st_mode) == 0o777 & ~mask


MODES = {
    "104755": 0o755,
    "102750": 0o750,
    "101777": 0o777,
    "107777": 0o777,
    "100600": 0o600,
    "-1": None,
    "99999999999": None,
    "0x1ff": None,
    "": None,
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_e9_s12_set_id_bits_are_never_restored(lab, mode, size):
    """``--preserve-metadata`` takes permission bits from the metadata and nothing else; nonsense is ignored."""
    data = content(7, size)
    lab.put("p/object", data, attributes=Attributes(metadata={"mode": mode} if mode else {}))
    lab.prefix = ("sh", "-c", 'umask 022; exec "$@"', "sh")
    lab.download_all({"object": data}, "--preserve-metadata", prefix="p/").right()
    wanted = 0o644 if MODES[mode] is None else MODES[mode]
    assert (lab.target / "object").stat().st_mode == stat.S_IFREG | wanted


def test_e9_without_being_asked_no_mode_is_taken(lab):
    """Metadata of others does not make a file executable."""
    data = content(7, SMALL)
    lab.put("p/object", data, attributes=Attributes(metadata={"mode": "100777", "mtime": "1"}))
    lab.prefix = ("sh", "-c", 'umask 022; exec "$@"', "sh")
    lab.download_all({"object": data}, prefix="p/").right()
    facts = (lab.target / "object").stat()
    assert (stat.S_IMODE(facts.st_mode), facts.st_mtime > 1000) == (0o644, True)


TIMES = {
    "1700000000.123456789": 1_700_000_000_123_456_789,
    "-1.5": -1_500_000_000,
    "0": 0,
    "4294967296": 4_294_967_296_000_000_000,
    "999999999999999999999999": None,
    "nan": None,
    "1e400": None,
    "soon": None,
}


@pytest.mark.parametrize("mtime", TIMES)
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_e10_s12_the_time_is_the_objects(lab, mtime, size):
    """The metadata's time where it is asked for and makes sense, to the nanosecond; else Last-Modified."""
    data = content(7, size)
    stored = lab.put("p/object", data, attributes=Attributes(metadata={"mtime": mtime}))
    lab.download_all({"object": data}, "--preserve-metadata", prefix="p/").right()
    wanted_ns = stored.modified_s * 10**9 if TIMES[mtime] is None else TIMES[mtime]
    assert (lab.target / "object").stat().st_mtime_ns == wanted_ns


@SIZES
def test_e10_the_time_is_last_modified_otherwise(lab, size):
    """Without ``--preserve-metadata`` a file is as old as its object."""
    data = content(7, size)
    stored = lab.put("p/object", data)
    lab.download_all({"object": data}, prefix="p/").right()
    assert (lab.target / "object").stat().st_mtime_ns == stored.modified_s * 10**9


def test_e10_a_time_that_no_disk_holds_is_no_success_without_the_file(lab):
    """The largest time that the metadata can say: the file arrives, with that time or as near as the disk comes."""
    data = content(7, SMALL)
    lab.put("p/object", data, attributes=Attributes(metadata={"mtime": "999999999999"}))
    lab.download_all({"object": data}, "--preserve-metadata", prefix="p/").honest(0, 1)
