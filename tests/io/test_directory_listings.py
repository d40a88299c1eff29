"""``ls``, ``du``, ``rm`` and others in a directory bucket: as in any other, though it lists in no order."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import IncompleteListing
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.messages import ListPage
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Reply
from orbit_fast.core.model import Site
from orbit_fast.core.tasks import MakeBucket
from orbit_fast.core.tasks import RemoveBucket
from orbit_fast.io.listing import list_page
from orbit_fast.io.tasks.buckets import make_bucket
from orbit_fast.io.tasks.buckets import remove_bucket
from orbit_fast.testing import S3Server
from orbit_fast.testing.settings import ServerSettings
from orbit_fast.testing.store import Attributes
from orbit_fast.testing.store import Upload
from orbit_fast.testing.store import ordered_id
from orbit_fast.testing.xmlout import document
from tests.kit.task_run import do

BUCKET = "base--use1-az4--x-s3"
KEYS = ("a/1.gz", "a/2.txt", "a/deep/3.gz", "logs", "logs/today", "logs/old/x", "logs2", "top.txt")


class Liar:
    """Answers listings with other pages, where it is given any: the last one for ever."""

    def __init__(self):
        self.pages = []

    async def __call__(self, request):
        """What the server calls for each request."""
        if not self.pages or request.operation != "ListObjectsV2":
            return None
        return self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]


@pytest.fixture
def liar():
    """Tells the truth until it is given pages."""
    return Liar()


@pytest.fixture
def server(liar):
    """A server with a directory bucket of a few keys, listed three at a time."""
    with S3Server(intercept=liar, settings=ServerSettings(max_page_keys=3)) as server:
        server.store.create_bucket(BUCKET)
        for key in KEYS:
            server.store.put(BUCKET, key, key.encode())
        yield server


@pytest.fixture
def run(server, tmp_path):
    """A command."""
    return lambda verb, *arguments, **options: do(server, tmp_path, verb, *arguments, **options)


def _names(came):
    return [line[20:].split(maxsplit=1)[1] for line in came.lines]


@pytest.mark.parametrize(
    ("key", "options", "shown"),
    [
        ("", {}, ["a/", "logs/", "logs", "logs2", "top.txt"]),
        ("lo", {}, ["logs/", "logs", "logs2"]),
        ("a/d", {}, ["deep/"]),
        ("a/", {}, ["deep/", "1.gz", "2.txt"]),
        ("", {"recursive": True}, sorted(KEYS)),
        ("logs", {"recursive": True}, ["logs", "old/x", "today"]),
        ("a/*.gz", {}, ["1.gz", "deep/3.gz"]),
        ("log*", {}, ["logs", "logs/old/x", "logs/today", "logs2"]),
    ],
)
def test_ls_shows_what_it_shows_anywhere(server, run, key, options, shown):
    """In the order of keys; the service is asked for directories only, and never to begin elsewhere."""
    assert _names(run("ls", f"s3://{BUCKET}/{key}", **options)) == shown
    asked = [one.query for one in server.store.log if one.operation == "ListObjectsV2"]
    assert all(query.get("prefix", "/").endswith("/") for query in asked)
    assert not any("start-after" in query for query in asked)


def test_du_and_rm_take_pages_as_they_come(server, run):
    """Each object once; a plan of what would be deleted is sorted."""
    assert run("du", f"s3://{BUCKET}/").lines == [f"{sum(map(len, KEYS))} bytes in 8 objects: s3://{BUCKET}/"]
    planned = run("rm", f"s3://{BUCKET}/a", recursive=True, dry_run=True).lines
    assert planned == [f"(dry run) rm s3://{BUCKET}/{key}" for key in KEYS[:3]]
    gone = run("rm", f"s3://{BUCKET}/logs", recursive=True).lines
    assert sorted(gone) == [f"rm s3://{BUCKET}/{key}" for key in ("logs", "logs/old/x", "logs/today")]
    assert server.store.keys(BUCKET) == ["a/1.gz", "a/2.txt", "a/deep/3.gz", "logs2", "top.txt"]
    assert isinstance(run("rm", f"s3://{BUCKET}/logs", recursive=True).error, SourceMissing)


def test_unfinished_uploads_are_found_by_directories(server, run):
    """Of the prefix that was named, and of no other."""
    for key in ("logs/big", "logs2/big", "other/logs/big"):
        facts = {"attributes": Attributes(), "algorithm": "CRC32C", "kind": "FULL_OBJECT", "is_declared": True}
        upload = Upload(upload_id=ordered_id(len(key)), key=key, started_s=1_800_000_000, **facts)
        server.store.buckets[BUCKET].uploads[upload.upload_id] = upload
    (line,) = run("uploads", f"s3://{BUCKET}/logs").lines
    assert f"s3://{BUCKET}/logs/big" in line
    assert run("uploads", f"s3://{BUCKET}/other/logs/b*").lines[0].count("other/logs/big") == 1
    asked = [one.query.get("prefix", "") for one in server.store.log if one.operation == "ListMultipartUploads"]
    assert asked == ["", "other/logs/"]


def test_a_page_says_that_it_is_not_sorted():
    """What was asked for is a directory's page, by ListObjectsV2; what is not under the prefix is left out."""
    endpoint = Endpoint("http", "h", 80, "h")
    around = SimpleNamespace(sites={0: Site(0, BUCKET, endpoint, use_list_v1=True)})
    flow = list_page(around, ListPage(3, 0, "y/b", "token", last_key="y/z"))
    call = next(flow)
    assert dict(call.request.query) == {
        "list-type": "2",
        "encoding-type": "url",
        "max-keys": "1000",
        "prefix": "y/",
        "continuation-token": "token",
    }
    reply = Reply(status=200, headers={}, body=_page(["y/bb", "y/c", "y/b"], "more").body.read())
    reply.decoded = call.check(reply)
    with pytest.raises(StopIteration) as ended:
        flow.send(reply)
    page = ended.value.value
    assert [entry.key for entry in page.entries] == ["y/bb", "y/b"]
    assert (page.number, page.next_token, page.is_sorted) == (3, "more", False)


def test_no_url_is_presigned(run):
    """It would be good for less time than anybody asks for."""
    came = run("presign", f"s3://{BUCKET}/top.txt")
    assert isinstance(came.error, InvalidConfig)
    assert "five minutes" in str(came.error)
    assert not came.lines


def _page(keys, token=""):
    entries = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
        "<Size>1</Size></Contents>"
        for key in keys
    )
    is_truncated = "true" if token else "false"
    following = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    return document("ListBucketResult", f"<Name>b</Name><IsTruncated>{is_truncated}</IsTruncated>{following}{entries}")


@pytest.mark.parametrize(
    ("pages", "error", "said"),
    [
        ([_page(["b", "b"])], BadReply, "E_BAD_LISTING"),
        ([_page(["b"], "1"), _page(["a", "b"])], IncompleteListing, "E_BAD_LISTING"),
        ([_page(["b"], "1"), _page(["a"], "1")], BadReply, "E_LIST_LOOP"),
        ([_page(["b"], "1"), _page(["a"], "2"), _page(["c"], "1")], BadReply, "E_LIST_LOOP"),
        ([_page(["x/b"])], BadReply, "E_BAD_LISTING"),
    ],
)
@pytest.mark.parametrize("options", [{"recursive": True}, {}])
def test_an_unsorted_listing_that_lies_is_none(run, liar, pages, error, said, options):
    """A key twice, pages in a circle, a key of another directory: nothing of it is shown."""
    prefix = "y/" if b"x/b" in pages[0].body.read() else ""
    liar.pages = list(pages)
    came = run("ls", f"s3://{BUCKET}/{prefix}", **options)
    assert isinstance(came.error, error)
    assert came.error.code == said
    assert not came.lines


def test_aws_makes_and_removes_them_at_another_address():
    """So the command says who does, before anything is asked."""
    host = f"{BUCKET}.s3express-use1-az4.us-east-1.amazonaws.com"
    site = Site(0, BUCKET, Endpoint("https", host, 443, host, signing_name="s3express", has_sessions=True))

    class Given:
        class around:  # noqa: N801 - an attribute
            sites = (site,)

    for flow in (make_bucket(Given, MakeBucket(0)), remove_bucket(Given, RemoveBucket(0))):
        with pytest.raises(InvalidConfig, match=r"aws s3api create-bucket or delete-bucket$"):
            next(flow)
