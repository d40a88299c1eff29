"""The engine: the multi-process transfer of the command, as an object."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Unpack

from orbit_fast.client.config import S3Config
from orbit_fast.client.engine_job import EngineJob
from orbit_fast.client.engine_options import VERBS
from orbit_fast.client.engine_options import EngineOptions
from orbit_fast.client.engine_options import PathLike
from orbit_fast.client.engine_options import check_names
from orbit_fast.client.engine_options import read_options
from orbit_fast.client.engine_process import Kind
from orbit_fast.client.engine_process import Order
from orbit_fast.client.environment import read_variables
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.location import is_s3_url
from orbit_fast.core.location import parse_s3_url
from orbit_fast.core.removal import plan_removal

Names = PathLike | Iterable[PathLike]


class Engine:
    """Copies, syncs, moves and deletes with many processes, exactly as the command ``orbit`` does.

    An engine holds options and nothing else. Every job runs in a supervisor process of its own, a fresh interpreter
    that knows nothing of the program; it works from a script, from any loop (uvloop or asyncio's own) and from a
    notebook, and several jobs may run at once. A job (`EngineJob`) is an asynchronous iterator of typed events, and is
    awaited for its report.

    Options are the command's, with ``_`` for ``-``: of the engine for all of its jobs that take them, of a job for
    itself. Progress events come unless ``progress=False``. Neither ``ORBIT_…`` variables nor configuration files count;
    AWS's own variables and files do.

    Example:
        >>> engine = Engine(workers=64)
        >>> report = await engine.copy("photos", "s3://bucket/photos", recursive=True)  # doctest: +SKIP
    """

    def __init__(
        self,
        config: S3Config | None = None,
        *,
        access_key: str = "",
        secret_key: str = "",
        session_token: str = "",
        **options: Unpack[EngineOptions],
    ) -> None:
        """An engine; nothing is started.

        Args:
            config: a client's configuration: where the service is, who signs, what new objects are given. What it says
                beyond its defaults counts; its bucket, `S3Config.max_connections` and `S3Config.max_memory` do not.
            access_key: with `secret_key`, explicit credentials. They reach the process in its environment.
            secret_key: see there.
            session_token: of temporary credentials.
            options: for all jobs.

        Raises:
            InvalidConfig: an option is unknown or cannot be used; the message names it.
        """
        check_names(options)
        self._config = config
        self._options = options
        self._keys = (access_key, secret_key, session_token)
        if config is not None and not any(self._keys):
            self._keys = (config.access_key, config.secret_key, config.session_token)
        if bool(self._keys[0]) != bool(self._keys[1]) or (self._keys[2] and not self._keys[0]):
            raise InvalidConfig("credentials: access_key and secret_key belong together, and one is missing")
        for verb in VERBS:
            read_options(verb, config, options, {})

    def __repr__(self) -> str:
        return f"Engine({len(self._options)} options)"

    def copy(self, sources: Names, destination: PathLike, **options: Unpack[EngineOptions]) -> EngineJob:
        """Copy files and objects: local to S3, S3 to local, S3 to S3.

        Args:
            sources: one or many: files, directories (``recursive=True``), ``s3://bucket/key``, wildcards in keys.
            destination: a file, a directory, or ``s3://bucket/prefix``.
            options: of this job.

        Raises:
            InvalidConfig: an option is unknown or cannot be used.
        """
        return self._job(Kind.COPY, "cp", [*_names(sources), destination], options)

    def move(self, sources: Names, destination: PathLike, **options: Unpack[EngineOptions]) -> EngineJob:
        """As `copy`; then each source is deleted, when its copy is proven and at its place.

        Raises:
            InvalidConfig: an option is unknown or cannot be used.
        """
        return self._job(Kind.COPY, "mv", [*_names(sources), destination], options)

    def sync(self, source: PathLike, destination: PathLike, **options: Unpack[EngineOptions]) -> EngineJob:
        """Copy what is missing or different; with ``delete=True``, what only the destination has is deleted.

        Args:
            source: a directory or ``s3://bucket/prefix``.
            destination: likewise.
            options: of this job.

        Raises:
            InvalidConfig: an option is unknown or cannot be used.
        """
        return self._job(Kind.SYNC, "sync", [source, destination], options)

    def delete(self, urls: str | Iterable[str], **options: Unpack[EngineOptions]) -> EngineJob:
        """Delete objects: keys, wildcards, and with ``recursive=True`` everything under a prefix.

        Args:
            urls: one or many ``s3://bucket/key``.
            options: of this job.

        Raises:
            InvalidConfig: an option is unknown or cannot be used, or a name is no S3 URL.
        """
        return self._job(Kind.DELETE, "rm", [urls] if isinstance(urls, str) else list(urls), options)

    def _job(self, kind: Kind, verb: str, names: list[PathLike], options: EngineOptions) -> EngineJob:
        settings = read_options(verb, self._config, self._options, options)
        given = [os.fsencode(name) for name in names]
        if len(given) < (1 if kind is Kind.DELETE else 2):
            raise InvalidConfig(f"{kind.value}: nothing is named")
        if not all(given):
            raise InvalidConfig(f"{kind.value}: a name is the empty string")
        if b"-" in given:
            raise InvalidConfig(f"{kind.value}: an engine has no stdin and stdout (a file of the name - is ./-)")
        if kind is Kind.DELETE:
            shown = [os.fsdecode(name) for name in given]
            if not all(map(is_s3_url, shown)):
                raise InvalidConfig("delete: names are S3 URLs (s3://bucket/key)")
            plan_removal([parse_s3_url(name) for name in shown], settings)
        client = settings.source
        if self._keys[0] and (client.profile or client.credentials_file or settings.dest.profile):
            raise InvalidConfig("access_key and aws_profile or credentials_file: only one of them can sign")
        order = Order(kind=kind, names=tuple(given), settings=settings)
        return EngineJob(order, self._environment())

    def _environment(self) -> dict[str, str]:
        """The process's variables, with the credentials that were given in place of those that are there."""
        variables = read_variables()
        access_key, secret_key, session_token = self._keys
        if not access_key:
            return variables
        for name in ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"):
            variables.pop(name, None)
        variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"] = access_key, secret_key
        if session_token:
            variables["AWS_SESSION_TOKEN"] = session_token
        return variables


def _names(names: Names) -> list[PathLike]:
    return [names] if isinstance(names, str | os.PathLike) else list(names)
