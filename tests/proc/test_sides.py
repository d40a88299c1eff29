"""The S3 sides of a job: which site, and who signs."""

from __future__ import annotations

import pytest

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.settings import ClientSettings
from orbit_fast.proc import sides as module
from orbit_fast.proc.sides import Side
from orbit_fast.proc.sides import needs_botocore
from orbit_fast.proc.sides import resolve

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "HOME": "/nonexistent"}
HERE = ClientSettings(endpoint_url="http://127.0.0.1:9000", region="eu-1")
THERE = ClientSettings(endpoint_url="http://127.0.0.2:9000", no_sign_request=True)


def test_sides_alike_share_one_identity(monkeypatch):
    """Whoever gives credentials is asked once."""
    asked = []
    true_resolve = module.credentials.resolve
    monkeypatch.setattr(
        module.credentials, "resolve", lambda client, env: asked.append(client) or true_resolve(client, env)
    )
    found = resolve((Side("to", HERE), Side("from", HERE)), KEYS)
    assert [(site.number, site.bucket, site.identity) for site in found.sites] == [(0, "to", 0), (1, "from", 0)]
    assert {site.endpoint.region for site in found.sites} == {"eu-1"}
    assert [identity.access_key for identity in found.identities] == ["AKID"]
    assert found.clients == (HERE,)
    assert asked == [HERE]


def test_each_side_as_its_own_settings_say():
    """Endpoint and credentials of source and destination may differ."""
    found = resolve((Side("to", HERE), Side("from", THERE)), KEYS)
    assert [site.endpoint.host for site in found.sites] == ["127.0.0.1", "127.0.0.2"]
    assert [site.identity for site in found.sites] == [0, 1]
    assert [identity.is_anonymous() for identity in found.identities] == [False, True]


@pytest.mark.parametrize(
    ("source", "dest", "environment", "needed"),
    [
        (HERE, HERE, KEYS, False),
        (HERE, HERE, {"HOME": "/nonexistent"}, True),
        (THERE, HERE, KEYS, False),
        (HERE, ClientSettings(profile="p"), KEYS, True),
        (ClientSettings(), ClientSettings(), KEYS, True),
    ],
)
def test_botocore_is_asked_where_it_must_be(source, dest, environment, needed):
    """Any side that needs it."""
    assert needs_botocore((Side("to", dest), Side("from", source)), environment) is needed


def test_what_cannot_be_used_is_said():
    """A malformed endpoint."""
    with pytest.raises(InvalidConfig):
        resolve((Side("b", ClientSettings(endpoint_url="nonsense")),), KEYS)
