"""From method, address and query to the operation's name, and from the name to what does it.

S3 has no paths for its operations: a parameter in the query says which one is meant. Parameters that S3 has and this
server has not are refused; parameters that nobody has are ignored, as S3 ignores them.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping

from orbit_fast.testing import archives
from orbit_fast.testing import buckets
from orbit_fast.testing import copying
from orbit_fast.testing import listing
from orbit_fast.testing import multipart
from orbit_fast.testing import object_attributes
from orbit_fast.testing import objects
from orbit_fast.testing import tagging
from orbit_fast.testing.call import Call
from orbit_fast.testing.exchange import HttpRequest
from orbit_fast.testing.exchange import HttpResponse
from orbit_fast.testing.exchange import Refusal

Operation = Callable[[Call], HttpResponse]

OPERATIONS: dict[str, Operation] = {
    "AbortMultipartUpload": multipart.abort_upload,
    "CompleteMultipartUpload": multipart.complete_upload,
    "CopyObject": copying.copy_object,
    "CreateBucket": buckets.create_bucket,
    "CreateMultipartUpload": multipart.create_upload,
    "CreateSession": buckets.create_session,
    "DeleteBucket": buckets.delete_bucket,
    "DeleteObject": objects.delete_object,
    "DeleteObjectTagging": tagging.delete_tagging,
    "DeleteObjects": objects.delete_objects,
    "GetBucketLocation": buckets.get_location,
    "GetBucketVersioning": buckets.get_versioning,
    "GetObject": objects.get_object,
    "GetObjectAcl": tagging.get_acl,
    "GetObjectAttributes": object_attributes.get_object_attributes,
    "GetObjectTagging": tagging.get_tagging,
    "HeadBucket": buckets.head_bucket,
    "HeadObject": objects.get_object,
    "ListBuckets": buckets.list_buckets,
    "ListMultipartUploads": multipart.list_uploads,
    "ListObjectVersions": listing.list_object_versions,
    "ListObjects": listing.list_objects,
    "ListObjectsV2": listing.list_objects_v2,
    "ListParts": multipart.list_parts,
    "PutBucketVersioning": buckets.put_versioning,
    "PutObject": objects.put_object,
    "PutObjectAcl": tagging.put_acl,
    "PutObjectTagging": tagging.put_tagging,
    "RestoreObject": archives.restore_object,
    "UploadPart": multipart.upload_part,
    "UploadPartCopy": multipart.upload_part_copy,
}

_BUCKET = {
    ("GET", "location"): "GetBucketLocation",
    ("GET", "session"): "CreateSession",
    ("GET", "uploads"): "ListMultipartUploads",
    ("GET", "versions"): "ListObjectVersions",
    ("GET", "versioning"): "GetBucketVersioning",
    ("PUT", "versioning"): "PutBucketVersioning",
    ("POST", "delete"): "DeleteObjects",
}
_OBJECT = {
    ("GET", "acl"): "GetObjectAcl",
    ("PUT", "acl"): "PutObjectAcl",
    ("GET", "attributes"): "GetObjectAttributes",
    ("GET", "tagging"): "GetObjectTagging",
    ("PUT", "tagging"): "PutObjectTagging",
    ("DELETE", "tagging"): "DeleteObjectTagging",
    ("GET", "uploadId"): "ListParts",
    ("PUT", "uploadId"): "UploadPart",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "restore"): "RestoreObject",
}
_PLAIN_BUCKET = {"GET": "ListObjects", "HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}
_PLAIN_OBJECT = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}

_SUBRESOURCES = frozenset({
    "accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering", "inventory",
    "legal-hold", "lifecycle", "location", "logging", "metrics", "notification", "object-lock", "ownershipControls",
    "partNumber", "policy", "policyStatus", "publicAccessBlock", "renameObject", "replication", "requestPayment",
    "restore", "retention", "select", "session", "tagging", "torrent", "uploadId", "uploads", "versioning", "versions",
    "website",
})  # fmt: skip
"""Query parameters that choose an operation ("partNumber" belongs to two others and is looked at with them)."""


def route(method: str, *, has_bucket: bool, has_key: bool, query: Mapping[str, str]) -> str:
    """The operation's name.

    Raises:
        Refusal: this server has no such operation.
    """
    if not has_bucket:
        if method == "GET":
            return "ListBuckets"
        raise Refusal("MethodNotAllowed", Method=method)
    chosen = sorted(_SUBRESOURCES.intersection(query) - {"partNumber"})
    if len(chosen) > 1:
        raise Refusal("InvalidArgument", "Conflicting query string parameters: " + ", ".join(chosen))
    if chosen:
        name = (_OBJECT if has_key else _BUCKET).get((method, chosen[0]))
        if name is None:
            raise Refusal("NotImplemented", Resource=chosen[0])
        if name == "UploadPart" and "partNumber" not in query:
            raise Refusal("InvalidArgument", "This operation needs a partNumber.", ArgumentName="partNumber")
        return name
    name = (_PLAIN_OBJECT if has_key else _PLAIN_BUCKET).get(method)
    if name is None:
        raise Refusal("MethodNotAllowed", Method=method)
    if name == "ListObjects" and query.get("list-type") == "2":
        return "ListObjectsV2"
    if name == "PutObject" and "partNumber" in query:
        raise Refusal("InvalidArgument", "A part needs an uploadId.", ArgumentName="uploadId")
    return name


def operation_of(request: HttpRequest) -> str:
    """As `route`, and with the copy source told apart."""
    name = route(request.method, has_bucket=bool(request.bucket), has_key=bool(request.key), query=request.query)
    if "x-amz-copy-source" in request.headers:
        return {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}.get(name, name)
    return name
