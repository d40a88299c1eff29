"""The S3 sides of a job: which site, and who signs."""

from __future__ import annotations

import pytest

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings
from orbit_fast.proc import sides as module
from orbit_fast.proc.sides import Side
from orbit_fast.proc.sides import needs_botocore
from orbit_fast.proc.sides import resolve

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "HOME": "/nonexistent"}
HERE = ClientSettings(endpoint_url="http://127.0.0.1:9000", region="eu-1")
THERE = ClientSettings(endpoint_url="http://127.0.0.2:9000", no_sign_request=True)


def test_both_sides_alike_share_one_identity(monkeypatch):
    """Whoever gives credentials is asked once."""
    asked = []
    true_resolve = module.credentials.resolve
    monkeypatch.setattr(
        module.credentials, "resolve", lambda client, env: asked.append(client) or true_resolve(client, env)
    )
    settings = JobSettings(source=HERE, dest=HERE)
    found = resolve((Side("to", is_destination=True), Side("from")), settings, KEYS)
    assert [(site.number, site.bucket, site.identity) for site in found.sites] == [(0, "to", 1), (1, "from", 0)]
    assert {site.endpoint.region for site in found.sites} == {"eu-1"}
    assert found.identities[0] == found.identities[1]
    assert found.identities[0].access_key == "AKID"
    assert asked == [HERE]


def test_each_side_as_its_own_settings_say():
    """Endpoint and credentials of source and destination may differ."""
    settings = JobSettings(source=THERE, dest=HERE)
    found = resolve((Side("to", is_destination=True), Side("from")), settings, KEYS)
    assert [site.endpoint.host for site in found.sites] == ["127.0.0.1", "127.0.0.2"]
    assert [identity.is_anonymous() for identity in found.identities] == [True, False]


@pytest.mark.parametrize(
    ("side", "anonymous"), [(Side("b"), [False, True]), (Side("b", is_destination=True), [True, False])]
)
def test_a_side_that_does_not_take_part_has_no_identity(side, anonymous):
    """Nobody is asked for credentials that nothing needs."""
    found = resolve((side,), JobSettings(source=HERE, dest=HERE), KEYS)
    assert [identity.is_anonymous() for identity in found.identities] == anonymous


@pytest.mark.parametrize(
    ("settings", "environment", "needed"),
    [
        (JobSettings(source=HERE, dest=HERE), KEYS, False),
        (JobSettings(source=HERE, dest=HERE), {"HOME": "/nonexistent"}, True),
        (JobSettings(source=THERE, dest=HERE), KEYS, False),
        (JobSettings(source=HERE, dest=ClientSettings(profile="p")), KEYS, True),
        (JobSettings(), KEYS, True),
    ],
)
def test_botocore_is_asked_where_it_must_be(settings, environment, needed):
    """Any side that needs it."""
    sides = (Side("to", is_destination=True), Side("from"))
    assert needs_botocore(sides, settings, environment) is needed


def test_what_cannot_be_used_is_said():
    """A malformed endpoint."""
    with pytest.raises(InvalidConfig):
        resolve((Side("b"),), JobSettings(source=ClientSettings(endpoint_url="nonsense")), KEYS)
