"""Versions, deletes and the model's operations against real servers: the embedded one, moto's, and rclone's."""

from __future__ import annotations

import asyncio
import itertools
import random
from urllib.parse import urlsplit

import pytest

from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import S3Error
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Site
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import NetworkSettings
from orbit_fast.io.client import Client
from orbit_fast.io.client import Hooks
from orbit_fast.io.clock import Clock
from orbit_fast.io.deletion import delete_batch
from orbit_fast.io.endpoints import resolve_site
from orbit_fast.io.exchange import Counters
from orbit_fast.io.service import service_call
from orbit_fast.io.versions import list_versions_page
from tests.kit.flow_driver import staged
from tests.kit.servers import ACCESS_KEY
from tests.kit.servers import REGION
from tests.kit.servers import RUNNERS
from tests.kit.servers import SECRET_KEY
from tests.kit.wire import drive

pytestmark = pytest.mark.slow
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module", params=["embedded", "moto"])
def server(request, tmp_path_factory):
    """A server that knows versions."""
    with RUNNERS[request.param](tmp_path_factory.mktemp(request.param)) as endpoint:
        yield endpoint


class Bench:
    """Runs flows against a server, by the product's client; site 0 is a bucket, site 1 the service itself."""

    def __init__(self, endpoint, bucket, stage):
        settings = ClientSettings(endpoint_url=endpoint.url, region=REGION)
        self.sites = {
            number: resolve_site(number, name, settings, {"HOME": "/nowhere"})
            for number, name in enumerate((bucket, ""))
        }
        self.stage = stage
        self.url = urlsplit(endpoint.url)
        stage.around.sites.update(self.sites)
        self.around = stage.around

    def run(self, flow):
        """What the flow returns, or raises."""

        async def main():
            client = Client(
                asyncio.get_running_loop(),
                Clock(),
                settings=NetworkSettings(retry_attempts=2),
                rng=random.Random(1),
                hooks=Hooks(),
                counters=Counters(),
            )
            client.set_identity(0, Credentials(ACCESS_KEY, SECRET_KEY))
            for site in self.sites.values():
                client.set_site(site)
            try:
                return await client.perform(flow)
            finally:
                client.close()
                await client.wait_closed()

        return drive(main())

    def call(self, operation, site=0, **params):
        """An operation by the model."""
        return self.run(service_call(self.around, site, operation, params))

    def versions(self, **asked):
        """Every version and marker, page by page."""
        found, marker = [], ("", "")
        while True:
            page = self.run(list_versions_page(0, prefix="", marker=marker, **asked))
            found += page.versions
            if not page.is_truncated:
                return found
            marker = page.next_marker


@pytest.fixture
def bench(server, tmp_path):
    """A bench and its fresh bucket, which is emptied and removed by the flows under test."""
    bucket = f"versions-{next(_NUMBERS)}"
    drive(asyncio.sleep(0))  # the first loop of a process opens a pipe for good
    with staged(tmp_path) as stage:
        yield Bench(server, bucket, stage)


KEYS = ["a", "a b+%", "dir/é🛰", "x<&>\"'y", "zz"]


def test_the_life_of_a_versioned_bucket(bench, server):
    """Made, versioned, filled, hidden, listed, emptied and removed; a boto3 client sees what the flows say."""
    judge = server.client()
    bucket = bench.sites[0].bucket
    bench.call("CreateBucket")
    assert bucket in [one["Name"] for one in bench.call("ListBuckets", site=1)["Buckets"]]
    assert bench.call("GetBucketLocation") == {"LocationConstraint": None}
    assert bench.call("GetBucketVersioning").get("Status") is None
    bench.call("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})
    assert bench.call("GetBucketVersioning")["Status"] == "Enabled"
    made = {(key, judge.put_object(Bucket=bucket, Key=key, Body=b"1")["VersionId"]) for key in KEYS for _ in "12"}
    told = bench.run(delete_batch(bench.around, 0, [(key, "") for key in KEYS], quiet=False))
    assert [one.failure for one in told] == [None] * len(KEYS)
    markers = {(one.key, one.marker_version_id) for one in told}
    assert "" not in {version_id for _, version_id in markers}
    listed = bench.versions()
    assert {(one.key, one.version_id) for one in listed if not one.is_delete_marker} == made
    assert {(one.key, one.version_id) for one in listed if one.is_delete_marker} == markers
    assert [one.key for one in listed] == sorted(key for key in KEYS for _ in "123")
    assert {one.key for one in listed if one.is_latest} == set(KEYS)
    assert [one.size for one in listed if not one.is_delete_marker] == [1] * 10
    told = bench.run(delete_batch(bench.around, 0, [(one.key, one.version_id) for one in listed]))
    assert [one.failure for one in told] == [None] * 15
    assert bench.versions() == []
    bench.call("DeleteBucket")
    with pytest.raises(BucketNotFound):
        bench.call("GetBucketVersioning")
    judge.close()


def test_pages_of_any_size_are_the_whole(bench, server):
    """Versions in pages of two are the same as in one page."""
    judge = server.client()
    bucket = bench.sites[0].bucket
    bench.call("CreateBucket")
    bench.call("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})
    for key in KEYS:
        for _ in "123":
            judge.put_object(Bucket=bucket, Key=key, Body=b"1")
        judge.delete_object(Bucket=bucket, Key=key)
    whole, in_pages = bench.versions(), bench.versions(max_keys=2)
    assert set(in_pages) == set(whole)
    assert len(in_pages) == len(whole) == 20
    if server.kind == "embedded":  # moto forgets the order of what was stored within a second
        assert in_pages == whole
    judge.close()


def test_tags_acls_and_uploads_by_the_model(bench, server):
    """Object operations go to the object, with what they carry."""
    judge = server.client()
    bucket = bench.sites[0].bucket
    bench.call("CreateBucket")
    key = "dir/a b+é"
    judge.put_object(Bucket=bucket, Key=key, Body=b"1")
    tags = {"TagSet": [{"Key": "a", "Value": "+-=._:/@ é"}]}
    bench.call("PutObjectTagging", Key=key, Tagging=tags)
    assert judge.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == tags["TagSet"]
    assert bench.call("GetObjectTagging", Key=key)["TagSet"] == tags["TagSet"]
    bench.call("PutObjectAcl", Key=key, ACL="public-read")
    assert "READ" in [one["Permission"] for one in bench.call("GetObjectAcl", Key=key)["Grants"]]
    upload = bench.call("CreateMultipartUpload", Key=key)["UploadId"]
    found = bench.call("ListMultipartUploads", Prefix="dir/")["Uploads"]
    assert [(one["Key"], one["UploadId"]) for one in found] == [(key, upload)]
    bench.call("AbortMultipartUpload", Key=key, UploadId=upload)
    assert "Uploads" not in bench.call("ListMultipartUploads")
    asked = {"ObjectAttributes": ["ObjectSize"]}
    assert bench.call("GetObjectAttributes", Key=key, **asked)["ObjectSize"] == 1
    with pytest.raises(S3Error, match="no such object"):
        bench.call("GetObjectTagging", Key="none")
    judge.close()


def test_rclone_deletes_what_it_is_told_to(tmp_path):
    """A service without versions and with a mind of its own: DeleteObjects, or whatever it knows instead."""
    (tmp_path / "served" / "bucket").mkdir(parents=True)
    for name in ("a", "b c", "é"):
        (tmp_path / "served" / "bucket" / name).write_bytes(b"x")
    drive(asyncio.sleep(0))  # as above
    with RUNNERS["rclone"](tmp_path / "served") as endpoint, staged(tmp_path) as stage:
        bench = Bench(endpoint, "bucket", stage)
        assert [one["Name"] for one in bench.call("ListBuckets", site=1)["Buckets"]] == ["bucket"]
        told = bench.run(delete_batch(bench.around, 0, [("a", ""), ("é", ""), ("none", "")]))
        assert [one.failure for one in told] == [None] * 3
        assert [path.name for path in (tmp_path / "served" / "bucket").iterdir()] == ["b c"]


def test_the_service_itself_has_no_bucket(bench):
    """Its site has neither a path nor a host of a bucket."""
    site = bench.sites[1]
    assert isinstance(site, Site)
    assert (site.endpoint.path_prefix, site.endpoint.host) == ("", bench.url.hostname)
