"""The option table: every option of the command line, once.

From the rows come the click options and their help, the ``ORBIT_…`` variables, the keys of configuration files, and the
frozen `JobSettings` that travel to the workers. A row says where its value goes; the default stands in the settings.
Precedence: flag, environment, configuration file, default.

The way of a value: `gather` reads what was given on the command line, in the environment and in files, each with the
row's own parser, and notes where it comes from; `build_settings` puts the values in their places and refuses
combinations that contradict each other.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import msgspec

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.option_rows.client import ROWS as CLIENT
from orbit_fast.core.option_rows.commands import ROWS as COMMANDS
from orbit_fast.core.option_rows.output import ROWS as OUTPUT
from orbit_fast.core.option_rows.properties import ROWS as PROPERTIES
from orbit_fast.core.option_rows.selection import ROWS as SELECTION
from orbit_fast.core.option_rows.sync import ROWS as SYNC
from orbit_fast.core.option_rows.transfer import ROWS as TRANSFER
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.units import format_size
from orbit_fast.core.values import Context
from orbit_fast.core.values import Entry
from orbit_fast.core.values import Given
from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape
from orbit_fast.core.values import Source
from orbit_fast.core.values import is_given
from orbit_fast.core.values import read_entry
from orbit_fast.core.values import read_given
from orbit_fast.core.values import read_variable
from orbit_fast.core.verb_groups import TWO_SIDED


def _sides(option: Option) -> Iterator[Option]:
    """The ``--source-…`` and ``--dest-…`` forms of a client option."""
    for side, name in (("source", "source"), ("dest", "destination")):
        yield replace(
            option,
            name=f"{side}-{option.name}",
            path=option.path.replace("client.", f"{side}."),
            help=f"The same for the {name} alone.",
            also=tuple(f"--{side}-{flag.removeprefix('--')}" for flag in option.also),
            default_text=f"--{option.name}",
            has_sides=False,
            verbs=option.verbs & TWO_SIDED,
        )


TABLE: tuple[Option, ...] = (
    *CLIENT,
    *TRANSFER,
    *SELECTION,
    *SYNC,
    *PROPERTIES,
    *OUTPUT,
    *(side for option in CLIENT if option.has_sides for side in _sides(option)),
    *COMMANDS,
)
"""Of two rows with one spelling, for different commands, the later is known behind its commands only."""

_BY_PARAMETER = {option.parameter: option for option in TABLE}

_RIVALS = (
    ("quiet", "verbose"),
    ("no_verify", "require_verify"),
    ("sse", "sse_c_key_file"),
    ("size_only", "checksum"),
    ("force_path_style", "addressing_style"),
)
"""Options of which one at most can be meant."""


def options_of(verb: str) -> tuple[Option, ...]:
    """The options that a command takes, in the table's order."""
    return tuple(option for option in TABLE if verb in option.verbs)


def general_options() -> tuple[Option, ...]:
    """The options that may stand before a command: of rows that share a spelling, the first."""
    known: set[str] = set()
    options: list[Option] = []
    for option in TABLE:
        if known.isdisjoint(option.flags):
            options.append(option)
        known.update(option.flags)
    return tuple(options)


def default_of(option: Option) -> str:
    """How help states an option's default, or ``''`` where that is nothing worth saying."""
    if option.default_text or not option.path:
        return option.default_text
    group, _, name = option.path.partition(".")
    value = getattr(getattr(JobSettings(), "source" if group == "client" else group), name)
    if option.shape in {Shape.FLAG, Shape.COUNT, Shape.MANY, Shape.OPTIONAL} or value in {"", b"", -1}:
        return ""
    if option.metavar == "SIZE":
        return format_size(value, human=True) if value else ""
    return f"{value:g}" if isinstance(value, float) else str(value or "")


def gather(
    flags: Mapping[str, object],
    environment: Mapping[str, str],
    context: Context,
    *,
    verb: str,
    files: Sequence[Mapping[str, Entry]] = (),
) -> dict[str, Given]:
    """The values given for a command, checked, by parameter name (`Option.parameter`), each with where it comes from.

    What was not given is absent. What contradicts something that a stronger source gave is not heard: a flag overrules
    its rivals in the environment, and both overrule theirs in files.

    Args:
        flags: from the command line: text, texts, bool or int, by parameter name; None, () or 0 where not given.
        environment: of the process; ``ORBIT_…`` variables of the command's options are read, but not empty ones.
        context: what parsers may ask for.
        verb: the command.
        files: what configuration files say, the strongest first (`configfile.read_document`).

    Raises:
        InvalidConfig: a value cannot be used; the message names the flag, the variable, or the file and key.
    """

    def from_flag(option: Option) -> Given | None:
        given, place = flags.get(option.parameter), f"--{option.name}"
        if not is_given(given):
            return None
        return Given(given=given, value=read_given(option, given, place, context), source=Source.FLAG, place=place)

    def from_variable(option: Option) -> Given | None:
        given, place = environment.get(option.variable), option.variable
        if not given:
            return None
        value = read_variable(option, given, context)
        return Given(given=given, value=value, source=Source.VARIABLE, place=place)

    def from_file(entries: Mapping[str, Entry], option: Option) -> Given | None:
        entry = entries.get(option.parameter)
        if entry is None:
            return None
        value = read_entry(option, entry, context)
        return Given(given=entry.given, value=value, source=Source.FILE, place=entry.place)

    collected: dict[str, Given] = {}
    sources: list[Callable[[Option], Given | None]] = [from_flag, from_variable]
    sources += [partial(from_file, entries) for entries in files]
    for source in sources:
        settled = collected.keys() | _rivals_of({name for name, given in collected.items() if given.value is not None})
        for option in options_of(verb):
            given = source(option) if option.parameter not in settled else None
            if given is not None:
                collected[option.parameter] = given
    return collected


def _rivals_of(names: set[str]) -> set[str]:
    return {rival for pair in _RIVALS if not names.isdisjoint(pair) for rival in pair}


def collect(
    flags: Mapping[str, object], environment: Mapping[str, str], context: Context, *, verb: str
) -> dict[str, object]:
    """As `gather`, where no file has a say: the values alone."""
    return values_of(gather(flags, environment, context, verb=verb))


def values_of(collected: Mapping[str, Given]) -> dict[str, object]:
    """The values alone, of what sets anything."""
    return {name: given.value for name, given in collected.items() if given.value is not None}


def build_settings(values: Mapping[str, object]) -> JobSettings:
    """The settings of a job.

    Args:
        values: by parameter name, as `collect` gives them.

    Raises:
        InvalidConfig: two of them contradict each other.
        KeyError: a name that is not in the table.
    """
    _refuse_contradictions(values)
    groups: dict[str, dict[str, object]] = {}
    for parameter, value in values.items():
        group, _, name = _BY_PARAMETER[parameter].path.partition(".")
        if group:
            groups.setdefault(group, {})[name] = value
    client = ClientSettings(**groups.pop("client", {}))  # type: ignore[arg-type]  # parsers made them
    settings = JobSettings(source=client, dest=client)
    changed = {group: msgspec.structs.replace(getattr(settings, group), **given) for group, given in groups.items()}
    return msgspec.structs.replace(settings, **changed)


def _refuse_contradictions(values: Mapping[str, object]) -> None:
    for one, other in _RIVALS:
        if one in values and other in values:
            raise InvalidConfig(f"{_flag(one)} and {_flag(other)} contradict each other")
    style = values.get("addressing_style", "auto")
    if "sse_kms_key_id" in values and values.get("sse") != "aws:kms":
        raise InvalidConfig("--sse-kms-key-id needs --sse aws:kms")
    if "use_acceleration" in values:
        if "force_path_style" in values or style == "path":
            raise InvalidConfig("--use-acceleration puts the bucket into the host name: not with path style")
        if "endpoint_url" in values:
            raise InvalidConfig("--use-acceleration is AWS's own endpoint: not with --endpoint-url")
    _refuse_empty_range(values, "min_size", "max_size", "objects are at least the one and at most the other")
    _refuse_empty_range(values, "newer_than", "older_than", "no object is both")


def _refuse_empty_range(values: Mapping[str, object], low: str, high: str, why: str) -> None:
    least, most = values.get(low), values.get(high)
    if isinstance(least, int) and isinstance(most, int) and least > most:
        raise InvalidConfig(f"{_flag(low)} and {_flag(high)} select nothing: {why}")


def _flag(parameter: str) -> str:
    return f"--{_BY_PARAMETER[parameter].name}"
