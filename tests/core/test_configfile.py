"""What a configuration file says."""

from __future__ import annotations

import tomllib

import pytest

from orbit_fast.core.configfile import read_document
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.options import TABLE
from orbit_fast.core.options import build_settings
from orbit_fast.core.options import gather
from orbit_fast.core.options import general_options
from orbit_fast.core.options import values_of
from orbit_fast.core.values import Context
from orbit_fast.core.values import Shape
from tests.kit.option_examples import FILES
from tests.kit.option_examples import NEEDED
from tests.kit.option_examples import NOW_NS
from tests.kit.option_examples import example_of

CONTEXT = Context(now_ns=lambda: NOW_NS, read_file=FILES.__getitem__)


def values(text, verb="cp"):
    """The values that a file gives a command."""
    files = read_document(tomllib.loads(text), verb, "orbit.toml")
    return values_of(gather({}, {}, CONTEXT, verb=verb, files=files))


def toml_of(value):
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_of(each) for each in value) + "]"
    return str(value) if isinstance(value, int) else f"'{value}'"


@pytest.mark.parametrize("option", [option for option in TABLE if option.path], ids=lambda option: option.name)
def test_every_option_has_a_key(option):
    """The file sets the same value as the flag: at the top, and in a command's own table."""
    given, _ = example_of(option)
    verb = min(option.verbs)
    needed = NEEDED.get(option.parameter, {})
    wanted = build_settings(values_of(gather({**needed, option.parameter: given}, {}, CONTEXT, verb=verb)))
    lines = [f"{name} = {toml_of(value)}" for name, value in {**needed, option.name: given}.items()]
    texts = ["\n".join([f"[{verb}]", *lines])]
    if option in general_options():
        texts.append("\n".join(lines))
    assert [build_settings(values(text, verb)) for text in texts] == [wanted] * len(texts)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", {}),
        ("part-size = 16", {"part_size": 16 << 20}),
        ("part_size = '16MiB'", {"part_size": 16 << 20}),
        ("part-size = 1\n[cp]\npart-size = 32", {"part_size": 32 << 20}),
        ("[cp]\npart-size = 32\n[sync]\npart-size = 1", {"part_size": 32 << 20}),
        ("timeout = 2.5", {"timeout": 2.5}),
        ("profile = 'work'", {"aws_profile": "work"}),
        ("newer-than = 2026-01-31", {"newer_than": 1_769_817_600 * 10**9}),
        ("newer-than = 2026-01-31T00:00:00Z", {"newer_than": 1_769_817_600 * 10**9}),
        ("include = 'a*'", {"include": ("a*",)}),
        ("include = ['a*', 'b']", {"include": ("a*", "b")}),
        ("verbose = true", {"verbose": 1}),
        ("verbose = 2", {"verbose": 2}),
        ("verbose = 0", {}),
        ("recursive = true", {"recursive": True}),
        ("recursive = true\n[cp]\nrecursive = false", {}),
        ("progress = false", {"progress": False}),
        ("request-payer = true", {"request_payer": "requester"}),
        ("request-payer = 'requester'", {"request_payer": "requester"}),
        ("request-payer = false", {}),
    ],
)
def test_values(text, wanted):
    """Numbers, texts, dates, lists and switches mean what they mean on the command line."""
    assert values(text) == wanted


def test_options_of_other_commands_are_left_alone():
    """At the top stands what is for any command; each takes what is its own."""
    assert values("part-size = 16\njson = true", "version") == {"json": True}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("part-sise = 16", "orbit.toml: part-sise: no such option (did you mean part-size?)"),
        ("zzz = 1", "orbit.toml: zzz: no such option"),
        ("config = 'x'", "orbit.toml: config: no such option"),
        ("part-size = 1\npart_size = 1", "orbit.toml: part_size: part-size is set already"),
        ("profile = 'a'\naws-profile = 'b'", "orbit.toml: aws-profile: aws-profile is set already"),
        ("[synk]\njson = true", "orbit.toml: [synk]: no such command (did you mean sync?)"),
        ("[version]\npart-size = 1", "orbit.toml: [version] part-size: no such option"),
        ("[cp]\nworker = 1", "orbit.toml: [cp] worker: no such option (did you mean workers?)"),
        ("[cp.workers]\nx = 1", "orbit.toml: [cp] workers: expected a text or a number"),
        ("cp = 1", "orbit.toml: cp: expected a table, [cp]"),
        ("[[cp]]\njson = true", "orbit.toml: cp: expected a table, [cp]"),
        ("workers = true", "orbit.toml: workers: expected a text or a number"),
        ("workers = [1]", "orbit.toml: workers: expected a text or a number"),
        ("recursive = 'yes'", "orbit.toml: recursive: expected true or false"),
        ("recursive = 1", "orbit.toml: recursive: expected true or false"),
        ("progress = 1", "orbit.toml: progress: expected true or false"),
        ("verbose = 'x'", "orbit.toml: verbose: expected a whole number, true or false"),
        ("verbose = -1", "orbit.toml: verbose: expected a whole number, true or false"),
        ("include = true", "orbit.toml: include: expected a text, a number, or a list of them"),
        ("include = [['a']]", "orbit.toml: include: expected a text, a number, or a list of them"),
        ("request-payer = 1", "orbit.toml: request-payer: expected true, false or a text"),
        ("workers = 0", "orbit.toml: workers: '0' is not a whole number from 1 to 65536"),
        ("include = ['']", "orbit.toml: include: the pattern is empty"),
    ],
)
def test_mistakes_are_named(text, message):
    """A key that is none, a value of another type, a value out of range: one line with file, table and key."""
    with pytest.raises(InvalidConfig) as caught:
        values(text)
    assert caught.value.message == message


def test_mistakes_for_other_commands_are_found_too():
    """A wrong key or type is found by whichever command reads the file first."""
    for text in ("[cp]\nzzz = 1", "recursive = 1"):
        with pytest.raises(InvalidConfig):
            values(text, "version")


def test_every_shape_has_a_reader():
    """Each way in which options are written has an example in the table above."""
    assert {option.shape for option in TABLE} == set(Shape)
