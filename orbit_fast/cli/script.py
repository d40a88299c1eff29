"""The lines of ``run`` understood: words, options and arguments, as the same command would be on the command line.

A hundred thousand lines mostly repeat a few sets of options: each set is parsed once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import click
import msgspec

from orbit_fast.cli.commands import VerbCommand
from orbit_fast.cli.commands import settings_of
from orbit_fast.cli.config import read_config
from orbit_fast.cli.environment import Environment
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.messages import Failure
from orbit_fast.core.options import options_of
from orbit_fast.core.script import has_options
from orbit_fast.core.script import part_options
from orbit_fast.core.script import renamed
from orbit_fast.core.script import split_line
from orbit_fast.core.script import translated
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.similar import did_you_mean
from orbit_fast.core.values import Entry
from orbit_fast.core.values import Shape
from orbit_fast.core.values import Source
from orbit_fast.core.values import is_given
from orbit_fast.core.visible import lossy
from orbit_fast.core.work import Cat
from orbit_fast.core.work import Line
from orbit_fast.core.work import Plan

MOST_KNOWN = 1024
"""Sets of options that are remembered at once."""

_PROGRAMS = frozenset({"orbit", "s5cmd"})
"""A line may begin with the program, as a command line does."""

_NO_LINES = {
    "pipe": "stdin is one for all lines, and none may read it: PROGRAM | orbit pipe s3://bucket/key by itself",
    "run": "put the other file's lines here, or orbit run FILE by itself",
}
"""Why, and what to do instead; other commands that have no plan are not about objects at all."""

_TOLD = frozenset({"sync"})
"""Commands that repeat themselves in what they say."""

_WITHOUT_VALUE = frozenset({Shape.FLAG, Shape.COUNT, Shape.TOGGLE, Shape.OPTIONAL})


class Script:
    """Understands lines. Options of ``run`` itself hold for every line whose command has them."""

    def __init__(self, verbs: Mapping[str, Verb], invocation: Invocation) -> None:
        self._verbs = verbs
        self._own = msgspec.structs.replace(invocation.settings, operation="run")
        self._environment = invocation.environment
        self._nowhere = Environment(variables=invocation.environment.variables)  # no line is at a terminal
        self._inherited = {name: given.given for name, given in invocation.given.items() if given.source is Source.FLAG}
        self._known: dict[tuple[str, tuple[str, ...]], JobSettings] = {}
        self._flags: dict[str, dict[str, bool]] = {}
        self._commands: dict[str, VerbCommand] = {}
        self._files: dict[tuple[str, object], tuple[dict[str, Entry], ...]] = {}

    def __call__(self, number: int, text: str) -> Line | None:
        """The command on a line; None where there is none."""
        settings, told = self._own, None
        try:
            words = split_line(text)
            if not words:
                return None
            if words[0] not in self._verbs and os.path.basename(words[0]) in _PROGRAMS:
                words = words[1:]
            words = renamed(words)
            verb = self._verb(words)
            words = words[1:]
            options: tuple[str, ...] = ()
            arguments = tuple(words)
            if has_options(words):
                words = translated(verb.name, words)
                options, arguments = part_options(words, self._takes_value(verb))
            settings = self._settings_of(verb, options)
            told = arguments
            plan = self._planned(verb, settings, arguments, (verb.name, *words))
            return Line(number=number, settings=settings, plan=plan)
        except (S3Error, click.ClickException) as error:
            failure = error if isinstance(error, S3Error) else InvalidConfig(_sentence(error))
            named = " ".join(text.split() if told is None else told)
            return Line(number=number, settings=settings, failure=Failure.of(failure), text=named)

    def _verb(self, words: list[str]) -> Verb:
        if not words:
            raise InvalidConfig("a line needs a command")
        verb = self._verbs.get(words[0])
        if verb is None:
            raise InvalidConfig(f"no such command: {words[0]}{did_you_mean(words[0], self._verbs)}")
        if verb.plan is None:
            why = _NO_LINES.get(verb.name, f"it is about no objects: orbit {verb.name} by itself")
            raise InvalidConfig(f"{verb.name} cannot be a line of run: {why}")
        return verb

    def _takes_value(self, verb: Verb) -> dict[str, bool]:
        known = self._flags.get(verb.name)
        if known is None:
            known = self._flags[verb.name] = {
                flag: option.shape not in _WITHOUT_VALUE for option in options_of(verb.name) for flag in option.flags
            }
        return known

    def _settings_of(self, verb: Verb, options: tuple[str, ...]) -> JobSettings:
        known = self._known.get((verb.name, options))
        if known is None:
            for word in options:
                if not word.isascii() and lossy(word)[1]:
                    raise InvalidConfig(f"an option is not Unicode text: {word!r}")
            command = self._commands.get(verb.name)
            if command is None:
                command = self._commands[verb.name] = VerbCommand(verb)
            flags = command.read_flags(options)
            own = {option.parameter for option in options_of(verb.name)}
            inherited = {name: given for name, given in self._inherited.items() if name in own}
            given = {name: value for name, value in flags.items() if is_given(value)}
            if "max_bandwidth" in given:
                raise InvalidConfig("--max-bandwidth is of all lines together: orbit run --max-bandwidth RATE")
            if "resume" in given:
                raise InvalidConfig("the journal is of all lines together: orbit run --no-resume")
            flags = inherited | given
            known = settings_of(verb, flags, self._environment, self._config(verb, flags.get("config")))[0]
            known = msgspec.structs.replace(known, script=self._own.script)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[verb.name, options] = known
        return known

    def _config(self, verb: Verb, named: object) -> tuple[dict[str, Entry], ...]:
        """What the configuration file says for a command: it is read once, whatever becomes of it meanwhile."""
        files = self._files.get((verb.name, named))
        if files is None:
            files = self._files[verb.name, named] = read_config(named, self._environment.variables, verb.name)
        return files

    def _planned(self, verb: Verb, settings: JobSettings, arguments: tuple[str, ...], typed: tuple[str, ...]) -> Plan:
        assert verb.plan is not None, "others are refused before"
        if settings.selection.files_from == "-":
            raise InvalidConfig("stdin is not a line's to read: --files-from - works in a command by itself")
        if settings.sync.wait:
            raise InvalidConfig("a line would keep the others waiting: --wait works in a command by itself")
        if settings.output.manifest_out:
            raise InvalidConfig("lines share one engine: --manifest-out works in a command by itself")
        environment = self._nowhere
        if verb.name in _TOLD:
            environment = Environment(arguments=typed, variables=environment.variables)
        plan = verb.plan(Invocation(arguments=arguments, settings=settings, environment=environment))
        if isinstance(plan, Cat) and self._own.output.json:
            raise InvalidConfig("with --json stdout is for events: objects are written to it by orbit run without it")
        return plan


def _sentence(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    return message[:1].lower() + message[1:]
