"""What may stand at the cursor."""

from __future__ import annotations

import pytest

from orbit_fast.core.completion import Command
from orbit_fast.core.completion import Kind
from orbit_fast.core.completion import understand
from orbit_fast.core.options import general_options
from orbit_fast.core.options import options_of

COMMANDS = {
    "cp": Command(summary="Copy."),
    "ls": Command(summary="List."),
    "run": Command(summary="Run."),
    "versions": Command(summary="Versions.", words=("list", "restore")),
    "version": Command(summary="Version."),
}


def guess(*words):
    """What may stand at the end of ``orbit WORDS``."""
    return understand(words, COMMANDS)


def texts(*words):
    """The candidates' texts."""
    return [candidate.text for candidate in guess(*words).candidates]


def test_commands():
    """Without a command all of them are offered, with what they do, and then those that begin alike."""
    assert texts("") == list(COMMANDS)
    assert texts("--json", "-v", "--part-size", "5", "c") == ["cp"]
    assert guess("c").candidates[0].help == "Copy."
    assert texts("zzz") == []


@pytest.mark.parametrize("verb", ["cp", "version"])
def test_every_option_of_the_command_is_offered(verb):
    """A command's own options are offered in every long and short spelling, and no others."""
    flags = {flag for option in options_of(verb) for flag in option.flags}
    offered = set(texts(verb, "-"))
    assert offered >= flags
    assert offered - flags <= {"--help", "--no-progress", "--no-resume"}


def test_options_before_the_command():
    """Before a command every general option is offered."""
    flags = {f"--{option.name}" for option in general_options()}
    assert set(texts("--")) >= flags | {"--help", "--version", "--source", "--dest"}
    assert texts("--part-si") == ["--part-size"]


def test_toggles_are_offered_both_ways():
    """A switch that can be turned off is."""
    assert texts("cp", "--prog") == ["--progress"]
    assert texts("cp", "--no-prog") == ["--no-progress"]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("cp", "--symlink", ""), ["follow", "skip"]),
        (("cp", "--acl", "public-read-"), ["public-read-write"]),
        (("cp", "--checksum-algorithm", "crc32"), ["CRC32C", "CRC32"]),
        (("cp", "--symlink=f"), ["--symlink=follow"]),
        (("--log-level", "d"), ["debug"]),
        (("cp", "--part-size", ""), []),
        (("cp", "--zzz=", ""), []),
        (("cp", "--zzz=a"), []),
        (("versions", ""), ["list", "restore"]),
        (("versions", "--json", "r"), ["restore"]),
    ],
)
def test_words(words, wanted):
    """The few words that an option or argument can be are offered."""
    assert texts(*words) == wanted


@pytest.mark.parametrize(
    ("words", "kind", "word"),
    [
        (("cp", ""), Kind.LOCATION, ""),
        (("cp", "-R", "a"), Kind.LOCATION, "a"),
        (("cp", "--part-size", "16", "s3://b"), Kind.LOCATION, "s3://b"),
        (("cp", "--request-payer", "s3://b"), Kind.LOCATION, "s3://b"),
        (("cp", "--", "-a"), Kind.LOCATION, "-a"),
        (("cp", "-", ""), Kind.LOCATION, ""),
        (("--source", "s3://b"), Kind.LOCATION, "s3://b"),
        (("--dest=d"), Kind.LOCATION, "d"),
        (("ls", "s3://b"), Kind.URL, "s3://b"),
        (("versions", "list", "s3://b"), Kind.URL, "s3://b"),
        (("run", "f"), Kind.FILE, "f"),
        (("cp", "--ca-bundle", "f"), Kind.FILE, "f"),
        (("cp", "--config=f"), Kind.FILE, "f"),
        (("version", "f"), Kind.NOTHING, ""),
        (("nonsense", "f"), Kind.NOTHING, ""),
        (("nonsense", "cp", "f"), Kind.NOTHING, ""),
    ],
)
def test_kinds(words, kind, word):
    """Files, URLs and places of either kind are told apart by command and option."""
    words = (words,) if isinstance(words, str) else words
    found = guess(*words)
    if kind is not Kind.NOTHING:
        assert found.word == word
    assert found.kind is kind


def test_prefix_of_an_inline_value():
    """A value behind ``=`` is told with the option before it."""
    assert guess("--dest=s3://b").prefix == "--dest="
    assert guess("cp", "--config=f").prefix == "--config="


def test_options_on_the_line_are_read():
    """What the line says of the connection is there to look names up with; what is misspelt is passed over."""
    found = guess(
        "--profile", "work", "cp", "--endpoint-url=http://h", "--include", "a", "--include", "b", "--no-sign-request",
        "-v", "--zzz", "--no-progress", "--request-payer", "s3://",
    )  # fmt: skip
    assert found.verb == "cp"
    assert found.flags == {
        "aws_profile": "work",
        "endpoint_url": "http://h",
        "include": ("a", "b"),
        "no_sign_request": True,
        "verbose": 1,
        "progress": False,
        "request_payer": "requester",
    }


@pytest.mark.parametrize(
    ("words", "is_destination"),
    [
        (("cp", "s3://"), False),
        (("cp", "a", "s3://"), True),
        (("cp", "--region", "x", "s3://"), False),
        (("--dest", "s3://"), True),
        (("--source", "s3://"), False),
        (("ls", "s3://a", "s3://"), False),
    ],
)
def test_side(words, is_destination):
    """Behind a source stands the destination, where the command has both."""
    assert guess(*words).is_destination is is_destination
