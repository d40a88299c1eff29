"""``docs/library.md``: every python block of it runs, one after the other, against the embedded server and others."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path

import fsspec
import pytest

from orbit_fast import S3Client
from orbit_fast import S3Config
from orbit_fast.client.fsspec_filesystem import OrbitFileSystem
from tests.kit.library import on_loop
from tests.kit.servers import run_embedded
from tests.kit.servers import run_moto
from tests.kit.servers import run_rclone

PAGE = Path(__file__).resolve().parents[2] / "docs" / "library.md"
BUCKETS = ["my-bucket", "data-lake", "backups", "migration-bucket"]
OBJECTS = [
    "data/report.pdf",
    "data/large-file.bin",
    "data/2025/one",
    "data/2024-01.parquet",
    "source/file.txt",
    "logs/2023/jan.log",
    "data/2024/report1.pdf",
    "data/2024/report2.pdf",
    "data/2024/report3.pdf",
    "archive/2022/data1.bin",
    "archive/2022/data2.bin",
    "archive/2022/data3.bin",
    "data/file1.json",
    "data/file2.json",
    "images/photo1.jpg",
    "images/photo2.jpg",
]
LARGE = bytes(6 << 20)
VERSIONS = frozenset({"Object versioning"})
"""Chapters about what rclone's server does not have."""
FILES = {
    "data/to/migrate/a.txt": b"a",
    "data/to/migrate/below/b.txt": b"b",
    "local/large-dataset.tar.gz": LARGE,
    "huge-file.bin": LARGE,
    "analytics/sales_2025.parquet": b"sales",
    "backups/db_backup_2025-10-25.tar.gz": b"backup",
}


def _blocks(without: frozenset[str] = frozenset()) -> list[tuple[int, str]]:
    """Line and text of every python block, but for those below certain headings."""
    text = PAGE.read_text()
    found = re.finditer(r"^##+ ([^\n]*)$|^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    blocks, heading = [], ""
    for match in found:
        if match[1] is not None:
            heading = match[1]
        elif heading not in without:
            blocks.append((text.count("\n", 0, match.start(2)), match[2]))
    return blocks


async def _run(code, names) -> None:
    """Run a block; one with an ``await`` of its own is a coroutine."""
    result = eval(code, names)
    if inspect.iscoroutine(result):
        await result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run_server", "without"),
    [(run_embedded, frozenset()), (run_moto, frozenset()), (run_rclone, VERSIONS)],
    ids=["embedded", "moto", "rclone"],
)
def test_every_block_of_the_page_runs(tmp_path, monkeypatch, capsys, run_server, without):
    """In order, sharing their names, as a reader would type them; on rclone all but the chapter that it refuses."""
    blocks = _blocks(without)
    assert len(blocks) > 55
    for name, data in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPACES_KEY", "key")
    monkeypatch.setenv("SPACES_SECRET", "secret")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    fsspec.register_implementation("orbit", OrbitFileSystem, clobber=True)
    OrbitFileSystem.clear_instance_cache()  # fsspec gives a file system with the same options again
    server_root = tmp_path / "server"
    server_root.mkdir()

    async def main(names):
        async with S3Client(S3Config("my-bucket")) as client:
            for bucket in BUCKETS:
                await client.create_bucket(bucket)
            for key in OBJECTS:
                await client.upload_bytes(key.encode(), key)
            await client.upload_bytes(LARGE, "backups/large-backup.tar")
            for line, text in blocks:
                code = compile(
                    "\n" * line + text, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
                )
                if "asyncio.run(" in text:
                    await asyncio.to_thread(exec, code, {"__name__": "__main__"})
                else:
                    names["client"] = client
                    await _run(code, names)
            return [found.key async for found in client.iter_objects("migrated/")]

    with run_server(server_root) as endpoint:
        for name, value in endpoint.environment.items():
            monkeypatch.setenv(name, value)
        names: dict = {"asyncio": asyncio}
        assert on_loop(main(names)) == ["migrated/a.txt", "migrated/below/b.txt"]
    said = capsys.readouterr().out
    assert (tmp_path / "local/backup.tar").read_bytes() == LARGE
    if not without:
        assert (tmp_path / "local/report_v1.pdf").read_bytes() == b"first"
    for line in (
        *(() if without else ("Versioning enabled: True", "Content changed: True")),
        "Upload complete!",
        "Downloaded 10 bytes",
        "chunk_size: 1024 is not a number from 5242880 to 5368709120",
        "File exists",
        "2 of 2 deleted",
        "Deleted: 5, Failed: 0",
        "Copied: 3/3",
        "Transitioned 3 objects to Glacier",
        "Upload successful",
        "File not found: my-bucket/missing-file.txt",
        "Progress: 100.0%",
        "Batch: 3/3 complete (3 succeeded, 0 failed)",
        "Average throughput: 1.00 MB/s",
        "complete: True, 2 parts",
        "it is complete already",
        "somebody was there before",
        "2 files, 2 bytes",
        "1 deleted",
        "nothing was copied: no such object: s3://my-bucket/missing-file.txt",
        "rekursive: an engine has no such option (did you mean recursive?)",
        "b'hello'",
        "my-bucket/files/tree/below/b.txt",
    ):
        assert line in said, line
    assert "wJalrXUtnFEMI" not in said
