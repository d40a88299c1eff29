"""Directory buckets (S3 Express One Zone): what differs from all other buckets, as far as values alone decide it.

They are told by their names, ``BASE--ZONE--x-s3``, an ending that S3 gives to no other bucket. Their listings come in
no order, begin nowhere but at the beginning, and know only prefixes that end in ``/``; so what is listed may be more
than what was asked for. Their ETags are random text, never an MD5.

Source: Amazon S3 User Guide, "Differences for directory buckets" and "Directory bucket naming rules".
"""

from __future__ import annotations

from typing import Final

ENDINGS: Final = ("--x-s3", "--xa-s3")
"""Of buckets, and of access points to them."""

MARK: Final = "x-orbit-directory-bucket"
"""A header that the client adds to what such a bucket answers, so that its ETag is not taken for an MD5."""

ENCRYPTION: Final = "directory"
"""Stands for the encryption of an object there, which would leave its ETag an MD5 elsewhere."""


def is_directory_bucket(name: str) -> bool:
    """Whether this is the name of a directory bucket, or of an access point to one."""
    return name.endswith(ENDINGS)


def listable_prefix(prefix: str) -> str:
    """The longest prefix that can be asked for and that everything under `prefix` has."""
    return prefix[: prefix.rfind("/") + 1]
