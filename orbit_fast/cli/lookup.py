"""Names in S3 for completion: buckets, and keys one level deep, from a cache of a minute or else from the service.

Only what a shell can show is kept: names with control characters are left out. The cache is in
``$XDG_CACHE_HOME/orbit``, readable by its owner alone, a small file for each question.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orbit_fast.core.settings import JobSettings

KEPT_S = 60.0
"""How long an answer is believed."""

_MOST_NAMES = 1000
_MOST_BYTES = 1 << 22
_MOST_FILES = 200
_SCHEME = "s3://"

_ASKED_WITH = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_SHARED_CREDENTIALS_FILE",
)
"""Variables with which the same question has another answer."""


class Answer(msgspec.Struct, frozen=True):
    """What a service said.

    Attributes:
        names: ``bucket/``, or keys and prefixes, whole.
        is_whole: there are no more.
        at_s: when, in seconds since 1970 UTC.
    """

    names: tuple[str, ...]
    is_whole: bool
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Looks names up.

    Attributes:
        settings: of the command that is being typed; its source is asked.
        variables: of the environment.
        now_s: seconds since 1970 UTC.
    """

    settings: JobSettings
    variables: Mapping[str, str]
    now_s: float

    def find(self, word: str) -> tuple[str, ...]:
        """The URLs that begin with `word`, which begins with ``s3://``; of keys one level.

        Raises:
            S3Error: the service cannot be asked, or does not answer.
            OSError: as above.
        """
        bucket, slash, typed = word.removeprefix(_SCHEME).partition("/")
        if not slash:
            return tuple(f"{_SCHEME}{name}" for name in self._ask("", "", bucket) if name.startswith(bucket))
        directory = typed[: typed.rfind("/") + 1]
        names = self._ask(bucket, directory, typed)
        return tuple(f"{_SCHEME}{bucket}/{name}" for name in names if name.startswith(typed) and name != directory)

    def _ask(self, bucket: str, directory: str, typed: str) -> tuple[str, ...]:
        """The names in a directory; where those are too many, those that begin with what is typed."""
        for prefix in dict.fromkeys((directory, typed)):
            known = self._recall(bucket, prefix)
            if known is None and (not bucket or prefix == typed):
                known = self._fetch(bucket, prefix)
                self._keep(bucket, prefix, known)
            if known is not None and (known.is_whole or prefix == typed or not bucket):
                return known.names
        return ()

    def _fetch(self, bucket: str, prefix: str) -> Answer:
        from orbit_fast.cli.asking import ask  # noqa: PLC0415 - the client loads when there is something to ask

        names, is_whole = ask(self.settings, bucket, prefix)
        shown = tuple(name for name in names[:_MOST_NAMES] if name.isprintable())
        return Answer(names=shown, is_whole=is_whole, at_s=self.now_s)

    # --- the cache ---------------------------------------------------------------------------------------------------

    def _recall(self, bucket: str, prefix: str) -> Answer | None:
        path = self._path(bucket, prefix)
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                answer = msgspec.json.decode(file.read(_MOST_BYTES), type=Answer)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None
        return answer if 0 <= self.now_s - answer.at_s < KEPT_S else None

    def _keep(self, bucket: str, prefix: str, answer: Answer) -> None:
        path = self._path(bucket, prefix)
        if path is None:
            return
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            known = sorted(path.parent.iterdir(), key=lambda each: each.stat().st_mtime)
            for old in known[: max(0, len(known) - _MOST_FILES + 1)]:
                old.unlink(missing_ok=True)
            fresh = path.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            fresh.touch(mode=0o600)
            fresh.write_bytes(msgspec.json.encode(answer))
            fresh.replace(path)

    def _path(self, bucket: str, prefix: str) -> Path | None:
        """Where the answer to a question is kept, or None where there is no home."""
        base, home = Path(self.variables.get("XDG_CACHE_HOME", "")), Path(self.variables.get("HOME", ""))
        if not base.is_absolute():
            if not home.is_absolute():
                return None
            base = home / ".cache"
        asked_with = [self.variables.get(name, "") for name in _ASKED_WITH]
        question: Sequence[object] = (self.settings.source, asked_with, bucket, prefix)
        name = hashlib.blake2b(msgspec.json.encode(question), digest_size=16).hexdigest()
        return base / "orbit" / "completion" / name
