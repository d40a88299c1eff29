"""What is read of a service is bounded: entities, compression, lengths, pages.

Row S11's 10^9 keys have no test: listings are streamed, page by page; what one page may be is tested.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from orbit_fast.testing import S3Server
from orbit_fast.testing.store import Attributes
from tests.kit import faults_actions as act
from tests.kit.fault_run import LARGE
from tests.kit.fault_run import SMALL
from tests.kit.faults import ALWAYS
from tests.kit.faults import Rule
from tests.kit.trees import content

LIST = "ListObjectsV2"
GET = "GetObject"
COMPLETE = "CompleteMultipartUpload"
CREATE = "CreateMultipartUpload"

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BOMBS = {
    "laughs": f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>',
    "quadratic": f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l9 "{"x" * 60000}">]>',
    "file": '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l9 SYSTEM "file:///etc/hostname">]>',
    "host": '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l9 SYSTEM "http://127.0.0.1:PORT/x">]>',
    "external DTD": '<?xml version="1.0"?><!DOCTYPE x SYSTEM "http://127.0.0.1:PORT/x.dtd">',
    "parameter": '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:PORT/x"> %p;]>',
}
DOCUMENTS = {
    LIST: "<ListBucketResult><Name>&l9;</Name><Prefix>p/</Prefix><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated>"
    "</ListBucketResult>",
    CREATE: "<InitiateMultipartUploadResult><UploadId>&l9;</UploadId></InitiateMultipartUploadResult>",
    COMPLETE: "<CompleteMultipartUploadResult><ETag>&l9;</ETag></CompleteMultipartUploadResult>",
    "CopyObject": "<CopyObjectResult><ETag>&l9;</ETag></CopyObjectResult>",
}


@pytest.mark.parametrize("operation", DOCUMENTS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_s8_documents_with_entities_are_refused(lab, bomb, operation):
    """No entity is expanded, no file or host is asked for one: the document is no answer."""
    with S3Server() as stranger:
        prologue = BOMBS[bomb].replace("PORT", stranger.url.rpartition(":")[2])
        body = prologue + DOCUMENTS[operation]
        answer = act.reply(body=body, headers={"content-type": "application/xml"})
        lab.plan.add(Rule(action=answer, operation=operation, times=ALWAYS))
        run = lab.exercise(operation).honest(1, 2)
        assert sum(stranger.store.counts.values()) == 0
    assert Path("/etc/hostname").read_bytes().strip() not in run.result.out + run.result.err


@pytest.mark.parametrize("operation", ["PutObject", GET, LIST])
@pytest.mark.parametrize("bomb", BOMBS)
def test_s8_errors_with_entities_are_errors(lab, bomb, operation):
    """An error document with entities is an error, and nothing of them is in what is said."""
    with S3Server() as stranger:
        prologue = BOMBS[bomb].replace("PORT", stranger.url.rpartition(":")[2])
        body = f"{prologue}<Error><Code>AccessDenied</Code><Message>&l9;</Message></Error>"
        answer = act.reply(status=403, body=body, headers={"content-type": "application/xml"})
        lab.plan.add(Rule(action=answer, operation=operation, times=ALWAYS))
        run = lab.exercise(operation).honest(1, 2)
        assert sum(stranger.store.counts.values()) == 0
    assert len(run.result.out) < 10_000
    assert b"hahaha" not in run.result.out


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_s9_nothing_is_ever_unpacked(lab, coding, size):
    """A compressed object is stored as it is, however small what it would become is; nothing asks for compression."""
    data = (gzip.compress(b"\0" * 50_000_000) * 300)[:size]
    data = data.ljust(size, b"\1")
    lab.put("object", data, attributes=Attributes(headers={"content-encoding": coding}))
    lab.download(data).right()
    assert {request.headers.get("accept-encoding") for request in lab.plan.requests} <= {None, "identity"}


@pytest.mark.parametrize("operation", [LIST, COMPLETE])
def test_s9_a_compressed_document_is_no_answer(lab, operation):
    """A document that the service compresses unasked is not unpacked, and no success."""
    body = gzip.compress(b" " * 10_000_000).decode("latin-1")
    headers = {"content-encoding": "gzip", "content-type": "application/xml"}
    lab.plan.add(Rule(action=act.reply(body=body, headers=headers), operation=operation, times=ALWAYS))
    lab.exercise(operation).honest(1, 2)


LENGTHS = [str(2**63), str(2**64 + SMALL), "-1", "+3000", "0x10", "1e3", "3000, 3001", str(10**15), "9" * 400, ""]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("operation", [GET, LIST, "PutObject", "HeadObject"])
def test_s10_lengths_that_lie_reserve_nothing(lab, operation, length):
    """Impossible lengths: a failure soon, no memory or disk for what was announced, what was there stays."""
    frame = act.frame(pattern=r"(?i)content-length: [0-9]+", to=f"content-length: {length}")
    lab.plan.add(Rule(action=frame, operation=operation, times=ALWAYS))
    lab.arguments += ("--retry-attempts", "1")
    run = lab.exercise(operation)
    # An upload whose answer cannot be read is there all the same.
    run.honest(1, 2, 3, unproven=operation == "PutObject")


def test_s10_a_size_in_the_listing_that_lies_reserves_nothing(lab):
    """A listing that says 10^15 bytes for an object of 3,000: the disk is not filled, the object is no success."""
    lab.put("p/object", content(7, SMALL))
    lie = act.edit(pattern="<Size>[0-9]+</Size>", to="<Size>1000000000000000</Size>")
    lab.plan.add(Rule(action=lie, operation=LIST, times=ALWAYS))
    lab.download_all({"object": content(7, SMALL)}, prefix="p/").honest(0, 1, 2, 3)
    assert sum(path.stat().st_blocks * 512 for path in lab.target.rglob("*")) < 1_000_000


def _page(entries, *, truncated=False):
    return (
        "<?xml version='1.0'?><ListBucketResult><Name>faulty</Name><Prefix>p/</Prefix><MaxKeys>1000</MaxKeys>"
        f"<IsTruncated>{str(truncated).lower()}</IsTruncated>{entries}</ListBucketResult>"
    )


def _entry(key):
    return (
        f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;x&quot;</ETag>"
        "<Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


PAGES = {
    "a key of a MiB": _page(_entry("p/" + "k" * 1_048_576)),
    "20 MiB": _page("".join(_entry(f"p/{number:07}" + "k" * 1_000) for number in range(20_000))),
    "20 MiB of nothing": _page(" " * 20_971_520),
    "depth": _page("<a>" * 100_000 + "</a>" * 100_000),
    "attributes": _page("<a " + " ".join(f'a{number}="x"' for number in range(100_000)) + "/>"),
}


@pytest.mark.parametrize("page", PAGES)
def test_s11_pages_without_bound_are_no_listing(lab, page):
    """Huge pages, keys, depths and attributes: a failure within the time, in bounded memory, nothing on the disk.

    A key that is too long for S3 fails by its name, which is shown once as source, destination and reason.
    """
    answer = act.reply(body=PAGES[page], headers={"content-type": "application/xml"})
    lab.plan.add(Rule(action=answer, operation=LIST, times=ALWAYS))
    lab.arguments += ("--retry-attempts", "1")
    lab.prefix = ("sh", "-c", 'ulimit -v 3000000; exec "$@"', "sh")
    run = lab.download_all({"object": b"never"}, prefix="p/")
    run.honest(1, 2)
    assert len(run.result.out) < 4 * 1_048_576
