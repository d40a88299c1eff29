"""A botocore session for one S3 side, and botocore's complaints in one line each.

botocore is asked for what it knows best (credential chain, configuration files, endpoint rules) and never sends a
request for an object. It reads the process's own environment; functions that take an ``environment`` use it to see
whether botocore is needed at all, so both must be the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

from orbit_fast.core.errors import Authentication
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.settings import ClientSettings

if TYPE_CHECKING:
    from botocore.session import Session

_TEXT_LIMIT: Final = 300  # characters of somebody else's message
_EXPIRED_LOGINS: Final = {
    "SSOTokenLoadError": "aws sso login",
    "UnauthorizedSSOTokenError": "aws sso login",
    "TokenRetrievalError": "aws sso login",
    "LoginRefreshRequired": "aws login",
    "LoginTokenLoadError": "aws login",
    "LoginAuthorizationCodeError": "aws login",
}


def profile_name(settings: ClientSettings, environment: Mapping[str, str]) -> str:
    """The profile that the user chose, or ``''``."""
    return settings.profile or environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE") or ""


def open_session(settings: ClientSettings, environment: Mapping[str, str]) -> Session:
    """A botocore session that knows the profile and the credentials file of this side.

    A profile or credentials file given as an option wins over credentials in the environment: naming a profile is
    what makes botocore leave those out.

    Raises:
        InvalidConfig: the credentials file cannot be read.
    """
    import botocore.session  # noqa: PLC0415 - 0.1 s that a job with explicit settings never pays

    profile = settings.profile
    if settings.credentials_file:
        profile = profile_name(settings, environment) or "default"
        try:
            Path(settings.credentials_file).expanduser().open("rb").close()
        except OSError as error:
            raise InvalidConfig(f"--credentials-file: {error.strerror}: {settings.credentials_file}") from None
    session = botocore.session.Session(profile=profile or None)
    if settings.credentials_file:
        session.set_config_variable("credentials_file", settings.credentials_file)
    return session


@contextlib.contextmanager
def told_in_one_line(profile: str) -> Iterator[None]:
    """What botocore raises inside comes out as an error of ours.

    Raises:
        InvalidConfig: a profile, file or setting is wrong.
        Authentication: credentials are not to be had.
    """
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - as in open_session
    from botocore.exceptions import ClientError  # noqa: PLC0415 - as in open_session

    try:
        yield
    except S3Error:
        raise
    except BotoCoreError as error:
        raise _translated(error, profile) from None
    except ClientError as error:
        answer = error.response.get("Error", {})
        code = str(answer.get("Code", ""))
        text = f"{error.operation_name}: {code}: {answer.get('Message', '')}"
        raise Authentication(f"the credentials could not be obtained: {_one_line(text)}", code=code) from None
    except (OSError, ValueError) as error:  # a token file that is not there, a date or JSON that is none
        raise Authentication(f"the credentials could not be obtained: {_one_line(str(error))}") from None


def _translated(error: Exception, profile: str) -> S3Error:
    """The error for one of botocore's, by its type."""
    from botocore import exceptions  # noqa: PLC0415 - as in open_session

    facts = getattr(error, "kwargs", {})
    if isinstance(error, exceptions.ProfileNotFound):
        name = facts.get("profile", profile)
        return InvalidConfig(f"no such AWS profile: {name} (aws configure list-profiles says which there are)")
    if isinstance(error, exceptions.ConfigParseError):
        return InvalidConfig(f"not a readable AWS configuration file: {facts.get('path', '')}")
    if isinstance(error, exceptions.PartialCredentialsError):
        missing, provider = facts.get("cred_var", ""), facts.get("provider", "")
        return Authentication(f"incomplete credentials: {missing} is missing ({provider})")
    login = _EXPIRED_LOGINS.get(type(error).__name__)
    if login:
        named = f" --profile {profile}" if profile else ""
        return Authentication(f"the login session is missing or has expired: run '{login}{named}'", code="ExpiredToken")
    if isinstance(error, exceptions.InvalidConfigError | exceptions.ConfigNotFound):
        return InvalidConfig(_one_line(str(error)))
    return Authentication(f"the credentials could not be obtained: {_one_line(str(error))}")


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TEXT_LIMIT else line[:_TEXT_LIMIT] + "…"
