"""Where settings come from."""

from __future__ import annotations

from orbit_fast.core.options import gather
from orbit_fast.core.options import options_of
from orbit_fast.core.provenance import Setting
from orbit_fast.core.provenance import explain
from orbit_fast.core.values import Context
from orbit_fast.core.values import Entry
from orbit_fast.core.values import Source

CANARY = b"CANARY-CANARY-CANARY-CANARY-CANA"
CONTEXT = Context(now_ns=lambda: 10**18, read_file=lambda _: CANARY)


def settings_of(flags=None, variables=None, files=()):
    """The settings of ``cp`` by option name."""
    given = gather(flags or {}, variables or {}, CONTEXT, verb="cp", files=files)
    return {setting.option: setting for setting in explain(given, "cp")}


def test_every_option_is_told():
    """Every option of the command is there, in its order, with its default where nobody set it."""
    told = settings_of()
    assert list(told) == [option.name for option in options_of("cp")]
    assert told["part-size"] == Setting(option="part-size", value="50.0 MiB", source=Source.DEFAULT, place="")


def test_sources_are_told():
    """Flag, variable and file are named, with what they gave."""
    files = ({"max_memory": Entry(given="64M", place="/h/orbit.toml: max-memory")},)
    told = settings_of({"include": ("a", "b"), "progress": False}, {"ORBIT_WORKERS": "3", "ORBIT_JSON": "0"}, files)
    assert {name: (told[name].value, told[name].source, told[name].place) for name in told if told[name].place} == {
        "include": ("a, b", Source.FLAG, "--include"),
        "progress": ("false", Source.FLAG, "--progress"),
        "workers": ("3", Source.VARIABLE, "ORBIT_WORKERS"),
        "json": ("0", Source.VARIABLE, "ORBIT_JSON"),
        "max-memory": ("64M", Source.FILE, "/h/orbit.toml: max-memory"),
    }


def test_no_secret_is_told():
    """Of a key file only the name is told, of a URL not the password."""
    told = settings_of({"sse_c_key_file": "keyfile", "endpoint_url": "http://user:hunter22@h"})
    assert told["sse-c-key-file"].value == "keyfile"
    assert "CANARY" not in repr(told)
    assert "hunter22" not in repr(told)
