"""A process that has the program loaded and runs jobs in forked children, in a few hundredths of a second each.

It is told jobs on stdin and answers on stdout, a line of JSON each: first the process id of the job's supervisor, then,
when that has ended, its exit status (minus the number of the signal that killed it). Parts are as small as a job says.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import sys
import traceback
from typing import Any

from msgspec.structs import replace

from orbit_fast.core.console import SilentConsole
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.settings import MIB
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import NetworkSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.settings import ScriptSettings
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.core.settings import SyncSettings
from orbit_fast.core.settings import TransferSettings
from orbit_fast.core.work import Copy
from orbit_fast.core.work import Line
from orbit_fast.proc.job import run_copy
from orbit_fast.proc.script import run_script
from orbit_fast.proc.syncjob import run_sync
from tests.kit.disk_record import install

LOADED = ("orbit_fast.proc.worker", "awscrt.checksums", "uvloop", "crc32c", "array", "locale", "email.message")
"""What a job or its workers would load each time anew, four fifths of all their work."""


def settings_of(job: dict[str, Any]) -> JobSettings:
    """The settings of a job: parts in the range of kilobytes, and little of everything."""
    transfer = TransferSettings(
        part_size=job["part_size"],
        multipart_copy_threshold=job["part_size"],
        workers=4,
        concurrency=2,
        processes=job.get("processes", 2),
        max_memory=32 * MIB,
        durable=job.get("durable", False),
    )
    return JobSettings(
        transfer=transfer,
        network=NetworkSettings(retry_attempts=4, timeout_s=10.0),
        selection=SelectionSettings(recursive=True),
        output=OutputSettings(json=True, verbose=2),
        sync=SyncSettings(delete=True) if job["operation"] == "sync" else SyncSettings(),
        operation=job["operation"],
    )


def run(job: dict[str, Any]) -> int:
    """The life of a job's supervisor."""
    os.chdir(job["directory"])
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(3, 64)
    if job.get("record"):
        install(job["record"])
    settings, console = settings_of(job), SilentConsole()
    if job["operation"] == "run":
        return _run_lines(settings, job["script"], job["environment"])
    if job["operation"] == "sync":
        return int(run_sync(job["sources"][0], job["destination"], settings, job["environment"], console, "orbit sync"))
    return int(run_copy(job["sources"], job["destination"], settings, job["environment"], console))


def _run_lines(settings: JobSettings, name: str, environment: dict[str, str]) -> int:
    """The lines of a script: a source and a destination each."""
    settings = replace(settings, script=ScriptSettings(file=name))
    copying = replace(settings, operation="cp", selection=SelectionSettings())

    def understand(number: int, text: str) -> Line:
        source, destination = text.split()
        return Line(number=number, settings=copying, plan=Copy(sources=(source,), destination=destination))

    fd = os.open(name, os.O_RDONLY)
    return run_script(fd, understand, settings, environment, SilentConsole())


def answer(said: dict[str, int]) -> None:
    """A line on stdout."""
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run jobs until stdin ends."""
    for module in LOADED:
        importlib.import_module(module)
    gc.freeze()
    plan_parts.__kwdefaults__["min_part"] = 1  # the limit is S3's; the server of these tests has another one
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if not pid:
            status = 70
            try:
                status = run(job)
            except BaseException:  # noqa: BLE001 - the process's top line
                traceback.print_exc()
            finally:
                with contextlib.suppress(OSError):
                    sys.stderr.flush()
                os._exit(status)
        answer({"pid": pid})
        answer({"status": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])})


if __name__ == "__main__":
    main()
