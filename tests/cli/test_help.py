"""Pages of help."""

from __future__ import annotations

import pytest

from orbit_fast.cli.environment import Environment
from orbit_fast.cli.run import run
from orbit_fast.cli.verbs import VERBS
from orbit_fast.core.options import TABLE
from orbit_fast.core.options import options_of
from orbit_fast.core.values import Group


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
    assert "orbit --source SRC --dest DST [--mode copy]" in text
    assert all(f"\n  {verb.name} " in text for verb in VERBS)
    assert all(f"\n{group}:\n" in text for group in Group)
    assert all(f"--{option.name}" in text for option in TABLE)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_verb_help(page, verb):
    """A command's help has its own options, examples and the exit status, wherever ``--help`` stands."""
    text = page(verb.name, "--help")
    assert text == page(verb.name, "x", "-h")
    assert text.startswith(f"Usage: orbit {verb.name} [OPTIONS]")
    assert "\nExamples:\n" in text
    assert all(command in text for command, _ in verb.examples)
    assert "\nEXIT STATUS:\n  0 " in text
    shown = {option.name for option in TABLE if f"--{option.name} " in text or f"--{option.name}\n" in text}
    assert {option.name for option in options_of(verb.name)} >= shown


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
