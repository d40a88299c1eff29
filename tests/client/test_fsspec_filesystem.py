"""The fsspec file system: fsspec's own suite against the embedded server, and what that suite does not ask."""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import pickle
import random
import tomllib
from pathlib import Path

import pytest
from fsspec.asyn import sync
from fsspec.callbacks import Callback
from fsspec.tests.abstract import AbstractCopyTests
from fsspec.tests.abstract import AbstractFixtures
from fsspec.tests.abstract import AbstractGetTests
from fsspec.tests.abstract import AbstractOpenTests
from fsspec.tests.abstract import AbstractPipeTests
from fsspec.tests.abstract import AbstractPutTests

from orbit_fast import InvalidConfig
from orbit_fast import NotFound
from orbit_fast import S3Error
from orbit_fast.client.fsspec_filesystem import OrbitFileSystem
from orbit_fast.testing import S3Server
from tests.kit.held_service import HeldService
from tests.kit.library import BUCKET
from tests.kit.library import PART
from tests.kit.library import on_loop

DATA = random.Random(6).randbytes(2 * PART + 7)


def opened(server, **options):
    """A file system of its own, that no other test gets from fsspec's cache."""
    return OrbitFileSystem(
        endpoint=server.url,
        region="us-east-1",
        key=server.access_key,
        secret=server.secret_key,
        skip_instance_cache=True,
        **options,
    )


@pytest.fixture(scope="module")
def module_fs():
    """One file system for the module, and its server."""
    with S3Server() as server:
        server.store.create_bucket(BUCKET)
        fs = opened(server)
        yield fs, server
        fs.close()


class _Fixtures(AbstractFixtures):
    @pytest.fixture
    def fs(self, module_fs):
        return module_fs[0]

    @pytest.fixture
    def fs_path(self):
        return f"{BUCKET}/suite"

    @pytest.fixture
    def fs_join(self):
        return lambda *names: "/".join(names)

    @pytest.fixture
    def supports_empty_directories(self):
        return False


class TestCopy(AbstractCopyTests, _Fixtures):
    """Copies inside the service."""


class TestGet(AbstractGetTests, _Fixtures):
    """Downloads."""


class TestPut(AbstractPutTests, _Fixtures):
    """Uploads."""


class TestOpen(AbstractOpenTests, _Fixtures):
    """Open files."""


class TestPipe(AbstractPipeTests, _Fixtures):
    """Whole contents."""


@pytest.fixture
def fs(module_fs):
    """The file system, with an empty bucket."""
    fs, server = module_fs
    server.store.buckets.clear()
    server.store.create_bucket(BUCKET)
    server.store.log.clear()
    return fs


@pytest.fixture
def log(module_fs):
    """The operations that the server was asked for."""
    _, server = module_fs
    return lambda: [entry.operation for entry in server.store.log]


def test_what_there_is(fs):
    """Files, directories that are only names, buckets; what is not there is an error."""
    for name in ("a/one", "a/b/two", "a/b/c/three", "a.txt"):
        fs.pipe(f"orbit://{BUCKET}/{name}", name.encode())

    async def mark():
        client, _ = await fs.client_of(f"{BUCKET}/x")
        await client.upload_bytes(b"", "a/marker/")

    sync(fs.loop, mark)
    assert fs.ls("", detail=False) == [BUCKET]
    assert fs.ls(f"s3://{BUCKET}", detail=False) == [f"{BUCKET}/a", f"{BUCKET}/a.txt"]
    assert [(each["name"], each["type"]) for each in fs.ls(f"{BUCKET}/a")] == [
        (f"{BUCKET}/a/b", "directory"),
        (f"{BUCKET}/a/marker", "directory"),
        (f"{BUCKET}/a/one", "file"),
    ]
    assert fs.ls(f"{BUCKET}/a.txt", detail=False) == [f"{BUCKET}/a.txt"]
    assert fs.find(f"{BUCKET}/a") == [f"{BUCKET}/a/b/c/three", f"{BUCKET}/a/b/two", f"{BUCKET}/a/one"]
    assert fs.find(f"{BUCKET}/a", withdirs=True, maxdepth=1) == [
        f"{BUCKET}/a",
        f"{BUCKET}/a/b",
        f"{BUCKET}/a/marker",
        f"{BUCKET}/a/one",
    ]
    everything = fs.find(BUCKET, withdirs=True, detail=True)
    directories = {name for name, info in everything.items() if info["type"] == "directory"}
    assert directories == {f"{BUCKET}/a", f"{BUCKET}/a/b", f"{BUCKET}/a/b/c", f"{BUCKET}/a/marker"}
    assert fs.find(BUCKET, prefix="a.") == [f"{BUCKET}/a.txt"]
    assert fs.find(f"{BUCKET}/a.txt") == [f"{BUCKET}/a.txt"]
    assert fs.glob(f"{BUCKET}/a/**/t*") == [f"{BUCKET}/a/b/c/three", f"{BUCKET}/a/b/two"]
    assert fs.du(f"{BUCKET}/a") == len("a/one" + "a/b/two" + "a/b/c/three")
    info = fs.info(f"{BUCKET}/a/one")
    assert (info["size"], info["type"], fs.isfile(f"{BUCKET}/a/one")) == (5, "file", True)
    assert info["LastModified"] == fs.modified(f"{BUCKET}/a/one") == fs.created(f"{BUCKET}/a/one")
    assert (fs.isdir(f"{BUCKET}/a"), fs.isdir(f"{BUCKET}/a/one"), fs.exists(f"{BUCKET}/b")) == (True, False, False)
    fs.rm(f"{BUCKET}/nothing")  # S3 does not tell
    for look in (fs.info, fs.ls, fs.cat, fs.open):
        with pytest.raises(FileNotFoundError):
            look(f"{BUCKET}/nothing")
    for look in (fs.info, fs.ls, fs.cat, fs.rm, fs.open):
        with pytest.raises(FileNotFoundError):
            look("nowhere/nothing")


def test_bytes_and_ranges(fs, log):
    """As slices of the content; a range takes one request."""
    path = f"{BUCKET}/f"
    fs.pipe_file(path, DATA)
    assert fs.cat_file(path) == DATA
    before = len(log())
    assert fs.cat_file(path, 5, 9) == DATA[5:9]
    assert log()[before:] == ["GetObject"]
    for start, end in (
        (-5, None),
        (None, 4),
        (10, -10),
        (len(DATA) - 1, len(DATA) + 99),
        (3, 3),
        (9, 5),
        (0, PART + 9),
    ):
        assert fs.cat_file(path, start, end) == DATA[slice(start, end)], (start, end)
    assert fs.cat_file(path, len(DATA), len(DATA) + 5) == b""
    assert fs.cat_file(path, len(DATA) + 5, len(DATA) + 9) == b""
    assert fs.cat_ranges([path] * 2, [0, 7], [2, 9]) == [DATA[:2], DATA[7:9]]
    assert fs.head(path, 3) + fs.tail(path, 3) == DATA[:3] + DATA[-3:]


def test_files(fs, tmp_path, log):
    """Read by blocks, written by parts, appended to, read as text, copied, moved."""
    path = f"{BUCKET}/f"
    with fs.open(path, "wb", block_size=1 << 20) as file:
        for at in range(0, len(DATA), 100_000):
            file.write(DATA[at : at + 100_000])
        assert not fs.exists(path)
    assert "UploadPart" in log()
    with fs.open(path, block_size=1 << 20) as file:
        file.seek(PART)
        assert file.read(100) == DATA[PART : PART + 100]
        file.seek(0)
        assert file.read() == DATA
    with fs.open(path, "ab") as file:
        file.write(b"more")
    assert fs.cat(path) == DATA + b"more"
    with fs.open(f"{BUCKET}/t", "w", encoding="utf-8") as file:
        file.write("año\n")
    with fs.open(f"{BUCKET}/t", "r", encoding="utf-8") as file:
        assert file.readlines() == ["año\n"]
    fs.mv(f"{BUCKET}/t", f"{BUCKET}/u")
    assert (fs.exists(f"{BUCKET}/t"), fs.size(f"{BUCKET}/u")) == (False, 5)
    with fs.open(f"{BUCKET}/empty", "wb"):
        pass
    assert fs.cat(f"{BUCKET}/empty") == b""
    callback = Callback()
    fs.get_file(path, str(tmp_path / "f"), callback=callback)
    assert (callback.size, callback.value) == (len(DATA) + 4,) * 2
    fs.put_file(str(tmp_path / "f"), f"{BUCKET}/g", callback=(callback := Callback()))
    assert (callback.size, callback.value) == (len(DATA) + 4,) * 2
    with (tmp_path / "h").open("wb") as file:
        fs.get_file(f"{BUCKET}/g", file)
    assert (tmp_path / "h").read_bytes() == DATA + b"more"
    with pytest.raises(FileNotFoundError):
        fs.put_file(str(tmp_path / "nowhere"), f"{BUCKET}/g")


def test_only_if_it_is_not_there(fs, tmp_path, module_fs):
    """The service decides: what somebody else made meanwhile stays."""
    path, bucket = f"{BUCKET}/f", module_fs[1].store.bucket(BUCKET)
    file = fs.open(path, "xb")
    file.write(DATA)
    fs.pipe(path, b"theirs")
    with pytest.raises(FileExistsError):
        file.close()
    assert (fs.cat(path), bucket.uploads) == (b"theirs", {})
    (tmp_path / "f").write_bytes(b"ours")
    with pytest.raises(FileExistsError):
        fs.put_file(str(tmp_path / "f"), path, mode="create")
    fs.put_file(str(tmp_path / "f"), f"{BUCKET}/g", mode="create")
    with fs.open(f"{BUCKET}/h", "xb") as file:
        file.write(DATA)
    assert (fs.cat(f"{BUCKET}/g"), fs.size(f"{BUCKET}/h")) == (b"ours", len(DATA))


def test_a_transaction_appears_at_its_end_or_not_at_all(fs, module_fs):
    """Files written inside one are objects when it ends."""
    with fs.transaction:
        with fs.open(f"{BUCKET}/a", "wb") as file:
            file.write(b"a")
        assert not fs.exists(f"{BUCKET}/a")
    assert fs.cat(f"{BUCKET}/a") == b"a"
    fs.start_transaction()
    with fs.open(f"{BUCKET}/b", "wb", block_size=PART) as file:
        file.write(DATA)
    assert module_fs[1].store.bucket(BUCKET).uploads
    fs.transaction.complete(commit=False)
    assert not fs.exists(f"{BUCKET}/b")
    assert not module_fs[1].store.bucket(BUCKET).uploads


def test_a_file_that_is_replaced_while_it_is_read_is_an_error(fs):
    """Never a mixture of two versions."""
    path = f"{BUCKET}/f"
    fs.pipe(path, DATA)
    with fs.open(path, block_size=1 << 16, cache_type="none") as file:
        assert file.read(10) == DATA[:10]
        fs.pipe(path, DATA[::-1])
        with pytest.raises(OSError, match="replaced"):
            file.read(10)


def test_buckets_and_what_goes_away(fs, log):
    """A bucket is made and removed as a directory; a thousand files go in one request."""
    fs.mkdir("another-bucket")
    with pytest.raises(FileExistsError):
        fs.makedirs("another-bucket")
    fs.makedirs("another-bucket", exist_ok=True)
    fs.makedirs("another-bucket/below")
    assert fs.ls("another-bucket") == []
    fs.rmdir("another-bucket/below")
    fs.rmdir("another-bucket")
    assert not fs.exists("another-bucket")
    fs.pipe({f"{BUCKET}/d/{number}": b"x" for number in range(20)})
    before = len(log())
    fs.rm(f"{BUCKET}/d", recursive=True)
    assert log()[before:].count("DeleteObjects") == 1
    assert not fs.exists(f"{BUCKET}/d")
    assert fs.sign(f"{BUCKET}/d", expiration=60).startswith("http")


def test_what_is_refused_is_an_error_of_files():
    """With the service's own as its cause."""
    with HeldService() as service:
        fs = opened(service.server, max_retries=0)
        for code, kind in (("AccessDenied", PermissionError), ("InvalidArgument", OSError)):
            service.hold("PutObject", refusal=code).release()
            with pytest.raises(kind) as caught:
                fs.pipe(f"{BUCKET}/f", b"x")
            assert isinstance(caught.value.__cause__, S3Error)
        service.hold("HeadObject", refusal="AccessDenied").release()
        with pytest.raises(PermissionError):
            fs.exists(f"{BUCKET}/f")
        fs.close()


def test_options(monkeypatch):
    """A client's, under its names or s3fs's; others are refused."""
    fs = OrbitFileSystem(anon=True, endpoint_url="http://127.0.0.1:9", skip_instance_cache=True)
    assert fs._told == {"no_sign_request": True, "endpoint": "http://127.0.0.1:9"}
    with pytest.raises(InvalidConfig, match="did you mean region"):
        OrbitFileSystem(regoin="x")
    with pytest.raises(InvalidConfig, match="chunk_size"):
        OrbitFileSystem(chunk_size=1)
    again = pickle.loads(pickle.dumps(fs))
    assert (type(again), again._told) == (OrbitFileSystem, fs._told)


def test_it_is_found_by_its_protocol():
    """By the entry point that the package declares."""
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    (name, place), *others = declared["project"]["entry-points"]["fsspec.specs"].items()
    module, _, kind = place.partition(":")
    assert (name, others) == ("orbit", [])
    assert getattr(importlib.import_module(module), kind) is OrbitFileSystem
    (found,) = importlib.metadata.entry_points(group="fsspec.specs", name="orbit")
    assert found.load() is OrbitFileSystem


def test_on_a_loop_of_one_s_own(module_fs):
    """The same methods, awaited."""
    fs, server = module_fs

    async def main():
        mine = opened(server, asynchronous=True)
        await mine._pipe_file(f"{BUCKET}/async", b"data")
        assert await mine._cat_file(f"{BUCKET}/async") == b"data"
        data = await asyncio.gather(*(mine._cat_file(f"{BUCKET}/async", at, at + 1) for at in range(4)))
        assert data == [b"d", b"a", b"t", b"a"]
        with pytest.raises(FileNotFoundError) as caught:
            await mine._cat_file(f"{BUCKET}/missing")
        assert isinstance(caught.value.__cause__, NotFound)
        await mine.aclose()

    on_loop(main())
    assert fs.cat(f"{BUCKET}/async") == b"data"


def test_pyarrow_reads_through_it(fs):
    """A Parquet file there and back, where pyarrow is installed."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"a": list(range(1000))})
    parquet.write_table(table, f"{BUCKET}/t.parquet", filesystem=fs)
    assert parquet.read_table(f"{BUCKET}/t.parquet", filesystem=fs) == table
