"""What doctor makes of what it sees, and how it says so."""

from __future__ import annotations

import pytest

from orbit_fast.core import encode
from orbit_fast.core.checkup import Check
from orbit_fast.core.checkup import Health
from orbit_fast.core.checkup import check_files
from orbit_fast.core.checkup import check_memory
from orbit_fast.core.checkup import check_settings
from orbit_fast.core.checkup import check_skew
from orbit_fast.core.checkup import failed
from orbit_fast.core.checkup import is_broken
from orbit_fast.core.checkup import suggest
from orbit_fast.core.decode_errors import error_of
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import TlsTrust
from orbit_fast.core.provenance import Setting
from orbit_fast.core.render.doctor import check_line
from orbit_fast.core.render.doctor import totals_line
from orbit_fast.core.settings import MIB
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.values import Source
from tests.kit.event_schema import validated


@pytest.mark.parametrize(
    ("skew_s", "health", "words"),
    [
        (0.4, Health.OK, "0.4 s behind"),
        (-59.0, Health.OK, "59.0 s ahead of"),
        (61.0, Health.WARN, "61.0 s behind"),
        (-901.0, Health.FAIL, "901.0 s ahead of"),
    ],
)
def test_skew(skew_s, health, words):
    """More than a minute is worth a look, 15 minutes break everything but orbit."""
    check = check_skew(skew_s)
    assert (check.health, check.facts) == (health, {"skew_secs": skew_s})
    assert words in check.message
    assert bool(check.advice) == (health is not Health.OK)


@pytest.mark.parametrize(
    ("soft", "hard", "health", "advice"),
    [
        (-1, -1, Health.OK, ""),
        (352, 352, Health.OK, ""),
        (351, -1, Health.WARN, "raise the limit (ulimit -n 352), or use --workers 254"),
        (256, 256, Health.WARN, "use --workers 160"),
        (1, 1, Health.WARN, "use --workers 1"),
    ],
)
def test_files(soft, hard, health, advice):
    """256 objects in flight in two processes need 352 descriptors in each."""
    check = check_files(soft, hard, workers=256, processes=2)
    assert (check.health, check.advice) == (health, advice)
    assert check_files(160 + 96, -1, workers=160, processes=2).health is Health.OK, "what is advised is enough"


@pytest.mark.parametrize(
    ("limit", "total", "health", "advice"),
    [
        (0, 4096 * MIB, Health.OK, ""),
        (0, 0, Health.OK, ""),
        (600 * MIB, 4096 * MIB, Health.WARN, "use --max-memory 150MiB"),
        (8192 * MIB, 512 * MIB, Health.WARN, "use --max-memory 128MiB"),
    ],
)
def test_memory(limit, total, health, advice):
    """The smaller of machine and control group counts."""
    check = check_memory(limit, total, wanted=512 * MIB)
    assert (check.health, check.advice) == (health, advice)


@pytest.mark.parametrize(("soft", "workers"), [(-1, 256), (20_000, 256), (300, 128), (1, 16)])
def test_suggestions(soft, workers):
    """As many workers as there are descriptors for."""
    assert suggest(2, soft_files=soft).message == f"--processes 2 --workers {workers}"


def answered(status):
    """The error of an answer without a body."""
    return error_of(status, {}, b"", request=encode.head_bucket(), bucket="b")


@pytest.mark.parametrize(
    ("error", "message", "advice"),
    [
        (answered(404), "NoSuchBucket: no such bucket (s3://b)", "orbit mb s3://b"),
        (answered(403), "AccessDenied: HTTP 403 Forbidden (s3://b)", "it needs s3:ListBucket"),
        (TlsTrust("who?"), "E_TLS_TRUST: who?", "--ca-bundle"),
        (Network("a\nb"), "E_CONN_RESET: a b", "--log-level debug"),
    ],
)
def test_every_failure_has_advice(error, message, advice):
    """One line, the code once, and what to do next."""
    check = failed("x", error)
    assert (check.message, check.health) == (message, Health.FAIL)
    assert advice in check.advice
    assert is_broken([check])
    assert not is_broken([failed("x", error, health=Health.WARN)])


def test_settings():
    """Those that somebody has given, each with who; or that there are none."""
    given = Setting(option="part-size", value="64", source=Source.FILE, place="/c/orbit.toml: part_size")
    left = Setting(option="region", value="", source=Source.DEFAULT, place="")
    [check] = check_settings([left, given])
    assert check.message == "part-size = 64 (from /c/orbit.toml: part_size)"
    [check] = check_settings([left])
    assert check.message == "all settings are the defaults"


def test_lines():
    """Aligned, with the advice below; events of the schema; quiet ones only of what is not well."""
    good = Check(name="dns", message="fine\x1b", facts={"duration_ms": 1.5, "x": "y"})
    bad = Check(name="tcp", health=Health.FAIL, message="no", advice="do this")
    text = OutputSettings()
    assert check_line(good, text) == b"ok    dns           fine\\x1b\n"
    assert check_line(bad, text) == b"FAIL  tcp           no\n" + b" " * 20 + b"-> do this\n"
    quiet = OutputSettings(quiet=True)
    assert (check_line(good, quiet), totals_line([good], quiet)) == (b"", b"")
    assert totals_line([good, bad, good], text) == b"2 ok, 0 to look at, 1 broken\n"
    as_events = OutputSettings(json=True)
    one, other = validated(check_line(good, as_events) + check_line(bad, as_events))
    assert (one["success"], one["facts"], one["message"]) == (True, {"duration_ms": 1.5, "x": "y"}, "fine\x1b")
    assert (other["success"], other["status"], other["advice"]) == (False, "fail", "do this")
