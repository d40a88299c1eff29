"""What ``cp`` hands to the engine."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from orbit_fast.cli.environment import Environment
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verbs import cp
from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.settings import JobSettings

ENVIRONMENT = Environment(variables={"AWS_ACCESS_KEY_ID": "a"})


def invocation(*arguments):
    """An invocation of the verb with default settings."""
    return Invocation(arguments=arguments, settings=JobSettings(), environment=ENVIRONMENT)


@pytest.fixture
def calls(monkeypatch):
    """What the engine was called with; the engine says that some objects failed."""
    seen = []

    def run_copy(*given):
        seen.append(given)
        return Exit.SOME_FAILED

    engine = ModuleType("orbit_fast.proc.job")
    engine.run_copy = run_copy
    monkeypatch.setitem(sys.modules, "orbit_fast.proc.job", engine)
    return seen


def test_cp_hands_over_sources_destination_settings_and_environment(calls):
    """The last argument is the destination; the engine's status is the verb's."""
    assert cp.run(invocation("a", "b", "s3://c")) == 1
    ((sources, destination, settings, variables, console),) = calls
    assert (sources, destination) == (("a", "b"), "s3://c")
    assert settings == JobSettings()
    assert variables == ENVIRONMENT.variables
    assert console.is_stdout_tty is False


@pytest.mark.parametrize("arguments", [(), ("a",), ("", "b"), ("a", "")])
def test_cp_needs_two_names(calls, arguments):
    """Fewer than two names, or an empty one, is a usage error before the engine is loaded."""
    with pytest.raises(InvalidConfig):
        cp.run(invocation(*arguments))
    assert calls == []
