"""Object tags, and ACLs: canned ones are remembered, none is enforced."""

from __future__ import annotations

from dataclasses import replace

from orbit_fast.testing import xmlin
from orbit_fast.testing.attributes import ACLS
from orbit_fast.testing.attributes import check_tags
from orbit_fast.testing.attributes import version_header
from orbit_fast.testing.buckets import OWNER
from orbit_fast.testing.call import Call
from orbit_fast.testing.call import check_proof
from orbit_fast.testing.exchange import HttpResponse
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.store import Version
from orbit_fast.testing.xmlout import document
from orbit_fast.testing.xmlout import element


def _find(call: Call) -> Version:
    return call.bucket.find(call.key, call.version_id)


def _set_tags(call: Call, tags: dict[str, str], status: int) -> HttpResponse:
    version = _find(call)
    version.attributes.tags.clear()
    version.attributes.tags.update(tags)
    return HttpResponse(status=status, headers=version_header(version, call.bucket.versioning))


def get_tagging(call: Call) -> HttpResponse:
    """GetObjectTagging."""
    tags = _find(call).attributes.tags
    inner = "".join(f"<Tag>{element('Key', name)}{element('Value', value)}</Tag>" for name, value in tags.items())
    return document("Tagging", f"<TagSet>{inner}</TagSet>")


def put_tagging(call: Call) -> HttpResponse:
    """PutObjectTagging."""
    check_proof(call)
    root = xmlin.parse(call.request.content, "Tagging")
    sets = list(root.children("TagSet"))
    if len(sets) != 1:
        raise Refusal("MalformedXML")
    return _set_tags(call, check_tags([(tag.need("Key"), tag.need("Value")) for tag in sets[0].children("Tag")]), 200)


def delete_tagging(call: Call) -> HttpResponse:
    """DeleteObjectTagging."""
    return _set_tags(call, {}, 204)


def get_acl(call: Call) -> HttpResponse:
    """GetObjectAcl: the owner may do everything, and the canned public ones show their grant."""
    acl = _find(call).attributes.acl
    grants = [_grant("CanonicalUser", OWNER.removeprefix("<Owner>").removesuffix("</Owner>"), "FULL_CONTROL")]
    everyone = element("URI", "http://acs.amazonaws.com/groups/global/AllUsers")
    grants += [_grant("Group", everyone, right) for right in ("READ", "WRITE") if f"public-{right.lower()}" in acl]
    return document("AccessControlPolicy", f"{OWNER}<AccessControlList>{''.join(grants)}</AccessControlList>")


def _grant(kind: str, who: str, right: str) -> str:
    schema = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    return f'<Grant><Grantee {schema} xsi:type="{kind}">{who}</Grantee>{element("Permission", right)}</Grant>'


def put_acl(call: Call) -> HttpResponse:
    """PutObjectAcl: a canned one, grants in headers, or a document; never two of them."""
    version = _find(call)
    canned = call.headers.get("x-amz-acl", "")
    if canned and canned not in ACLS:
        raise Refusal("InvalidArgument", ArgumentName="x-amz-acl", ArgumentValue=canned)
    has_grants = any(name.startswith("x-amz-grant-") for name in call.headers)
    has_document = call.request.content.size > 0
    if has_document:
        check_proof(call)
        xmlin.parse(call.request.content, "AccessControlPolicy")
    if [bool(canned), has_grants, has_document].count(True) != 1:
        raise Refusal("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed")
    version.attributes = replace(version.attributes, acl=canned)
    return HttpResponse()
