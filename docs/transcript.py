"""Writes docs/commands.md: every command of orbit, run, and what it said.

    python docs/transcript.py            write the page
    python docs/transcript.py --check    fail where the page is not what a run would write

The commands run in an empty directory against the embedded server, one after another. What differs from run to run
(times, durations, ids, the port) is replaced, so that two runs write the same page.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings

PAGE = Path(__file__).with_name("commands.md")
SESSION = Path(__file__).with_name("transcript.txt")
BUCKET = "photos"

_REPLACED = (
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://localhost:9000"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "2026-01-02T03:04:05Z"),
    (re.compile(r"\b\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d:\d\d\b"), "2026-01-02 03:04:05"),
    (re.compile(r"X-Amz-Date=\d{8}T\d{6}Z"), "X-Amz-Date=20260102T030405Z"),
    (re.compile(r"%2F\d{8}%2F"), "%2F20260102%2F"),
    (re.compile(r"X-Amz-Signature=[0-9a-f]{64}"), "X-Amz-Signature=0f1e…"),
    (re.compile(r'"duration_ms":\d+'), '"duration_ms":7'),
    (re.compile(r'"duration_secs":[\d.]+'), '"duration_secs":0.1'),
    (re.compile(r'"throughput_bps":\d+'), '"throughput_bps":1000'),
    (re.compile(r"Elapsed: \S+"), "Elapsed: 0.1s"),
    (re.compile(r"Throughput: .*"), "Throughput: 1000 B/s"),
    (re.compile(r'"process":\d+'), '"process":0'),
    (re.compile(r"time_diff: -?\d+"), "time_diff: 2"),
    (re.compile(r"in [\d.]+ ms"), "in 0.1 ms"),
    (re.compile(r"port \d+"), "port 9000"),
    (re.compile(r"this clock is .*"), "this clock is 0.0 s behind the service's"),
    (re.compile(r"in \d+\.\d+ s\b"), "in 0.1 s"),
)


def write_page() -> str:
    """The page, as a run writes it now."""
    with tempfile.TemporaryDirectory() as directory, S3Server(settings=ServerSettings(region="eu-central-1")) as server:
        server.store.create_bucket(BUCKET)
        where = Path(directory)
        _make_files(where / "work")
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": directory,
            "LC_ALL": "C.UTF-8",
            "ORBIT_PROCESSES": "1",
            "ORBIT_WORKERS": "1",
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key,
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL": server.url,
        }
        names: dict[str, str] = {}
        pieces = [_told(block, where / "work", environment, names) for block in _blocks()]
    return "\n\n".join(pieces).rstrip() + "\n"


def _make_files(work: Path) -> None:
    (work / "album" / "2025").mkdir(parents=True)
    (work / "album" / "cover.jpg").write_bytes(bytes(range(256)) * 40)
    (work / "album" / "2025" / "beach.jpg").write_bytes(b"beach" * 1000)
    (work / "album" / "2025" / "notes.txt").write_bytes(b"what we saw\n")
    (work / "people.csv").write_bytes(b"name,born\nAda,1815\nGrace,1906\n")


def _blocks() -> list[str]:
    """Paragraphs of the session: text, or lines that begin with ``$``."""
    return SESSION.read_text(encoding="utf-8").strip().split("\n\n")


def _told(block: str, work: Path, environment: dict[str, str], names: dict[str, str]) -> str:
    if not block.startswith("$ "):
        return block
    lines = []
    for line in block.split("\n"):
        command = line.removeprefix("$ ")
        for shown, real in names.items():
            command = command.replace(shown, real)
        done = subprocess.run(  # noqa: PLW1510 - a failure is part of what is shown
            ["bash", "-c", command],
            cwd=work,
            env=environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
        lines.append(line)
        lines += _cleaned((done.stdout + done.stderr).decode(), names).splitlines()
        if done.returncode:
            lines.append(f"(exit status {done.returncode})")
    return "```console\n" + "\n".join(lines) + "\n```"


def _cleaned(text: str, names: dict[str, str]) -> str:
    """What was said, without what differs from run to run; ids get names, which later commands may use."""
    for found in re.findall(r"(?<![0-9A-Za-z_.-])[0-9A-Za-z_.-]{32,}(?![0-9A-Za-z_.=-])", text):
        is_known = re.fullmatch(r"[0-9a-f]{32}(-\d+)?|[0-9a-f]{64}", found) is not None or "." in found
        if not is_known and found not in names.values():
            names[f"ID{len(names) + 1}"] = found
    for shown, real in names.items():
        text = text.replace(real, shown)
    for pattern, replacement in _REPLACED:
        text = pattern.sub(replacement, text)
    return text


def main() -> int:
    """The command line."""
    if shutil.which("bash") is None:
        sys.stderr.write("bash is needed\n")
        return 1
    page = write_page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == page:
        return 0
    sys.stderr.write(f"{shlex.quote(str(PAGE))} is not what a run writes: python docs/transcript.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
