"""The lines of ``run`` understood: words, options and arguments, as the same command would be on the command line.

A hundred thousand lines mostly repeat a few sets of options: each set is parsed once.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

import click
import msgspec

from orbit_fast.cli.commands import VerbCommand
from orbit_fast.cli.commands import settings_of
from orbit_fast.cli.config import read_config
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.location import is_s3_url
from orbit_fast.core.messages import Failure
from orbit_fast.core.options import options_of
from orbit_fast.core.script import part_options
from orbit_fast.core.script import renamed
from orbit_fast.core.script import split_line
from orbit_fast.core.script import translated
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.similar import did_you_mean
from orbit_fast.core.values import Shape
from orbit_fast.core.values import Source
from orbit_fast.core.values import is_given
from orbit_fast.core.work import Cat
from orbit_fast.core.work import Copy
from orbit_fast.core.work import Line
from orbit_fast.core.work import Plan

_WITHOUT_VALUE = frozenset({Shape.FLAG, Shape.COUNT, Shape.TOGGLE, Shape.OPTIONAL})


class Script:
    """Understands lines. Options of ``run`` itself hold for every line whose command has them."""

    def __init__(self, verbs: Mapping[str, Verb], invocation: Invocation) -> None:
        self._verbs = verbs
        self._settings = invocation.settings
        self._environment = invocation.environment
        self._inherited = {name: given.given for name, given in invocation.given.items() if given.source is Source.FLAG}
        self._known: dict[tuple[str, tuple[str, ...]], JobSettings] = {}
        self._flags: dict[str, dict[str, bool]] = {}

    def __call__(self, number: int, text: str) -> Line | None:
        """The command on a line; None where there is none."""
        settings = msgspec.structs.replace(self._settings, operation="run")
        told = " ".join(text.split())
        try:
            words = split_line(text)
            if not words:
                return None
            if words[0] == "s5cmd" or os.path.basename(words[0]) == "orbit":
                words = words[1:]
            words = renamed(words)
            verb = self._verb(words)
            words = translated(verb.name, words[1:])
            options, arguments = part_options(words, self._takes_value(verb))
            settings = self._settings_of(verb, options)
            told = " ".join(arguments)
            plan = self._planned(verb, settings, arguments, (verb.name, *words))
            if isinstance(plan, Copy) and not settings.selection.recursive and _holds_directory(plan):
                selection = msgspec.structs.replace(settings.selection, recursive=True)
                settings = msgspec.structs.replace(settings, selection=selection)
            return Line(number=number, settings=settings, plan=plan)
        except (S3Error, click.ClickException) as error:
            failure = error if isinstance(error, S3Error) else InvalidConfig(_sentence(error))
            return Line(number=number, settings=settings, failure=Failure.of(failure), text=told)

    def _verb(self, words: list[str]) -> Verb:
        if not words:
            raise InvalidConfig("a line needs a command")
        verb = self._verbs.get(words[0])
        if verb is None:
            raise InvalidConfig(f"no such command: {words[0]}{did_you_mean(words[0], self._verbs)}")
        if verb.plan is None:
            raise InvalidConfig(f"{verb.name} cannot be a line of run: it works as a command by itself")
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
            flags = VerbCommand(verb).read_flags(options)
            own = {option.parameter for option in options_of(verb.name)}
            inherited = {name: given for name, given in self._inherited.items() if name in own}
            given = {name: value for name, value in flags.items() if is_given(value)}
            if "max_bandwidth" in given:
                raise InvalidConfig("--max-bandwidth is of all lines together: orbit run --max-bandwidth RATE")
            if "resume" in given:
                raise InvalidConfig("lines keep no journal: --resume works in a command by itself")
            flags = inherited | given
            files = read_config(flags.get("config"), self._environment.variables, verb.name)
            known = settings_of(verb, flags, self._environment, files)[0]
            self._known[verb.name, options] = known
        return known

    def _planned(self, verb: Verb, settings: JobSettings, arguments: tuple[str, ...], typed: tuple[str, ...]) -> Plan:
        assert verb.plan is not None, "others are refused before"
        if settings.selection.files_from == "-":
            raise InvalidConfig("stdin is not a line's to read: --files-from - works in a command by itself")
        if settings.sync.wait:
            raise InvalidConfig("a line would keep the others waiting: --wait works in a command by itself")
        if settings.output.manifest_out:
            raise InvalidConfig("lines share one engine: --manifest-out works in a command by itself")
        environment = dataclasses.replace(self._environment, arguments=typed)
        plan = verb.plan(Invocation(arguments=arguments, settings=settings, environment=environment))
        if isinstance(plan, Cat) and self._settings.output.json:
            raise InvalidConfig("with --json stdout is for events: objects are written to it by orbit run without it")
        return plan


def _holds_directory(copy: Copy) -> bool:
    """Whether a source is a local directory, which in a script is meant with all that is in it."""
    return any(not is_s3_url(source) and os.path.isdir(source) for source in copy.sources)


def _sentence(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    return message[:1].lower() + message[1:]
