"""What the shells' scripts are answered."""

from __future__ import annotations

import pytest

from orbit_fast.cli.completing import answer
from orbit_fast.cli.environment import Environment
from orbit_fast.cli.verbs import VERBS
from orbit_fast.core.errors import InvalidConfig

BREAKS = " \t\n\"'@><=;|&(:"


def lines(*arguments, **variables):
    """The lines that ``orbit __complete ARGUMENTS`` answers."""
    return answer(Environment(arguments=("__complete", *arguments), variables=variables), VERBS)


@pytest.fixture
def find(monkeypatch):
    """Names in S3 as they are wanted; gives the questions that were asked."""
    asked = []

    def names(self, word):
        asked.append((word, self.settings.source))
        return ("s3://bkt/my dir/", "s3://bkt/x")

    monkeypatch.setattr("orbit_fast.cli.lookup.Names.find", names)
    return asked


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_words_with_their_meaning(shell):
    """The first line says that words follow; each has its meaning behind a tab, where it has one."""
    first, *rest = lines(shell, "")
    assert first == "words"
    assert rest == [f"{verb.name}\t{verb.summary}" for verb in VERBS]
    assert lines(shell, "cp", "--symlink", "") == ["words", "follow", "skip"]
    assert lines(shell, "cp", "--symlink=") == ["words", "--symlink=follow", "--symlink=skip"]


def test_bash_is_given_what_it_puts_in():
    """Bash gets only what stands behind its word break, and no meanings."""
    assert lines("bash", "orbit vers", BREAKS) == ["words", "versions", "version"]
    assert lines("bash", "orbit cp --symlink=f", BREAKS) == ["words", "follow"]


def test_first_words():
    """A command whose first argument is one of a few words offers them."""
    assert lines("zsh", "completions", "") == ["words", "bash", "zsh", "fish"]
    assert lines("zsh", "versions", "s") == ["words", "suspend", "status"]
    assert lines("zsh", "select", "") == ["words", "csv", "json", "parquet"]


def test_files_are_left_to_the_shell():
    """Where a file may stand the answer says so; ``s3://`` is offered once it has begun."""
    assert lines("zsh", "cp", "") == ["files"]
    assert lines("zsh", "cp", "s") == ["files", "s3://"]
    assert lines("zsh", "cp", "do") == ["files"]
    assert lines("zsh", "cp", "--ca-bundle", "") == ["files"]
    assert lines("zsh", "head", "") == ["words", "s3://"]
    assert lines("zsh", "version", "") == ["words"]


def test_names_in_s3(find):
    """Behind ``s3://`` the service's names are offered, quoted for bash."""
    assert lines("zsh", "cp", "s3://bkt/") == ["words", "s3://bkt/my dir/", "s3://bkt/x"]
    assert lines("bash", "orbit cp s3://bkt/", BREAKS) == ["words", r"//bkt/my\ dir/", "//bkt/x"]
    assert lines("bash", "orbit --dest=s3://bkt/", BREAKS) == ["words", r"//bkt/my\ dir/", "//bkt/x"]
    assert [word for word, _ in find] == ["s3://bkt/"] * 3


def test_names_are_looked_up_as_the_command_would(find, tmp_path):
    """Flags on the line, variables and the configuration file say how the service is reached."""
    (tmp_path / "c.toml").write_text("region = 'from-file'")
    lines(
        "zsh", "cp", "--endpoint-url", "http://h", "--config", str(tmp_path / "c.toml"), "s3://", ORBIT_AWS_PROFILE="p"
    )
    ((_, source),) = find
    assert (source.endpoint_url, source.region, source.profile) == ("http://h", "from-file", "p")


@pytest.mark.parametrize(
    ("words", "region"),
    [(("cp", "s3://"), "a"), (("cp", "x", "s3://"), "b"), (("--source", "s3://"), "a"), (("--dest", "s3://"), "b")],
)
def test_side_that_is_asked(find, words, region):
    """The destination is looked up where the destination is."""
    lines("zsh", "--source-region", "a", "--dest-region", "b", *words)
    ((_, source),) = find
    assert source.region == region


def test_settings_of_no_use():
    """Settings that contradict each other are an error to the caller, who keeps it to himself."""
    with pytest.raises(InvalidConfig):
        lines("zsh", "cp", "--use-acceleration", "--endpoint-url", "http://h", "s3://")
