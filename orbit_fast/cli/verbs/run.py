"""``orbit run [FILE]``: many commands in one engine."""

from __future__ import annotations

import dataclasses
import os

from msgspec.structs import replace

from orbit_fast.cli.display import new_console
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig

_STDIN = 0


def run(invocation: Invocation) -> int:
    """Do the commands of a file, or of stdin."""
    named = invocation.settings.script.file
    names = (*invocation.arguments, *([named] if named else []))
    if len(names) > 1:
        raise InvalidConfig("run takes one file of commands: orbit run FILE")
    name = names[0] if names else "-"
    script = replace(invocation.settings.script, file="" if name == "-" else name)
    invocation = dataclasses.replace(invocation, settings=replace(invocation.settings, script=script))
    if name == "-":
        return _run(invocation, _STDIN)
    try:
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidConfig(f"cannot read the commands in {name}: {error.strerror}") from None
    try:
        return _run(invocation, fd)
    finally:
        os.close(fd)


def _run(invocation: Invocation, fd: int) -> int:
    from orbit_fast.cli.script import Script  # noqa: PLC0415 - what lines need is loaded when there are lines
    from orbit_fast.cli.verbs import VERBS  # noqa: PLC0415 - this is one of them
    from orbit_fast.proc.script import run_script  # noqa: PLC0415 - the engine loads when there is something to do

    settings = invocation.settings
    console = new_console(settings.output, invocation.environment)
    script = Script({verb.name: verb for verb in VERBS}, invocation)
    try:
        return run_script(fd, script, settings, invocation.environment.variables, console)
    finally:
        console.close()


VERB = Verb(
    name="run",
    synopsis="[FILE]",
    summary="Do many commands, one a line, in one engine.",
    description=(
        (
            "FILE, or stdin, holds commands as they are typed after orbit, one a line: cp, sync, rm, cat and so on; "
            "empty lines and what follows # are skipped; words are quoted as in a shell, without its variables and "
            "globs. Lines run side by side, --workers of them, in no order. Files of commands for s5cmd work as they "
            "are: its short options are understood, and a local directory needs no --recursive."
        ),
        (
            "Objects that lines write to stdout (cat, cp s3://bucket/key -) come whole, in the order of their lines: "
            "what other lines say waits until then. With --json stdout is for events, and such lines are refused."
        ),
        (
            "Options given to run hold for every line whose command has them. A line that fails is told with the "
            "file and its number, and the others go on, unless --fail-fast is given. The same FILE, run again after it "
            "was interrupted, goes on with the large objects that were under way."
        ),
        (
            "Lines of sync that write to the same place, or one inside the other's, are done one after another, each "
            "whole. What reads stdin, which all lines would share, cannot be a line: pipe, and - as a source or a list "
            "of names; they work as commands by themselves. Nor can run, demo, doctor and completions be lines."
        ),
    ),
    examples=(
        ("orbit run commands.txt", "each line of the file is a command"),
        ("generate | orbit run --json --workers 512", "commands from a program, events for another"),
        ("orbit run --fail-fast --file commands.txt", "stop at the first failure"),
    ),
    run=run,
)
