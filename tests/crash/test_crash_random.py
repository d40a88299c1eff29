"""SIGKILL at random: of the supervisor, a worker, or all; at any exchange, before it, after it, or a moment later."""

from __future__ import annotations

import pytest

from tests.kit.crash_lab import FEW
from tests.kit.crash_lab import MANY
from tests.kit.crash_lab import SCENARIOS
from tests.kit.crash_lab import Lab
from tests.kit.crash_lab import Scenario
from tests.kit.crash_lab import random_strikes

SEEDS = 11
LEAST_KILLS = 2
"""Of a job: a run that loses a worker goes on, and may end before the next strike."""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """One server and one zygote for all."""
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_job_that_is_killed_at_random_loses_nothing(lab: Lab, scenario: Scenario) -> None:
    """Struck again and again, it still comes to the same end; and so does one of two hundred files."""
    before = lab.kills
    for seed in range(SEEDS):
        lab.trial(scenario, 1000 + seed).run(random_strikes(seed, FEW))
    lab.trial(scenario, 2000, MANY).run(random_strikes(SEEDS, MANY))
    assert lab.kills - before >= LEAST_KILLS * (SEEDS + 1)
