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
from orbit_fast.core.settings import JobSettings
from orbit_fast.io import credentials
from orbit_fast.io import endpoints


class Side(msgspec.Struct, frozen=True):
    """One bucket of the job.

    Attributes:
        bucket: as the user wrote it.
        is_destination: reached as the destination settings say, else as the source settings say.
    """

    bucket: str
    is_destination: bool = False


class Sides(msgspec.Struct, frozen=True):
    """What `resolve` found: a site for each side, and the two identities (of sources, of the destination)."""

    sites: tuple[Site, ...]
    identities: tuple[Credentials, ...]


def needs_botocore(sides: tuple[Side, ...], settings: JobSettings, environment: Mapping[str, str]) -> bool:
    """Whether `resolve` will import botocore, and perhaps use the network."""
    return any(
        credentials.needs_botocore(_settings_of(side, settings), environment)
        or endpoints.needs_botocore(_settings_of(side, settings), environment, side.bucket)
        for side in sides
    )


def resolve(sides: tuple[Side, ...], settings: JobSettings, environment: Mapping[str, str]) -> Sides:
    """Find endpoints and credentials.

    Raises:
        InvalidConfig: something about them is not usable.
        Authentication: there are no credentials, or whoever gives them refuses.
    """
    sites = tuple(
        endpoints.resolve_site(number, side.bucket, _settings_of(side, settings), environment, int(side.is_destination))
        for number, side in enumerate(sides)
    )
    identities = []
    for is_destination, client in ((False, settings.source), (True, settings.dest)):
        if not any(side.is_destination == is_destination for side in sides):
            identities.append(Credentials())
        elif is_destination and client == settings.source and not identities[0].is_anonymous():
            identities.append(identities[0])
        else:
            identities.append(credentials.resolve(client, environment))
    return Sides(sites=sites, identities=tuple(identities))


def _settings_of(side: Side, settings: JobSettings) -> ClientSettings:
    return settings.dest if side.is_destination else settings.source


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
