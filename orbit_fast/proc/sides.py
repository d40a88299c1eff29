"""The S3 sides of a job: which buckets, where they are, who signs for them.

Resolved once, before the first request. Where the environment and the options say everything, that is arithmetic;
otherwise botocore is asked, in a short-lived child (`Errand`), so that the supervisor neither waits for it nor carries
it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Site
from orbit_fast.core.settings import ClientSettings
from orbit_fast.io import credentials
from orbit_fast.io import endpoints


class Side(msgspec.Struct, frozen=True):
    """One bucket of the job, and how it is reached; who signs for it follows from that.

    Attributes:
        bucket: as the user wrote it; ``''`` for what belongs to no bucket: the list of them.
        client: endpoint, region, profile and the rest.
    """

    bucket: str
    client: ClientSettings = ClientSettings()


class Sides(msgspec.Struct, frozen=True):
    """What `resolve` found: a site for each side; and, by the number of the identity, who signs and how it is reached.

    Sides that are reached alike have one identity between them.
    """

    sites: tuple[Site, ...]
    identities: tuple[Credentials, ...]
    clients: tuple[ClientSettings, ...] = ()


def needs_botocore(sides: tuple[Side, ...], environment: Mapping[str, str]) -> bool:
    """Whether `resolve` will import botocore, and perhaps use the network."""
    return any(
        credentials.needs_botocore(side.client, environment)
        or endpoints.needs_botocore(side.client, environment, side.bucket)
        for side in sides
    )


def resolve(sides: tuple[Side, ...], environment: Mapping[str, str]) -> Sides:
    """Find endpoints and credentials.

    Raises:
        InvalidConfig: something about them is not usable.
        Authentication: there are no credentials, or whoever gives them refuses.
    """
    clients = tuple(dict.fromkeys(side.client for side in sides))
    sites = tuple(
        endpoints.resolve_site(number, side.bucket, side.client, environment, clients.index(side.client))
        for number, side in enumerate(sides)
    )
    identities = tuple(credentials.resolve(client, environment) for client in clients)
    return Sides(sites=sites, identities=identities, clients=clients)


def described(found: Sides) -> list[str]:
    """A line for each site: where it is, and whose credentials sign for it; no secret."""
    lines = []
    for site in found.sites:
        endpoint, identity = site.endpoint, found.identities[site.identity]
        signer = "unsigned" if identity.is_anonymous() else f"signed with credentials from {identity.provider}"
        lines.append(
            f"s3://{site.bucket} is at {endpoint.scheme}://{endpoint.host_header}, region {endpoint.region}, {signer}",
        )
    return lines
