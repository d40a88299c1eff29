"""The click commands, made from the option table and the verbs.

Options may stand before the command or after it; what is repeatable adds up, and otherwise the one after the command
holds. ``orbit`` therefore knows every option of the table, and a verb takes from it what its own rows allow.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass

import click

from orbit_fast.cli import helptext
from orbit_fast.cli.environment import Environment
from orbit_fast.cli.environment import now_ns
from orbit_fast.cli.environment import read_file
from orbit_fast.cli.streams import print_data
from orbit_fast.cli.streams import print_version
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.options import TABLE
from orbit_fast.core.options import build_settings
from orbit_fast.core.options import collect
from orbit_fast.core.options import options_of
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.values import Context
from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape
from orbit_fast.core.values import is_given

_TRANSFER = "cp"
"""The verb behind ``orbit --source S --dest D``."""

_MODES = ("copy",)

_OPTIONAL = {flag: option for option in TABLE if option.shape is Shape.OPTIONAL for flag in option.flags}


@dataclass(slots=True)
class State:
    """What is known of this run so far; a failure is told with it."""

    environment: Environment
    verb: str = "orbit"
    settings: JobSettings | None = None


def run_verb(verb: Verb, state: State, flags: dict[str, object], arguments: tuple[str, ...]) -> int:
    """Run a verb with what was given; returns its exit status.

    Raises:
        S3Error: the job could not be done.
    """
    state.verb = verb.name
    context = Context(now_ns=now_ns, read_file=read_file)
    values = collect(flags, state.environment.variables, context, verb=verb.name)
    state.settings = build_settings(values)
    return verb.run(Invocation(arguments=arguments, settings=state.settings, environment=state.environment))


class VerbCommand(click.Command):
    """One verb as a click command."""

    def __init__(self, verb: Verb) -> None:
        self.verb = verb
        names = click.Argument(["names"], nargs=-1, type=click.UNPROCESSED)
        options = [_click_option(option) for option in options_of(verb.name)]
        super().__init__(verb.name, params=[names, *options, _help_option()], add_help_option=False)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Click's parsing, with ``--option [value]`` made explicit and misspelt options explained."""
        return _parse(super().parse_args, ctx, args)

    def invoke(self, ctx: click.Context) -> int:
        """Run the verb with the options from before and after it."""
        before = ctx.parent.params if ctx.parent else {}
        own = {option.parameter for option in options_of(self.verb.name)}
        for option in TABLE:
            if option.parameter not in own and is_given(before.get(option.parameter)):
                raise click.UsageError(f"--{option.name} is not an option of {self.verb.name}", ctx)
        flags = {name: _merge(before.get(name), ctx.params.get(name)) for name in own}
        return run_verb(self.verb, ctx.obj, flags, ctx.params["names"])

    def get_usage(self, ctx: click.Context) -> str:  # noqa: ARG002  click's arguments
        """The line that click would print as usage."""
        return f"Usage: {helptext.usage_of(self.verb)}"

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's arguments
        """The verb's own page."""
        helptext.write_verb(formatter, self.verb)


class OrbitCommand(click.Command):
    """The command ``orbit``: options, then a verb with its own; or the spelling with ``--source`` and ``--dest``.

    Not a `click.Group`: what follows the verb is an argument here, and is parsed by the verb's own command.
    """

    def __init__(self, verbs: Iterable[Verb]) -> None:
        self.verbs = {verb.name: verb for verb in verbs}
        params: list[click.Parameter] = [
            click.Argument(["rest"], nargs=-1, type=click.UNPROCESSED),
            click.Option(["source", "--source"], type=click.UNPROCESSED, multiple=True),
            click.Option(["dest", "--dest"], type=click.UNPROCESSED),
            click.Option(["mode", "--mode"], type=click.UNPROCESSED),
            *(_click_option(option) for option in TABLE),
            _help_option(),
            _version_option(),
        ]
        super().__init__(
            "orbit", params=params, add_help_option=False, context_settings={"allow_interspersed_args": False}
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As `VerbCommand.parse_args`."""
        return _parse(super().parse_args, ctx, args)

    def invoke(self, ctx: click.Context) -> int:
        """Run the verb; without one, the copy that ``--source`` and ``--dest`` describe."""
        rest: tuple[str, ...] = ctx.params.pop("rest")
        ends = {name: ctx.params.pop(name) for name in ("source", "dest", "mode")}
        if not rest:
            return self._transfer(ctx, **ends)
        if any(ends.values()):
            raise click.UsageError(f"--source, --dest and --mode go without a command, not with {rest[0]}", ctx)
        if rest[0] not in self.verbs:
            raise click.UsageError(f"no such command: {rest[0]}{_suggestion(rest[0], self.verbs)}", ctx)
        ctx.obj.verb = rest[0]
        command = VerbCommand(self.verbs[rest[0]])
        with command.make_context(rest[0], list(rest[1:]), parent=ctx) as sub_ctx:
            return command.invoke(sub_ctx)

    def _transfer(self, ctx: click.Context, source: tuple[str, ...], dest: str | None, mode: str | None) -> int:
        if not source and dest is None:
            raise click.UsageError("no command; orbit --help lists them", ctx)
        ctx.obj.verb = _TRANSFER
        if not source or dest is None:
            raise click.UsageError("--source and --dest belong together", ctx)
        if mode not in {None, *_MODES}:
            raise click.UsageError(f"--mode: {mode!r} is not one of {', '.join(_MODES)}", ctx)
        return run_verb(self.verbs[_TRANSFER], ctx.obj, ctx.params, (*source, dest))

    def get_usage(self, ctx: click.Context) -> str:  # noqa: ARG002  click's arguments
        """The line that click would print as usage."""
        return f"Usage: {helptext.USAGE[0]}"

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  as above
        """The page of ``orbit --help``."""
        helptext.write_orbit(formatter, self.verbs.values())


# --- what was typed ---------------------------------------------------------------------------------------------------


def _parse(parse: Callable[[click.Context, list[str]], list[str]], ctx: click.Context, args: list[str]) -> list[str]:
    """Parse `args` with options that may stand alone given their value, and misspelt options explained."""
    try:
        return parse(ctx, _with_optional_values(args))
    except click.NoSuchOption as error:
        known = [flag for param in ctx.command.params for flag in (*param.opts, *param.secondary_opts)]
        message = f"no such option: {error.option_name}{_suggestion(error.option_name, known)}"
        raise click.UsageError(message, ctx) from None


def _with_optional_values(args: Iterable[str]) -> list[str]:
    """``--request-payer`` alone, and with its one value behind it, as ``--request-payer=requester``."""
    given: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        option = _OPTIONAL.get(word)
        if option is not None:
            is_followed = bool(rest) and rest[0].lower() in map(str.lower, option.choices)
            word = f"{word}={rest.pop(0) if is_followed else option.optional_value}"
        given.append(word)
        if word == "--":
            return given + rest
    return given


def _suggestion(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(
        word, [name for name in known if name.startswith("--") == word.startswith("--")], cutoff=0.7
    )
    return f" (did you mean {' or '.join(close[:2])}?)" if close else ""


def _merge(before: object, after: object) -> object:
    """The value of an option that may stand before and after the verb."""
    if isinstance(before, tuple) and isinstance(after, tuple):
        return before + after
    if type(before) is int and type(after) is int:
        return before + after
    return after if after is not None else before


# --- options ----------------------------------------------------------------------------------------------------------


def _click_option(option: Option) -> click.Option:
    """A row of the table as click sees it. Values stay text: the table's own parsers read them."""
    if option.shape is Shape.TOGGLE:
        return click.Option([option.parameter, f"--{option.name}/--no-{option.name}"], default=None)
    declarations = [option.parameter, *option.flags]
    if option.shape is Shape.FLAG:
        return click.Option(declarations, is_flag=True, default=None)
    if option.shape is Shape.COUNT:
        return click.Option(declarations, count=True)
    return click.Option(declarations, type=click.UNPROCESSED, multiple=option.shape is Shape.MANY)


def _help_option() -> click.Option:
    def show(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:  # noqa: FBT001  click's signature
        if is_wanted and not ctx.resilient_parsing:
            ctx.exit(print_data(f"{ctx.get_help()}\n".encode()))

    return click.Option(["help_wanted", "--help", "-h"], is_flag=True, is_eager=True, expose_value=False, callback=show)


def _version_option() -> click.Option:
    def show(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:  # noqa: FBT001  click's signature
        if is_wanted and not ctx.resilient_parsing:
            ctx.exit(print_version())

    return click.Option(["version_wanted", "--version"], is_flag=True, is_eager=True, expose_value=False, callback=show)
