"""Pages of help."""

from __future__ import annotations

import pytest

from orbit_fast.cli.environment import Environment
from orbit_fast.cli.run import run
from orbit_fast.cli.verbs import VERBS
from orbit_fast.core.errors import Exit
from orbit_fast.core.options import TABLE
from orbit_fast.core.options import options_of
from orbit_fast.core.values import Group
from orbit_fast.core.verb_groups import S3


@pytest.fixture
def page(capfd):
    """Gives the page that a help command prints."""

    def show(*arguments):
        assert run(Environment(arguments=arguments, variables={})) == 0
        out, err = capfd.readouterr()
        assert err == ""
        return out

    return show


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_orbit_help(page, flag):
    """``orbit --help`` lists the commands, both spellings of a copy, and every option under its heading."""
    text = page(flag)
    assert text.startswith("Usage: orbit [OPTIONS] COMMAND")
    assert "orbit --source SRC --dest DST [--mode copy|update|sync|mirror]" in text
    assert all(f"\n  {verb.name} " in text for verb in VERBS)
    shown = [option for option in TABLE if option.group is not Group.COMMAND]
    assert all(f"\n{option.group}:\n" in text for option in shown)
    assert all(f"--{option.name}" in text for option in shown)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_verb_help(page, verb):
    """A command's help has its own options, examples and the exit status, wherever ``--help`` stands."""
    text = page(verb.name, "--help")
    assert text == page(verb.name, "x", "-h")
    assert text.startswith(f"Usage: orbit {verb.name} [OPTIONS]")
    assert "\nExamples:\n" in text
    assert verb.examples
    assert all(command in text for command, _ in verb.examples)
    assert "\nEXIT STATUS:\n  0 " in text
    shown = {option.name for option in TABLE if f"--{option.name} " in text or f"--{option.name}\n" in text}
    assert {option.name for option in options_of(verb.name)} >= shown


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS if verb.name in S3])
def test_every_command_of_s3_takes_the_common_options(page, verb):
    """Endpoint, region, profile, output and statistics can be said to every command that has to do with a service."""
    text = page(verb, "-h")
    for flag in ("--endpoint-url", "--region", "--aws-profile", "--json", "--stat", "-H, --human-readable", "--config"):
        assert f"\n  {flag}" in text or f", {flag}" in text, flag


def test_help_states_every_exit_status(page):
    """Help says what each exit status means."""
    _, _, status = page("cp", "-h").partition("\nEXIT STATUS:\n")
    numbers = [number for line in status.splitlines() for number in line[2:12].replace(",", " ").split()]
    assert numbers == [str(int(code)) for code in Exit]


def test_help_states_defaults_choices_and_repeats(page):
    """Help says what is taken when nothing is said, which words are allowed, and what may be repeated."""
    text = " ".join(page("cp", "--help").split())
    assert "plain numbers are MiB. [50.0 MiB]" in text
    assert "--symlink follow|skip" in text
    assert "One of CRC32C, CRC32, CRC64NVME, SHA1, SHA256. [CRC32C]" in text
    assert "--request-payer[=requester]" in text
    assert "User metadata. May be repeated." in text
    assert "-n, --no-clobber" in text


def test_help_fits_the_terminal(page):
    """No line of help is wider than a terminal."""
    assert max(map(len, page("--help").splitlines())) <= 80
