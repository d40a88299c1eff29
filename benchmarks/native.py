"""Programs: those of the benchmarks, in C, compiled when they are first needed; and those that are installed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
_FLAGS = ["-O2", "-Wall", "-pthread"]
_TLS = ["-DWITH_TLS"], ["-lssl", "-lcrypto"]


class NoCompiler(RuntimeError):
    """There is no C compiler, or it refuses."""


def build(folder: str, *, tls: bool = False) -> Path:
    """The program made of all C files in `folder`; compiled once for each state of its sources.

    Raises:
        NoCompiler: it cannot be compiled.
    """
    sources = sorted((HERE / folder).glob("*.[ch]"))
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources) + bytes([tls])).hexdigest()[:16]
    cache = Path(tempfile.gettempdir()) / f"orbit-bench-{os.getuid()}"
    cache.mkdir(mode=0o700, exist_ok=True)
    program = cache / f"{folder.replace('/', '-')}-{digest}"
    if program.exists():
        return program
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise NoCompiler("the benchmarks need a C compiler (cc): its own load target is what they measure against")
    before, after = _TLS if tls else ([], [])
    made = program.with_suffix(f".{os.getpid()}")
    inputs = [str(path) for path in sources if path.suffix == ".c"]
    command = [compiler, *_FLAGS, *before, *inputs, "-o", str(made), *after, "-lm"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise NoCompiler(f"{folder} does not compile{' (TLS needs libssl-dev)' if tls else ''}:\n{result.stderr}")
    made.rename(program)
    return program


def beside(name: str) -> str | None:
    """A program installed beside the interpreter, else one in the PATH."""
    found = Path(sys.executable).parent / name
    return str(found) if found.exists() else shutil.which(name)
