"""The page of commands is what running them writes."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from orbit_fast.cli.verbs import VERBS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_is_what_a_run_writes():
    """Every command, run again, says the same."""
    spec = importlib.util.spec_from_file_location("transcript", ROOT / "docs" / "transcript.py")
    transcript = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(transcript)
    assert transcript.write_page() == PAGE


def test_every_command_is_on_the_page():
    """With at least one line that runs it."""
    run = set(re.findall(r"^\$ (?:.*\| )?orbit ([a-z]+)", PAGE, re.MULTILINE))
    assert {verb.name for verb in VERBS} <= run
