"""The keys that a side signs with, frozen: from the environment where they stand there, else from botocore's chain.

The chain is: profile, credentials file, SSO and login sessions, assumed roles, web identity, credential process,
container, instance metadata. `resolve` starts it from nothing every time, so calling it again is the refresh: files are
read again and roles are assumed again. It can take seconds and is meant for a process of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from orbit_fast.core.errors import Authentication
from orbit_fast.core.model import Credentials
from orbit_fast.core.settings import ClientSettings
from orbit_fast.io.aws import open_session
from orbit_fast.io.aws import profile_name
from orbit_fast.io.aws import told_in_one_line

NOTHING_FOUND = (
    "no credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with --profile, "
    "run 'aws configure', or use --no-sign-request for public buckets"
)


def needs_botocore(settings: ClientSettings, environment: Mapping[str, str]) -> bool:
    """Whether `resolve` has to ask botocore (0.1 s, and maybe the network)."""
    if settings.no_sign_request:
        return False
    if settings.profile or settings.credentials_file or environment.get("AWS_CREDENTIAL_EXPIRATION"):
        return True
    return not (environment.get("AWS_ACCESS_KEY_ID") and environment.get("AWS_SECRET_ACCESS_KEY"))


def resolve(settings: ClientSettings, environment: Mapping[str, str]) -> Credentials:
    """The credentials of this side; anonymous ones with ``--no-sign-request``.

    Args:
        settings: of this side.
        environment: the process's own; botocore reads it too.

    Raises:
        Authentication: there are none, they are incomplete, or whoever gives them refuses.
        InvalidConfig: no such profile, or a file that cannot be read.
    """
    if settings.no_sign_request:
        return Credentials(provider="anonymous")
    if not needs_botocore(settings, environment):
        return Credentials(
            access_key=environment["AWS_ACCESS_KEY_ID"],
            secret_key=environment["AWS_SECRET_ACCESS_KEY"],
            # the older name wins, as in botocore
            token=environment.get("AWS_SECURITY_TOKEN") or environment.get("AWS_SESSION_TOKEN") or "",
            provider="env",
        )
    return _from_chain(settings, environment)


def _from_chain(settings: ClientSettings, environment: Mapping[str, str]) -> Credentials:
    profile = profile_name(settings, environment)
    with told_in_one_line(profile):
        session = open_session(settings, environment)
        if settings.region:
            session.set_config_variable("region", settings.region)
        found = session.get_credentials()
        if found is None:
            raise Authentication(NOTHING_FOUND)
        frozen = found.get_frozen_credentials()
        if not frozen.access_key or not frozen.secret_key:
            raise Authentication(NOTHING_FOUND)
        # botocore offers no public way to ask when they expire
        expiry = getattr(found, "_expiry_time", None)
        return Credentials(
            access_key=frozen.access_key,
            secret_key=frozen.secret_key,
            token=frozen.token or "",
            expires_at_s=expiry.timestamp() if expiry is not None else 0.0,
            provider=found.method or "",
        )
