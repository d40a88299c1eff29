"""S3 URLs, wildcards, and which name an object gets at the destination.

After ``s3://bucket/`` every character is the key, byte for byte: nothing is decoded, escaped or tidied. Access-point
ARNs, which contain ``/`` and ``:``, are buckets too.

A *key source* is what one S3 source argument means: one key, a tree (a key and everything under it), or a wildcard. It
knows what to list, which listed keys belong to it, and how they are called relative to it.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from dataclasses import field
from typing import Final

from orbit_fast.core.errors import InvalidBucketName
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.limits import MAX_KEY_BYTES
from orbit_fast.core.names import base_name
from orbit_fast.core.names import is_directory_marker
from orbit_fast.core.names import local_name

_SCHEME: Final = "s3://"

# Wider than AWS's rule for new buckets: old buckets in us-east-1 and other services allow capitals, underscores and up
# to 255 characters. Only names that would change the request's path are left out (dots alone).
_BUCKET: Final = re.compile(r"(?!\.+\Z)[A-Za-z0-9._-]{1,255}")

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html, and the same for Object Lambda and
# Outposts. An empty region names a multi-Region access point.
_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:"
    r"(?:(?:s3|s3-object-lambda):[a-z0-9-]*:[0-9]{12}:accesspoint[/:][A-Za-z0-9.-]{1,63}"
    r"|s3-outposts:[a-z0-9-]+:[0-9]{12}:outpost[/:][A-Za-z0-9-]{1,63}[/:]accesspoint[/:][A-Za-z0-9-]{1,63})"
    r"(?=/|\Z)"
)


@dataclass(frozen=True, slots=True)
class S3Url:
    """A bucket and a key (or the beginning of keys), exactly as written."""

    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.key}"


def is_s3_url(text: str) -> bool:
    """Whether `text` names something in S3 rather than a local file."""
    return text[:5].lower() == _SCHEME


def parse_s3_url(text: str) -> S3Url:
    """The bucket and key that `text` names.

    Raises:
        InvalidBucketName: there is no bucket's name, ARN or alias after ``s3://``.
        InvalidConfig: it does not begin with ``s3://``.
        InvalidKey: it is not Unicode text.
    """
    if not text.isascii():
        _check_text(text)
    if not is_s3_url(text):
        raise InvalidConfig(f"not an S3 URL: {text!r} (expected s3://BUCKET/KEY)")
    rest = text[len(_SCHEME) :]
    arn = _ARN.match(rest) if rest.startswith("arn:") else None
    if arn is not None:
        return S3Url(bucket=arn.group(), key=rest[arn.end() + 1 :])
    bucket, _, key = rest.partition("/")
    check_bucket(bucket)
    return S3Url(bucket=bucket, key=key)


def check_bucket(bucket: str) -> None:
    """Refuse what cannot be a bucket's name, access-point ARN or alias.

    Raises:
        InvalidBucketName: with the reason.
    """
    if _BUCKET.fullmatch(bucket) or _ARN.fullmatch(bucket):
        return
    if not bucket:
        raise InvalidBucketName("the bucket's name is missing (expected s3://BUCKET/KEY)")
    if bucket.startswith("arn:"):
        raise InvalidBucketName(f"not the ARN of an S3 access point: {bucket!r}")
    raise InvalidBucketName(f"not a bucket name: {bucket!r} (1 to 255 of letters, digits, '.', '-' and '_')")


def _check_text(text: str) -> None:
    """Refuse what no request can carry: bytes that are not UTF-8 come from the command line as lone surrogates."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidKey(f"not Unicode text, which S3 keys must be: {text[:100]!r}") from None


def check_key(key: str) -> None:
    """Refuse what cannot be an object's key.

    Raises:
        InvalidKey: empty, not Unicode text, or longer than 1,024 bytes of UTF-8.
    """
    if not key:
        raise InvalidKey("an object's key cannot be empty")
    if len(key) * 4 <= MAX_KEY_BYTES and key.isascii():
        return
    try:
        size = len(key.encode("utf-8"))
    except UnicodeEncodeError:
        raise InvalidKey(f"not Unicode text, which S3 keys must be: {key[:100]!r}") from None
    if size > MAX_KEY_BYTES:
        raise InvalidKey(f"the key has {size} bytes, more than S3's {MAX_KEY_BYTES}: {key[:100]!r}…")


# --- wildcards --------------------------------------------------------------------------------------------------------


def has_wildcard(key: str) -> bool:
    """Whether `key` holds ``*`` or ``?``."""
    return "*" in key or "?" in key


def wildcard_prefix(key: str) -> str:
    """What stands before the first wildcard: every match begins with it."""
    found = _WILD.search(key)
    return key if found is None else key[: found.start()]


_WILD: Final = re.compile(r"[*?]")


class Wildcard:
    """A pattern in which ``*`` is any characters, ``/`` too, and ``?`` is exactly one; it must match the whole text.

    Each stretch between two stars is taken where it first fits and never reconsidered (an atomic group): if any later
    place led to a match, the first one does too. So no pattern takes longer than its length times the text's.
    """

    __slots__ = ("_match", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        first, *others = [_stretch(part) for part in re.split(r"\*+", pattern)]
        if others:
            middle = "".join(f"(?>.*?{part})" for part in others[:-1])
            first = f"{first}{middle}.*{others[-1]}"
        self._match = re.compile(first, re.DOTALL).fullmatch

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` fits the pattern."""
        return self._match(text) is not None

    def __repr__(self) -> str:
        return f"Wildcard({self.pattern!r})"


def _stretch(text: str) -> str:
    """The regular expression of a pattern without stars."""
    return ".".join(re.escape(literal) for literal in text.split("?"))


# --- what a source argument means -------------------------------------------------------------------------------------


class SourceKind(enum.Enum):
    """How an S3 source argument is read."""

    KEY = "key"
    """One object."""
    TREE = "tree"
    """The key itself, and everything under ``key/``."""
    WILDCARD = "wildcard"
    """Every key that the pattern matches."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """One S3 source argument.

    Attributes:
        url: the bucket, and the key or pattern.
        kind: how it is read.
        single_key: a key to look up by itself (of a tree: an object named like the tree, without the slash), or ``''``.
        list_prefix: what to list, or None where nothing is to be listed; ``''`` is the whole bucket.
    """

    url: S3Url
    kind: SourceKind
    single_key: str = field(init=False)
    list_prefix: str | None = field(init=False)
    _relative_from: int = field(init=False, repr=False)
    _wildcard: Wildcard | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        key = self.url.key
        is_prefix = key.endswith("/") or not key
        single_key, list_prefix, wildcard = key, None, None
        if self.kind is SourceKind.TREE:
            single_key = "" if is_prefix else key
            list_prefix = key if is_prefix else f"{key}/"
        elif self.kind is SourceKind.WILDCARD:
            single_key, list_prefix, wildcard = "", wildcard_prefix(key), Wildcard(key)
        under = len(list_prefix or "")
        if wildcard is not None:
            under = (list_prefix or "").rfind("/") + 1
        for name, value in (
            ("single_key", single_key),
            ("list_prefix", list_prefix),
            ("_wildcard", wildcard),
            ("_relative_from", under),
        ):
            object.__setattr__(self, name, value)

    @property
    def is_many(self) -> bool:
        """Whether it may stand for more than one object, so that the destination is a directory or prefix."""
        return self.kind is not SourceKind.KEY

    def holds(self, key: str) -> bool:
        """Whether the listed `key` belongs to it."""
        if self._wildcard is not None:
            return self._wildcard.matches(key)
        if key == self.single_key:
            return bool(key)
        return self.list_prefix is not None and key.startswith(self.list_prefix)

    def relative_name(self, key: str) -> str:
        """How `key`, which belongs to it, is called at the destination.

        What follows the last ``/`` before the wildcard, or what follows the prefix; the last component of a single key.
        ``''`` for the directory marker of the prefix itself, which has no name below the destination.
        """
        if key == self.single_key:
            return base_name(key)
        return key[self._relative_from :]


def key_source(url: S3Url, *, recursive: bool, raw: bool) -> KeySource:
    """What the source argument `url` means.

    Args:
        url: the source.
        recursive: ``--recursive``: a key stands for everything under it.
        raw: ``--raw``: ``*`` and ``?`` are ordinary characters.

    Raises:
        InvalidConfig: a whole bucket without `recursive`.
    """
    if not raw and has_wildcard(url.key):
        return KeySource(url, SourceKind.WILDCARD)
    if recursive:
        return KeySource(url, SourceKind.TREE)
    if not url.key:
        raise InvalidConfig(f"{url} is a bucket: add --recursive, or a key or wildcard")
    return KeySource(url, SourceKind.KEY)


# --- where things go --------------------------------------------------------------------------------------------------


def destination_key(destination: S3Url, name: str, *, many: bool) -> str:
    """The key that the object or file called `name` gets.

    Of many, the destination is a prefix that ends at a ``/``, added where it is missing. One object takes the
    destination's key as its own, unless that is empty or ends with ``/``: then it keeps its base name below it.

    Args:
        destination: as the user wrote it.
        name: relative name of the source (with ``--flatten``: its base name).
        many: there may be more than one source object.

    Raises:
        InvalidKey: the key would be empty, too long, or not Unicode text.
    """
    prefix = destination.key
    if many:
        key = f"{prefix}/{name}" if prefix and not prefix.endswith("/") else prefix + name
    elif not prefix or prefix.endswith("/"):
        key = prefix + base_name(name)
    else:
        key = prefix
    check_key(key)
    return key


class LocalKind(enum.Enum):
    """What stands at a local destination before the job."""

    NOTHING = "nothing"
    FILE = "file"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True)
class LocalDestination:
    """Where downloads go.

    Attributes:
        path: the directory, or the file itself.
        is_directory: names are kept below `path` (which is made if need be); else the one object becomes `path`.
    """

    path: bytes
    is_directory: bool

    @property
    def root(self) -> bytes:
        """The directory that every download must stay inside; ``b''`` where the user named the file itself."""
        return self.path if self.is_directory else b""

    def path_of(self, name: str) -> bytes:
        """The local file of the object called `name` (relative name; with ``--flatten``: its base name).

        Raises:
            UnsafePath: it would leave the directory, or has no local name.
            NameTooLong: file systems do not take it.
        """
        if not self.is_directory:
            return self.path
        local = local_name(name)
        return self.path + local if self.path.endswith(b"/") else self.path + b"/" + local


def local_destination(path: bytes, existing: LocalKind, *, many: bool) -> LocalDestination:
    """What the local destination argument `path` means.

    Many objects, an existing directory, or a ``/`` at the end: a directory. Otherwise the file itself.

    Args:
        path: as the user wrote it (``os.fsencode``).
        existing: what stands there now (symbolic links followed).
        many: there may be more than one source object.

    Raises:
        InvalidConfig: a directory is needed and something else stands there, or the path is empty.
    """
    if not path:
        raise InvalidConfig("the destination is empty")
    is_directory = many or existing is LocalKind.DIRECTORY or path.endswith(b"/")
    if is_directory and existing is LocalKind.FILE:
        shown = path.decode("utf-8", "backslashreplace")
        raise InvalidConfig(f"the destination must be a directory and is not: {shown}")
    return LocalDestination(path, is_directory)


def flat_name(name: str) -> str:
    """The name that ``--flatten`` gives: the base name, or ``''`` for directory markers, which it leaves out."""
    return "" if is_directory_marker(name) else base_name(name)
