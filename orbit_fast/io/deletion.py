"""Deleting objects and versions, a thousand in a request.

An answer to DeleteObjects is a thousand answers: each key is gone, or says why not. A key that the service did not get
to (an internal error, too many requests) is asked for again, together with its like, by the retries of the request: the
next try holds only what is left. What cannot be deleted together is deleted one by one: keys that XML cannot carry, and
everything at a service that does not know DeleteObjects.

An object that is not there has been deleted, whoever did it: it may have been the try before.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core.decode import DeletedKey
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Scope
from orbit_fast.core.limits import MAX_DELETE_KEYS
from orbit_fast.core.limits import MAX_PAGE_BYTES
from orbit_fast.core.model import Reply
from orbit_fast.core.model import Request
from orbit_fast.core.retry import PASSING_CODES
from orbit_fast.core.xml import is_encodable
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.ladder import DeleteBy
from orbit_fast.io.transfer import Surroundings

Name = tuple[str, str]
"""A key, and a version id or ``''``."""

DELETE_FIRST_BYTE_S: Final = 120.0
"""A service may work through a thousand keys before it says a word."""

_WANTS_MD5: Final = frozenset({"InvalidRequest", "MissingContentMD5"})
"""What services say to DeleteObjects with a checksum that they take no notice of, and without Content-MD5."""


def delete_batch(
    around: Surroundings,
    site: int,
    keys: Sequence[Name],
    *,
    quiet: bool = True,
    etags: Mapping[str, str] = MappingProxyType({}),
) -> Flow[tuple[DeletedKey, ...]]:
    """Delete up to 1,000 (key, version id) pairs: what became of each, in their order.

    Args:
        around: as for every flow.
        site: number of the site.
        keys: what to delete; without a version id the current object, which a versioned bucket keeps below a marker.
        quiet: the service names failures only; ids of new delete markers are not told then.
        etags: of keys that are deleted only while they have it, where the service knows such a condition.

    Raises:
        S3Error: nothing is known about any key.
    """
    assert len(keys) <= MAX_DELETE_KEYS, f"{len(keys)} keys in one batch"
    batch = _Batch(keys, bucket=around.sites[site].bucket, quiet=quiet, etags=etags)
    try:
        while batch.left:
            by = around.ladder.delete_by(site)
            if by is DeleteBy.ONE:
                break
            batch.use_md5 = by is DeleteBy.MD5
            batch.is_conditional = bool(etags) and around.ladder.deletes_if_same(site)
            try:
                yield Call(
                    request=batch.request(),
                    site=site,
                    max_body=MAX_PAGE_BYTES,
                    first_byte_s=DELETE_FIRST_BYTE_S,
                    check=batch.check,
                    again=batch.request,
                )
            except S3Error as error:
                if error is batch.passing:
                    break
                if batch.is_conditional and _refuses_condition(error, batch):
                    around.ladder.give_up_condition(site)
                    continue
                lower = _lower(error, by)
                if lower is None:
                    raise
                around.ladder.go_down_deletes(site, lower)
        yield from _one_by_one(around, batch, site)
    except S3Error as error:
        if not batch.told:
            raise
        batch.fail_rest(error)
    return batch.results()


def _refuses_condition(error: S3Error, batch: _Batch) -> bool:
    """Whether it may have been the ETags that the service does not know: then it is asked without them first."""
    is_of_header = isinstance(error, HeaderRefused)
    return error is batch.unknown or error.code == "MalformedXML" or (error.status == 501 and not is_of_header)


def _lower(error: S3Error, by: DeleteBy) -> DeleteBy | None:
    """How to delete after a service refused to do it like this, or None where that was not the reason."""
    if error.status == 405:
        return DeleteBy.ONE
    if isinstance(error, HeaderRefused) or error.status == 501:
        return DeleteBy(by + 1)
    if by is DeleteBy.CHECKSUM and error.status == 400 and error.code in _WANTS_MD5:
        return DeleteBy.MD5
    return None


class _Batch:
    """Keys, and what is known about each.

    Attributes:
        told: what became of keys; not in it are those that were not asked for or have no answer.
        left: what the next DeleteObjects asks for.
        alone: what XML cannot carry.
        passing: why the service did not get to some keys in the last try.
        unknown: how it said of a key that it does not know the condition, in the last try.
        use_md5: the next request carries Content-MD5.
        is_conditional: the next request carries `etags`.
        etags: of keys that are deleted only while they have it.
    """

    __slots__ = (
        "_bucket",
        "_keys",
        "_quiet",
        "alone",
        "etags",
        "is_conditional",
        "left",
        "passing",
        "told",
        "unknown",
        "use_md5",
    )

    def __init__(self, keys: Sequence[Name], *, bucket: str, quiet: bool, etags: Mapping[str, str]) -> None:
        self._keys = keys
        self._bucket = bucket
        self._quiet = quiet
        self.told: dict[Name, DeletedKey] = {}
        self.left = keys
        self.alone: Sequence[Name] = ()
        self.passing: S3Error | None = None
        self.unknown: S3Error | None = None
        self.use_md5 = False
        self.is_conditional = False
        self.etags = etags
        if not is_encodable("".join([key + version_id for key, version_id in keys])):
            self.left = [name for name in keys if is_encodable("".join(name))]
            self.alone = [name for name in keys if not is_encodable("".join(name))]

    def request(self) -> Request:
        """DeleteObjects of what is left."""
        etags = self.etags if self.is_conditional else {}
        return encode.delete_objects(self.left, quiet=self._quiet, use_md5=self.use_md5, etags=etags)

    def check(self, reply: Reply) -> None:
        """Read an answer, and keep what it says.

        Raises:
            S3Error: some keys are worth another try.
        """
        left: list[Name] = []
        passing: S3Error | None = None
        answers = decode.delete_objects(reply, keys=self.left, quiet=self._quiet, bucket=self._bucket)
        for one in answers:
            failure = one.failure
            if self.is_conditional and failure is not None and failure.code == "NotImplemented":
                self.unknown = failure
                raise failure
            if failure is not None and (failure.is_retryable() or failure.code in PASSING_CODES):
                left.append((one.key, one.version_id))
                passing = passing or failure
        self.told.update(zip(self.left, map(_gone_or_failed, answers), strict=True))
        self.left = left
        self.passing = passing
        if passing is not None:
            raise passing

    def tell(self, name: Name, *, marker_version_id: str = "", failure: S3Error | None = None) -> None:
        """What became of one key that was deleted alone."""
        self.told[name] = DeletedKey(
            key=name[0], version_id=name[1], marker_version_id=marker_version_id, failure=failure
        )

    def fail_rest(self, failure: S3Error) -> None:
        """Keys of which nothing is known have failed with `failure`."""
        for name in self._keys:
            if name not in self.told:
                self.tell(name, failure=failure)

    def results(self) -> tuple[DeletedKey, ...]:
        """What became of each key."""
        told = self.told
        return tuple([told[name] for name in self._keys])


def _gone_or_failed(one: DeletedKey) -> DeletedKey:
    if isinstance(one.failure, NotFound):
        return DeletedKey(key=one.key, version_id=one.version_id)
    if isinstance(one.failure, PreconditionFailed):
        return DeletedKey(key=one.key, version_id=one.version_id, failure=_changed(one.failure))
    return one


def _changed(error: S3Error) -> PreconditionFailed:
    return PreconditionFailed(
        "it has changed since it was listed, and stays", status=error.status, request_id=error.request_id
    )


def _one_by_one(around: Surroundings, batch: _Batch, site: int) -> Flow[None]:
    """Delete what cannot be deleted together.

    Raises:
        S3Error: one that every other key would meet as well.
    """
    for name in (*batch.alone, *(name for name in batch.left if batch.passing is None)):
        try:
            reply = yield from _alone(around, site, name, "" if name[1] else batch.etags.get(name[0], ""))
        except NotFound:
            batch.tell(name)
        except PreconditionFailed as error:
            batch.tell(name, failure=_changed(error))
        except S3Error as error:
            if error.scope is Scope.JOB:
                raise
            batch.tell(name, failure=error)
        else:
            done: decode.Deleted = reply.decoded
            is_new_marker = done.is_delete_marker and not name[1]
            batch.tell(name, marker_version_id=done.version_id if is_new_marker else "")


def _alone(around: Surroundings, site: int, name: Name, etag: str) -> Flow[Reply]:
    """Delete one key or version; with an ETag only while it has it, where the service knows such a condition.

    Raises:
        S3Error: it is not deleted.
    """
    if etag and around.ladder.deletes_if_same(site):
        request = encode.delete_object(name[0], if_match=etag)
        try:
            return (yield Call(request=request, site=site, check=decode.delete_object))
        except S3Error as error:
            if not isinstance(error, HeaderRefused) and error.status != 501:
                raise
            around.ladder.give_up_condition(site)
    request = encode.delete_object(name[0], version_id=name[1])
    return (yield Call(request=request, site=site, check=decode.delete_object))
