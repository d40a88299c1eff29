"""Options by the names that other tools give them."""

from __future__ import annotations

import pytest

from orbit_fast.core.foreign_options import _FOREIGN
from orbit_fast.core.foreign_options import option_meant
from orbit_fast.core.options import TABLE

OURS = {flag: option for option in TABLE for flag in option.flags}


@pytest.mark.parametrize(("foreign", "ours"), _FOREIGN.items())
def test_every_row_leads_to_an_option(foreign, ours):
    """What is proposed is an option of orbit, with a value that it takes; what is not ours has not our name."""
    flag, _, value = ours.partition(" ")
    assert flag in OURS
    assert not value or value in OURS[flag].choices
    assert foreign not in OURS
    assert option_meant(foreign, OURS) == f" (did you mean {ours}?)"


@pytest.mark.parametrize(
    ("flag", "known", "said"),
    [
        ("--max-retries", ["--retry-attempts", "--max-delete"], " (did you mean --retry-attempts?)"),
        ("--transfers", ["--json"], ""),
        ("--dryrun", ["--dry-run"], " (did you mean --dry-run?)"),
        ("--recursiv", ["--recursive", "-R"], " (did you mean --recursive?)"),
        ("-r", ["--recursive", "-R"], " (did you mean --recursive?)"),
        ("-z", ["--zone"], ""),
    ],
)
def test_option_meant(flag, known, said):
    """Only what the command has is proposed; a foreign name wins over one that merely looks like it."""
    assert option_meant(flag, known) == said
