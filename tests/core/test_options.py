"""The option table: every row changes its setting, and nothing else."""

from __future__ import annotations

import msgspec
import pytest

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.options import TABLE
from orbit_fast.core.options import build_settings
from orbit_fast.core.options import collect
from orbit_fast.core.options import default_of
from orbit_fast.core.options import options_of
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.values import Context
from orbit_fast.core.values import Group
from orbit_fast.core.values import Shape
from tests.kit.option_examples import KEY
from tests.kit.option_examples import NEEDED
from tests.kit.option_examples import NOW_NS
from tests.kit.option_examples import example_of

CONTEXT = Context(now_ns=lambda: NOW_NS, read_file=lambda _: KEY)


def flat(settings):
    """Settings as one mapping of paths to values."""
    tree = msgspec.to_builtins(settings)
    return {f"{group}.{name}": value for group, fields in tree.items() for name, value in fields.items()}


def plain(value):
    """A value as it looks in `flat`."""
    return msgspec.to_builtins(value)


def settings_of(flags=None, variables=None):
    """The settings that flags and variables make for ``cp``."""
    return build_settings(collect(flags or {}, variables or {}, CONTEXT, verb="cp"))


@pytest.mark.parametrize("option", TABLE, ids=lambda option: option.name)
def test_every_option_changes_its_setting_alone(option):
    """An option's value lands at its path, on both sides for client options, and changes nothing else."""
    given, value = example_of(option)
    needed = NEEDED.get(option.parameter, {})
    before = flat(settings_of(needed))
    after = flat(settings_of({**needed, option.parameter: given}))
    group, _, name = option.path.partition(".")
    places = [f"source.{name}", f"dest.{name}"] if group == "client" else [option.path]
    changed = {place for place, now in after.items() if now != before[place]}
    assert changed == set(places)
    assert all(after[place] == plain(value) for place in places)


@pytest.mark.parametrize("option", TABLE, ids=lambda option: option.name)
def test_every_option_has_a_variable(option):
    """The environment sets the same value as the flag."""
    given, _ = example_of(option)
    needed = NEEDED.get(option.parameter, {})
    if option.shape is Shape.MANY:
        text = "\n".join(given)
    else:
        text = {True: "1", False: "0"}.get(given, str(given)) if isinstance(given, bool) else str(given)
    assert settings_of(needed, {option.variable: text}) == settings_of({**needed, option.parameter: given})


def test_every_setting_has_an_option():
    """No setting is out of reach, but for the one threshold that only S3's own limit should change."""
    reached = {option.path.replace("client.", "source.") for option in TABLE if not option.path.startswith("dest.")}
    settings = {name for name in flat(JobSettings()) if not name.startswith("dest.")}
    assert settings - reached == {"transfer.multipart_copy_threshold"}


def test_spellings_are_unique():
    """No two options share a flag or a variable."""
    flags = [flag for option in TABLE for flag in option.flags]
    assert len(flags) == len(set(flags))
    assert len({option.variable for option in TABLE}) == len(TABLE)


def test_default_settings_are_the_defaults():
    """Nothing given means the product's defaults."""
    assert settings_of() == JobSettings()


def test_flag_wins_over_variable():
    """A flag on the command line beats the environment, which beats the default."""
    assert settings_of({"workers": "3"}, {"ORBIT_WORKERS": "4"}).transfer.workers == 3
    assert settings_of({}, {"ORBIT_WORKERS": "4"}).transfer.workers == 4
    assert settings_of({"include": ()}, {"ORBIT_INCLUDE": "x"}).selection.include == ("x",)


def test_flag_overrules_contradicting_variable():
    """A variable that contradicts a flag is not heard."""
    assert settings_of({"verbose": 1}, {"ORBIT_QUIET": "1"}).output.quiet is False
    assert settings_of({"addressing_style": "virtual"}, {"ORBIT_FORCE_PATH_STYLE": "1"}).source.addressing_style == (
        "virtual"
    )


def test_empty_variable_is_unset():
    """An empty variable says nothing."""
    assert settings_of({}, {"ORBIT_REGION": "", "ORBIT_JSON": ""}) == JobSettings()


def test_side_options_apply_to_their_side():
    """``--source-…`` and ``--dest-…`` override the common form on their own side."""
    settings = settings_of({"region": "a", "dest_region": "b", "source_no_sign_request": True})
    assert (settings.source.region, settings.dest.region) == ("a", "b")
    assert (settings.source.no_sign_request, settings.dest.no_sign_request) == (True, False)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"quiet": True, "verbose": 1}, "--quiet and --verbose"),
        ({"no_verify": True, "require_verify": True}, "--no-verify and --require-verify"),
        ({"sse": "AES256", "sse_c_key_file": "f"}, "--sse and --sse-c-key-file"),
        ({"sse_kms_key_id": "id"}, "needs --sse aws:kms"),
        ({"sse_kms_key_id": "id", "sse": "AES256"}, "needs --sse aws:kms"),
        ({"force_path_style": True, "addressing_style": "virtual"}, "--force-path-style and --addressing-style"),
        ({"use_acceleration": True, "addressing_style": "path"}, "not with path style"),
        ({"use_acceleration": True, "force_path_style": True}, "not with path style"),
        ({"use_acceleration": True, "endpoint_url": "http://h"}, "not with --endpoint-url"),
        ({"min_size": "2", "max_size": "1"}, "--min-size and --max-size select nothing"),
        ({"newer_than": "1s", "older_than": "2s"}, "--newer-than and --older-than select nothing"),
    ],
)
def test_contradictions_are_refused(flags, words):
    """Options that cannot both be meant are refused, and named."""
    with pytest.raises(InvalidConfig) as caught:
        settings_of(flags)
    assert words in caught.value.message


def test_errors_name_the_flag():
    """A value that cannot be used is named with its flag."""
    with pytest.raises(InvalidConfig, match=r"^--part-size: '1' is less than"):
        settings_of({"part_size": "1"})
    with pytest.raises(InvalidConfig, match=r"^--tags: 11 tags"):
        settings_of({"tags": ("&".join(f"{number}=" for number in range(11)),)})


def test_verbs_take_their_own_options():
    """An option that a verb does not take is not read from the environment for it."""
    assert {option.name for option in options_of("version")} == {"json", "log-level"}
    assert collect({}, {"ORBIT_PART_SIZE": "banana", "ORBIT_JSON": "1"}, CONTEXT, verb="version") == {"json": True}


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("part-size", "50.0 MiB"),
        ("max-memory", "512.0 MiB"),
        ("workers", "256"),
        ("timeout", "30"),
        ("processes", "the CPUs available"),
        ("addressing-style", "auto"),
        ("source-region", "--region"),
        ("recursive", ""),
        ("request-payer", ""),
        ("min-size", ""),
        ("max-size", ""),
        ("version-id", ""),
    ],
)
def test_default_of(name, default):
    """Help states defaults as people read them, and only where they say something."""
    (option,) = [option for option in TABLE if option.name == name]
    assert default_of(option) == default


def test_every_row_can_be_shown():
    """Every row has a sentence of help, a heading, and a verb that takes it."""
    for option in TABLE:
        assert option.help.endswith((".", "...", ").")), option.name
        assert isinstance(option.group, Group)
        assert option.verbs
