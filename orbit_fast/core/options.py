"""The option table: every option of the command line, once.

From the rows come the click options and their help, the ``ORBIT_…`` variables, and the frozen `JobSettings` that travel
to the workers. A row says where its value goes; the default stands in the settings. Precedence: flag, environment,
default.

The way of a value: `collect` reads what was given on the command line and in the environment, each with the row's own
parser; `build_settings` puts the values in their places and refuses combinations that contradict each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import replace

import msgspec

from orbit_fast.core import option_rows
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.units import format_size
from orbit_fast.core.values import Context
from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape
from orbit_fast.core.values import is_given
from orbit_fast.core.values import read_given
from orbit_fast.core.values import read_variable


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
        )


TABLE: tuple[Option, ...] = (
    *option_rows.CLIENT,
    *option_rows.TRANSFER,
    *option_rows.SELECTION,
    *option_rows.OBJECT,
    *option_rows.OUTPUT,
    *(side for option in option_rows.CLIENT if option.has_sides for side in _sides(option)),
)

_BY_PARAMETER = {option.parameter: option for option in TABLE}

_RIVALS = (
    ("quiet", "verbose"),
    ("no_verify", "require_verify"),
    ("sse", "sse_c_key_file"),
    ("force_path_style", "addressing_style"),
)
"""Options of which one at most can be meant."""


def options_of(verb: str) -> tuple[Option, ...]:
    """The options that a command takes, in the table's order."""
    return tuple(option for option in TABLE if verb in option.verbs)


def default_of(option: Option) -> str:
    """How help states an option's default, or ``''`` where that is nothing worth saying."""
    if option.default_text:
        return option.default_text
    group, _, name = option.path.partition(".")
    value = getattr(getattr(JobSettings(), "source" if group == "client" else group), name)
    if option.shape in {Shape.FLAG, Shape.COUNT, Shape.MANY, Shape.OPTIONAL} or value in {"", b"", -1}:
        return ""
    if option.metavar == "SIZE":
        return format_size(value, human=True) if value else ""
    return f"{value:g}" if isinstance(value, float) else str(value or "")


def collect(
    flags: Mapping[str, object], environment: Mapping[str, str], context: Context, *, verb: str
) -> dict[str, object]:
    """The values given for a command, checked, by parameter name (`Option.parameter`); what was not given is absent.

    Args:
        flags: from the command line: text, texts, bool or int, by parameter name; None, () or 0 where not given.
        environment: of the process; ``ORBIT_…`` variables of the command's options are read, but not empty ones and not
            those that contradict a flag.
        context: what parsers may ask for.
        verb: the command.

    Raises:
        InvalidConfig: a value cannot be used; the message names the flag or variable.
    """
    given_flags = {name: given for name, given in flags.items() if is_given(given)}
    overruled = {rival for pair in _RIVALS for rival in pair if set(pair) & given_flags.keys()}
    values: dict[str, object] = {}
    for option in options_of(verb):
        if option.parameter in given_flags:
            given = given_flags[option.parameter]
            values[option.parameter] = read_given(option, given, f"--{option.name}", context)
        elif environment.get(option.variable) and option.parameter not in overruled:
            value = read_variable(option, environment[option.variable], context)
            if value is not None:
                values[option.parameter] = value
    return values


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
