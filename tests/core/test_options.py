"""The option table: every row changes its setting, and nothing else."""

from __future__ import annotations

import msgspec
import pytest

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.options import TABLE
from orbit_fast.core.options import build_settings
from orbit_fast.core.options import collect
from orbit_fast.core.options import default_of
from orbit_fast.core.options import gather
from orbit_fast.core.options import general_options
from orbit_fast.core.options import options_of
from orbit_fast.core.options import values_of
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.values import Context
from orbit_fast.core.values import Entry
from orbit_fast.core.values import Group
from orbit_fast.core.values import Shape
from orbit_fast.core.values import Source
from orbit_fast.core.verb_groups import EVERY
from tests.kit.option_examples import FILES
from tests.kit.option_examples import NEEDED
from tests.kit.option_examples import NOW_NS
from tests.kit.option_examples import example_of

CONTEXT = Context(now_ns=lambda: NOW_NS, read_file=FILES.__getitem__)


def flat(settings):
    """Settings as one mapping of paths to values."""
    tree = {name: value for name, value in msgspec.to_builtins(settings).items() if isinstance(value, dict)}
    return {f"{group}.{name}": value for group, fields in tree.items() for name, value in fields.items()}


def plain(value):
    """A value as it looks in `flat`."""
    return msgspec.to_builtins(value)


def settings_of(flags=None, variables=None, verb="cp"):
    """The settings that flags and variables make for a command."""
    return build_settings(collect(flags or {}, variables or {}, CONTEXT, verb=verb))


SETTINGS = [option for option in TABLE if option.path]
"""The options that are settings."""


def verb_of(option):
    """A command that takes an option."""
    return min(option.verbs)


@pytest.mark.parametrize("option", SETTINGS, ids=lambda option: option.name)
def test_every_option_changes_its_setting_alone(option):
    """An option's value lands at its path, on both sides for client options, and changes nothing else."""
    given, value = example_of(option)
    needed = NEEDED.get(option.parameter, {})
    before = flat(settings_of(needed, verb=verb_of(option)))
    after = flat(settings_of({**needed, option.parameter: given}, verb=verb_of(option)))
    group, _, name = option.path.partition(".")
    places = [f"source.{name}", f"dest.{name}"] if group == "client" else [option.path]
    changed = {place for place, now in after.items() if now != before[place]}
    assert changed == set(places)
    assert all(after[place] == plain(value) for place in places)


@pytest.mark.parametrize("option", SETTINGS, ids=lambda option: option.name)
def test_every_option_has_a_variable(option):
    """The environment sets the same value as the flag."""
    given, _ = example_of(option)
    needed = NEEDED.get(option.parameter, {})
    if option.shape is Shape.MANY:
        text = "\n".join(given)
    else:
        text = {True: "1", False: "0"}.get(given, str(given)) if isinstance(given, bool) else str(given)
    flags = {**needed, option.parameter: given}
    assert settings_of(needed, {option.variable: text}, verb_of(option)) == settings_of(flags, verb=verb_of(option))


def test_every_setting_has_an_option():
    """No setting is out of reach, but for a threshold of S3's own and for what sync sets for some of its items."""
    reached = {option.path.replace("client.", "source.") for option in SETTINGS if not option.path.startswith("dest.")}
    settings = {name for name in flat(JobSettings()) if not name.startswith("dest.")}
    assert settings - reached == {"transfer.multipart_copy_threshold", "sync.look"}


@pytest.mark.parametrize("verb", sorted(EVERY))
def test_spellings_are_unique(verb):
    """No two options of a command share a flag, and no two options at all a variable."""
    flags = [flag for option in options_of(verb) for flag in option.flags]
    assert len(flags) == len(set(flags))
    assert len({option.variable for option in TABLE}) == len(TABLE)


def test_options_before_a_command_are_unique():
    """Of rows that share a spelling the first may stand before the command, and it is cp's where cp has one."""
    options = general_options()
    flags = [flag for option in options for flag in option.flags]
    assert len(flags) == len(set(flags))
    assert set(options_of("cp")) <= set(options)


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


FILE = {"workers": Entry(given="5", place="f: workers"), "quiet": Entry(given=True, place="f: quiet")}


@pytest.mark.parametrize(
    ("flags", "variables", "wanted"),
    [
        ({}, {}, (5, True, Source.FILE, "f: workers")),
        ({}, {"ORBIT_WORKERS": "4"}, (4, True, Source.VARIABLE, "ORBIT_WORKERS")),
        ({"workers": "3"}, {"ORBIT_WORKERS": "4"}, (3, True, Source.FLAG, "--workers")),
        ({"verbose": 1}, {}, (5, None, Source.FILE, "f: workers")),
        ({}, {"ORBIT_VERBOSE": "1"}, (5, None, Source.FILE, "f: workers")),
        ({}, {"ORBIT_QUIET": "0"}, (5, None, Source.FILE, "f: workers")),
        ({}, {"ORBIT_VERBOSE": "0"}, (5, True, Source.FILE, "f: workers")),
    ],
)
def test_sources_overrule_each_other(flags, variables, wanted):
    """A flag beats a variable, which beats a file; a stronger source silences its rivals in a weaker one."""
    given = gather(flags, variables, CONTEXT, verb="cp", files=(FILE,))
    values = values_of(given)
    assert (values["workers"], values.get("quiet"), given["workers"].source, given["workers"].place) == wanted


def test_stronger_file_layer_wins():
    """Of two layers of a file the first holds, also where it says no."""
    own = {"quiet": Entry(given=False, place="f: [cp] quiet"), "workers": Entry(given="9", place="f: [cp] workers")}
    given = gather({}, {}, CONTEXT, verb="cp", files=(own, FILE))
    assert values_of(given) == {"workers": 9}
    assert given["quiet"].value is None


def test_errors_name_the_place_in_the_file():
    """What a file says is checked like a flag, and its place is named."""
    bad = {"workers": Entry(given="many", place="f: [cp] workers")}
    with pytest.raises(InvalidConfig, match=r"^f: \[cp\] workers: 'many' is not a whole number"):
        gather({}, {}, CONTEXT, verb="cp", files=(bad,))
    assert values_of(gather({"workers": "1"}, {}, CONTEXT, verb="cp", files=(bad,))) == {"workers": 1}


def test_given_shows_no_value():
    """A value may be a key, so `repr` names only where it comes from."""
    (given,) = gather({"sse_c_key_file": "key"}, {}, CONTEXT, verb="cp").values()
    assert repr(given) == "Given(--sse-c-key-file)"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"quiet": True, "verbose": 1}, "--quiet and --verbose"),
        ({"no_verify": True, "require_verify": True}, "--no-verify and --require-verify"),
        ({"sse": "AES256", "sse_c_key_file": "key"}, "--sse and --sse-c-key-file"),
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
    assert {option.name for option in options_of("version")} == {"json", "log-level", "config"}
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
        assert option.verbs <= EVERY
