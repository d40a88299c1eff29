"""When a copy passes through this machine, and in what parts."""

from __future__ import annotations

import pytest

from orbit_fast.core.errors import TooLarge
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.relaying import is_relayed
from orbit_fast.core.relaying import is_same_endpoint
from orbit_fast.core.relaying import plan_relay
from orbit_fast.core.relaying import relay_workers
from orbit_fast.core.settings import GIB
from orbit_fast.core.settings import MIB
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import TransferSettings


def sides(source, dest):
    """Settings whose sides differ so."""
    return JobSettings(source=ClientSettings(**source), dest=ClientSettings(**dest))


@pytest.mark.parametrize(
    ("source", "dest", "relayed"),
    [
        ({}, {}, False),
        ({"region": "eu-west-1"}, {}, False),  # the service itself copies between its regions
        ({"use_list_v1": True}, {}, False),
        ({"endpoint_url": "http://a"}, {"endpoint_url": "http://a/"}, False),
        ({"endpoint_url": "http://a"}, {}, True),
        ({"profile": "p"}, {}, True),
        ({"credentials_file": "/c"}, {}, True),
        ({"no_sign_request": True}, {}, True),
    ],
)
def test_other_endpoints_and_credentials_need_a_relay(source, dest, relayed):
    """Whatever else differs, the service can do it alone."""
    assert is_relayed(sides(source, dest)) is relayed


def test_one_bucket_name_may_be_two_buckets():
    """It is one where the endpoint is one."""
    assert is_same_endpoint(sides({"profile": "p"}, {}))
    assert not is_same_endpoint(sides({"endpoint_url": "http://a"}, {"endpoint_url": "http://b"}))


@pytest.mark.parametrize(
    ("memory", "processes", "part_size", "largest"),
    [
        (512 * MIB, 2, 50 * MIB, 255 * MIB),
        (512 * MIB, 8, 31 * MIB + MIB // 2, 63 * MIB),
        (16 * MIB, 2, 5 * MIB, 7 * MIB),
        (16 * MIB, 1, 7 * MIB + MIB // 2, 15 * MIB),
    ],
)
def test_a_worker_holds_two_parts_where_it_can(memory, processes, part_size, largest):
    """No part is below what S3 takes."""
    settings = JobSettings(transfer=TransferSettings(max_memory=memory))
    assert relay_workers(settings) >= processes
    relay = plan_relay(settings, processes, frozenset())
    assert (relay.part_size, relay.largest) == (part_size, largest)


def test_parts_that_no_worker_can_hold_are_refused():
    """The message says what would help."""
    relay = plan_relay(JobSettings(transfer=TransferSettings(max_memory=16 * MIB)), 2, frozenset())
    relay.check(7 * MIB, None)
    relay.check(10 * GIB, plan_parts(10 * GIB, relay.part_size))
    with pytest.raises(TooLarge, match="--max-memory"):
        relay.check(100 * GIB, plan_parts(100 * GIB, relay.part_size))
