"""The click commands, made from the option table and the verbs.

Options may stand before the command or after it; what is repeatable adds up, and otherwise the one after the command
holds. ``orbit`` therefore knows every option of the table, and a verb takes from it what its own rows allow.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import click
import msgspec

from orbit_fast.cli import helptext
from orbit_fast.cli.config import read_config
from orbit_fast.cli.environment import Environment
from orbit_fast.cli.environment import now_ns
from orbit_fast.cli.environment import read_file
from orbit_fast.cli.environment import write_err
from orbit_fast.cli.streams import print_data
from orbit_fast.cli.streams import print_version
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.foreign_options import option_meant
from orbit_fast.core.options import TABLE
from orbit_fast.core.options import build_settings
from orbit_fast.core.options import gather
from orbit_fast.core.options import general_options
from orbit_fast.core.options import options_of
from orbit_fast.core.options import values_of
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.similar import did_you_mean
from orbit_fast.core.values import Context
from orbit_fast.core.values import Entry
from orbit_fast.core.values import Given
from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape
from orbit_fast.core.values import is_given

_COPY = "copy"
"""The ``--mode`` of ``orbit --source S --dest D`` that is what ``cp`` does; the others are what ``sync`` does."""

_ELSEWHERE = {
    "copy": "cp",
    "del": "rm",
    "delete": "rm",
    "dir": "ls",
    "download": "cp",
    "get": "cp",
    "info": "head",
    "list": "ls",
    "mirror": "sync",
    "move": "mv",
    "put": "cp",
    "remove": "rm",
    "rename": "mv",
    "sign": "presign",
    "size": "du",
    "stat": "head",
    "upload": "cp",
}
"""What other tools call our commands."""

_AS_ARGUMENT = " (an argument that begins with - goes behind --)"
"""What an option that is like none may be: names of files, keys and ids of versions begin as they like."""

_OPTIONAL = {flag: option for option in TABLE if option.shape is Shape.OPTIONAL for flag in option.flags}


@dataclass(slots=True)
class State:
    """What is known of this run so far; a failure is told with it.

    Attributes:
        environment: of the process.
        verb: the command.
        is_json: a configuration file asks for JSON; of use until there are settings.
        settings: of the job, once they are known.
    """

    environment: Environment
    verb: str = "orbit"
    is_json: bool = False
    settings: JobSettings | None = None


def run_verb(verb: Verb, state: State, flags: dict[str, object], arguments: tuple[str, ...]) -> int:
    """Run a verb with what was given; returns its exit status.

    Raises:
        S3Error: the job could not be done.
    """
    state.verb = verb.name
    files = read_config(flags.get("config"), state.environment.variables, verb.name)
    state.is_json = any(entries["json"].given is True for entries in files if "json" in entries)
    state.settings, given = settings_of(verb, flags, state.environment, files)
    _warn(verb, state.settings)
    return verb.run(
        Invocation(arguments=arguments, settings=state.settings, environment=state.environment, given=given)
    )


def settings_of(
    verb: Verb, flags: Mapping[str, object], environment: Environment, files: Sequence[Mapping[str, Entry]]
) -> tuple[JobSettings, Mapping[str, Given]]:
    """The settings of a command, and who gave what.

    Raises:
        InvalidConfig: something of it cannot be used.
    """
    context = Context(now_ns=now_ns, read_file=read_file)
    given = gather(flags, environment.variables, context, verb=verb.name, files=files)
    return msgspec.structs.replace(build_settings(values_of(given)), operation=verb.name), given


def _warn(verb: Verb, settings: JobSettings) -> None:
    """Say on stderr, once, what the user gave up: a setting in a file or the environment is soon forgotten."""
    if settings.output.quiet or (settings.source.verify_ssl and settings.dest.verify_ssl):
        return
    write_err(
        f'WARNING "{verb.name}": TLS certificates are not verified (--no-verify-ssl): anybody on the way can read and '
        f"change everything (--ca-bundle FILE trusts a certificate of your own)\n".encode()
    )


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

    def read_flags(self, words: Sequence[str]) -> dict[str, object]:
        """The values of options alone, by parameter name.

        Raises:
            click.ClickException: an option is not one of the verb's, lacks its value, or asks for help.
        """
        if {"-h", "--help"} & set(words):
            raise click.UsageError("there is no help in a line")
        context = self.make_context(self.verb.name, list(words))
        return {name: value for name, value in context.params.items() if name != "names"}

    def invoke(self, ctx: click.Context) -> int:
        """Run the verb with the options from before and after it."""
        before = ctx.parent.params if ctx.parent else {}
        _refuse_foreign(before, self.verb, ctx)
        own = {option.parameter for option in options_of(self.verb.name)}
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
            *(_click_option(option) for option in general_options()),
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
        """Run the verb; without one, the transfer that ``--source`` and ``--dest`` describe."""
        rest: tuple[str, ...] = ctx.params.pop("rest")
        ends = {name: ctx.params.pop(name) for name in ("source", "dest")}
        if not rest:
            return self._transfer(ctx, **ends)
        if any(ends.values()):
            raise click.UsageError(f"--source and --dest go without a command, not with {rest[0]}", ctx)
        if rest[0] not in self.verbs:
            raise click.UsageError(f"no such command: {rest[0]}{_command_meant(rest[0], self.verbs)}", ctx)
        ctx.obj.verb = rest[0]
        command = VerbCommand(self.verbs[rest[0]])
        with command.make_context(rest[0], list(rest[1:]), parent=ctx) as sub_ctx:
            return command.invoke(sub_ctx)

    def _transfer(self, ctx: click.Context, source: tuple[str, ...], dest: str | None) -> int:
        if not source and dest is None:
            raise click.UsageError("no command; orbit --help lists them", ctx)
        if (ctx.params["mode"] or _COPY).lower() == _COPY:
            ctx.params["mode"] = None
        verb = self.verbs["sync" if ctx.params["mode"] else "cp"]
        ctx.obj.verb = verb.name
        if not source or dest is None:
            raise click.UsageError("--source and --dest belong together", ctx)
        _refuse_foreign(ctx.params, verb, ctx)
        return run_verb(verb, ctx.obj, ctx.params, (*source, dest))

    def get_usage(self, ctx: click.Context) -> str:  # noqa: ARG002  click's arguments
        """The line that click would print as usage."""
        return f"Usage: {helptext.USAGE[0]}"

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  as above
        """The page of ``orbit --help``."""
        helptext.write_orbit(formatter, self.verbs.values())


def _refuse_foreign(given: Mapping[str, object], verb: Verb, ctx: click.Context) -> None:
    """Refuse options from before the command that are not the command's."""
    for option in TABLE:
        if verb.name not in option.verbs and is_given(given.get(option.parameter)):
            raise click.UsageError(f"--{option.name} is not an option of {verb.name}", ctx)


# --- what was typed ---------------------------------------------------------------------------------------------------


def _parse(parse: Callable[[click.Context, list[str]], list[str]], ctx: click.Context, args: list[str]) -> list[str]:
    """Parse `args` with options that may stand alone given their value, and misspelt options explained."""
    try:
        return parse(ctx, _with_optional_values(args))
    except click.NoSuchOption as error:
        raise click.UsageError(_option_meant(error.option_name, ctx.command), ctx) from None


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


def _command_meant(word: str, verbs: Collection[str]) -> str:
    """What somebody may have meant by a command that there is not: another tool's name of one, or a misspelt one."""
    elsewhere = _ELSEWHERE.get(word)
    return f" (did you mean {elsewhere}?)" if elsewhere in verbs else did_you_mean(word, verbs)


def _option_meant(flag: str, command: click.Command) -> str:
    """What somebody may have meant by an option that the command does not have."""
    if isinstance(command, VerbCommand) and any(flag in option.flags for option in TABLE):
        return f"{flag} is not an option of {command.name}"
    known = [opt for param in command.params for opt in (*param.opts, *param.secondary_opts)]
    return f"no such option: {flag}{option_meant(flag, known) or _AS_ARGUMENT}"


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
