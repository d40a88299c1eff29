"""SIGKILL at each named point of a job: before and after the service has acted on a request that commits something."""

from __future__ import annotations

import pytest

from tests.kit.crash_lab import SCENARIOS
from tests.kit.crash_lab import Lab
from tests.kit.crash_lab import Scenario
from tests.kit.crash_lab import Strike

POINTS = {
    "up": ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"),
    "down": ("ListObjectsV2", "HeadObject", "GetObject"),
    "copy": ("CopyObject", "CreateMultipartUpload", "UploadPartCopy", "CompleteMultipartUpload"),
    "move-up": ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"),
    "move-down": ("GetObject", "DeleteObject"),
    "move": ("CreateMultipartUpload", "UploadPartCopy", "CompleteMultipartUpload", "DeleteObject"),
    "sync-up": ("ListObjectsV2", "UploadPart"),
    "sync-down": ("ListObjectsV2", "GetObject"),
    "run-up": ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"),
    "run": ("HeadObject", "CreateMultipartUpload", "UploadPartCopy", "CompleteMultipartUpload"),
}
"""Operations at which each scenario is struck."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """One server and one zygote for all."""
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_kill_at_any_named_point_loses_nothing(lab: Lab, scenario: Scenario) -> None:
    """The same command, run again until it is done: every byte, no half object, no orphan, no litter, no process."""
    for seed, operation in enumerate(POINTS[scenario.name]):
        before = lab.kills
        strikes = [
            Strike("supervisor", operation, is_after=seed % 2 == 1),
            Strike("all", operation, is_after=seed % 2 == 0),
            Strike("worker", operation),
        ]
        lab.trial(scenario, seed).run(iter(strikes))
        # Where a kill came too late to prevent the end, there is nothing left for the next ones to strike.
        assert lab.kills > before, f"{operation} never came"
