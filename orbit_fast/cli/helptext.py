"""The pages of help, written from the option table and the verbs."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping

import click

from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import Exit
from orbit_fast.core.options import TABLE
from orbit_fast.core.options import default_of
from orbit_fast.core.options import options_of
from orbit_fast.core.values import Group
from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape

USAGE = (
    "orbit [OPTIONS] COMMAND [OPTIONS] ARGUMENTS",
    "orbit --source SRC --dest DST [--mode copy|update|sync|mirror] [OPTIONS]",
)

_EXIT_STATUS: Mapping[tuple[Exit, ...], str] = {
    (Exit.DONE,): "all done",
    (Exit.SOME_FAILED,): "the job ran and some objects failed",
    (Exit.NOT_POSSIBLE,): (
        "the job could not be done: usage, configuration, credentials, source or bucket missing, access denied for "
        "the whole job, a listing that failed, no space"
    ),
    (Exit.INTEGRITY,): "bytes were not what they should be; wins over 1 and 2",
    (Exit.INTERRUPTED, Exit.TERMINATED): "interrupted by SIGINT, by SIGTERM",
    (Exit.PIPE_CLOSED,): "the reader of stdout went away",
}

_GENERAL = (
    ("-h, --help", "Show this page; after a command, that command's own."),
    ("--version", "Say which version."),
)


def usage_of(verb: Verb) -> str:
    """How a verb is called."""
    return " ".join(word for word in ("orbit", verb.name, "[OPTIONS]", verb.synopsis) if word)


def write_orbit(formatter: click.HelpFormatter, verbs: Iterable[Verb]) -> None:
    """The page of ``orbit --help``."""
    formatter.write(f"Usage: {USAGE[0]}\n")
    for line in USAGE[1:]:
        formatter.write(f"       {line}\n")
    _write_paragraphs(
        formatter, ["Moves data between local disks and S3, and proves that what arrived is what was sent."]
    )
    with formatter.section("Commands"):
        formatter.write_dl([(verb.name, verb.summary) for verb in verbs])
    transfer = [
        ("--source SRC", "What to copy; may be repeated."),
        ("--dest DST", "Where to."),
        ("--mode MODE", "copy (the default): what cp does; update, sync or mirror: what sync does, with its options."),
    ]
    with formatter.section("Without a command"):
        formatter.write_dl(transfer)
    _write_options(formatter, (option for option in TABLE if option.group is not Group.COMMAND), _GENERAL)
    _write_ending(
        formatter, (("orbit demo", "see it work: no account, no server"), ("orbit cp --help", "about copying"))
    )


def write_verb(formatter: click.HelpFormatter, verb: Verb) -> None:
    """The page of ``orbit VERB --help``."""
    formatter.write(f"Usage: {usage_of(verb)}\n")
    _write_paragraphs(formatter, [verb.summary, *verb.description])
    _write_options(formatter, options_of(verb.name))
    _write_ending(formatter, verb.examples)


def _write_paragraphs(formatter: click.HelpFormatter, paragraphs: Iterable[str]) -> None:
    with formatter.indentation():
        for paragraph in paragraphs:
            formatter.write_paragraph()
            formatter.write_text(paragraph)


def _write_options(
    formatter: click.HelpFormatter, options: Iterable[Option], general: Iterable[tuple[str, str]] = ()
) -> None:
    rows = [(option.group, (_spelling(option), _meaning(option))) for option in options]
    rows += [(Group.GENERAL, line) for line in general]
    for group in Group:
        lines = [line for its_group, line in rows if its_group is group]
        if lines:
            with formatter.section(group):
                formatter.write_dl(lines)


def _spelling(option: Option) -> str:
    flags = ", ".join(option.flags)
    if option.shape is Shape.TOGGLE:
        return f"--{option.name} / --no-{option.name}"
    if option.shape is Shape.OPTIONAL:
        return f"{flags}[={option.metavar}]"
    metavar = (
        "|".join(option.choices) if 0 < len(option.choices) <= 3 else option.metavar or "NAME"
    )  # more are in the text
    return flags if option.shape in {Shape.FLAG, Shape.COUNT} else f"{flags} {metavar}"


def _meaning(option: Option) -> str:
    parts = [option.help]
    if len(option.choices) > 3:
        parts.append(f"One of {', '.join(option.choices)}.")
    if option.shape is Shape.MANY:
        parts.append("May be repeated.")
    default = default_of(option)
    if default:
        parts.append(f"[{default}]")
    return " ".join(parts)


def _write_ending(formatter: click.HelpFormatter, examples: Iterable[tuple[str, str]]) -> None:
    with formatter.section("Environment and configuration file"):
        formatter.write_text(
            "Every option can be set by a variable ORBIT_NAME (ORBIT_PART_SIZE=16, ORBIT_JSON=1), and in the "
            "configuration file orbit/orbit.toml in $XDG_CONFIG_HOME or ~/.config (part-size = 16, in a table [cp] for "
            "one command). The command line wins, then the environment, then the file. AWS's own variables and files "
            "give credentials, region and endpoint as they do for other tools."
        )
    with formatter.section("Examples"):
        for command, meaning in examples:
            formatter.write(f"{' ' * formatter.current_indent}{command}\n")
            with formatter.indentation(), formatter.indentation():
                formatter.write_text(meaning)
    with formatter.section("EXIT STATUS"):
        formatter.write_dl(
            [(", ".join(str(int(code)) for code in codes), meaning) for codes, meaning in _EXIT_STATUS.items()]
        )
