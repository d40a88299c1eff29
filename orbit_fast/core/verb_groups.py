"""Groups of commands by what they do. A row of the option table names the group that its option has an effect on.

A command that comes into a group takes every option of that group, so it has to honour them all: where it cannot, it
does not belong there. A command is told of here and nowhere else.
"""

from __future__ import annotations

from typing import Final

MOVES: Final = frozenset({"cp", "mv", "sync"})
"""Move objects: local to S3, S3 to local, S3 to S3."""

RESUMES: Final = MOVES | {"run"}
"""Keep a journal of what is under way; lines of ``run`` share one."""

COPIES: Final = MOVES - {"mv"}
"""Move objects and leave the source; ``mv`` always verifies and always looks again."""

NAMED: Final = MOVES - {"sync"}
"""Move what is named, and decide by options of their own what stays as it is."""

UPLOADS: Final = MOVES | {"pipe"}
"""Make objects, and so give them their properties."""

CONTENT: Final = UPLOADS | {"cat", "head", "select"}
"""Touch the content of objects, and so need the key that a customer keeps."""

S3: Final = MOVES | {
    "cat",
    "doctor",
    "du",
    "head",
    "ls",
    "mb",
    "pipe",
    "presign",
    "rb",
    "restore",
    "rm",
    "run",
    "select",
    "uploads",
    "verify",
    "versions",
}
"""Have to do with a service."""

URLS: Final = S3 - {"run"}
"""Take S3 URLs as arguments."""

LOCAL: Final = MOVES | {"run", "verify"}
"""Take names of local files as arguments."""

REQUESTS: Final = S3 - {"presign"}
"""Send requests to it."""

LISTS: Final = MOVES | {"cat", "du", "ls", "restore", "rm", "run", "select", "verify"}
"""List objects."""

TWO_SIDED: Final = MOVES | {"run", "verify"}
"""Have a source and a destination."""

ENGINE: Final = MOVES | {"demo", "run"}
"""Keep many objects in flight."""

BUFFERS: Final = ENGINE | {"cat", "pipe"}
"""Move parts through the shared memory of worker processes."""

SHOWN: Final = BUFFERS | {"rm", "verify"}
"""Can take long enough to show progress."""

CHANGES: Final = UPLOADS | {"mb", "rb", "restore", "rm", "run", "uploads", "versions"}
"""Change something, which a dry run does not."""

DESCENDS: Final = NAMED | {"ls", "restore", "rm", "versions"}
"""Take directories and prefixes with everything under them only when told to."""

SELECTS: Final = MOVES | {"du", "ls", "restore", "rm", "select", "verify", "versions"}
"""Choose among many objects by filters."""

WILDCARDS: Final = MOVES | {"cat", "du", "ls", "restore", "rm", "select", "uploads", "versions"}
"""Read ``*`` and ``?`` in keys as wildcards."""

ONE_VERSION: Final = frozenset({"cat", "cp", "head", "presign", "restore", "rm", "versions"})
"""Can be about one version of one object."""

RUNS: Final = S3 | {"demo"}
"""Do a job, and tell of it."""

EVERY: Final = RUNS | {"completions", "version"}
"""All commands."""
