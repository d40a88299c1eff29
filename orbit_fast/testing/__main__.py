"""``python -m orbit_fast.testing``: the embedded S3 server as a program.

Prints one line of JSON with ``url`` and ``port`` when it listens, and runs until SIGTERM or SIGINT, or, with
``--until-eof``, until its standard input ends: so it dies with whoever started it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import ssl
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from orbit_fast.testing.server import ACCESS_KEY
from orbit_fast.testing.server import SECRET_KEY
from orbit_fast.testing.server import S3Server
from orbit_fast.testing.settings import MIB
from orbit_fast.testing.settings import ServerSettings


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m orbit_fast.testing", description="A strict S3 server for tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    parser.add_argument("--access-key", default=ACCESS_KEY)
    parser.add_argument("--secret-key", default=SECRET_KEY)
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--tls-cert", type=Path, help="PEM certificate chain; with --tls-key")
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--root", type=Path, help="directory for large bodies; a temporary one by default")
    parser.add_argument("--min-part-size", type=int, default=5 * MIB, help="bytes")
    parser.add_argument("--restore-s", type=float, default=0.0, help="seconds that a restore from an archive takes")
    parser.add_argument("--bucket", action="append", default=[], help="create it; may be given more than once")
    parser.add_argument("--no-log", action="store_true", help="count requests, but do not remember each")
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    options = parser.parse_args(arguments)
    if (options.tls_cert is None) != (options.tls_key is None):
        parser.error("--tls-cert and --tls-key belong together")
    return options


def _wait(*, until_eof: bool) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if until_eof:
        threading.Thread(target=_wait_for_eof, args=(stop,), daemon=True).start()
    stop.wait()


def _wait_for_eof(stop: threading.Event) -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock, held here, would abort the interpreter's shutdown
        pass
    stop.set()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until it is told to stop. Returns the exit code."""
    options = _parse(arguments)
    tls = None
    if options.tls_cert is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.tls_cert, options.tls_key)
    settings = ServerSettings(
        host=options.host,
        port=options.port,
        region=options.region,
        min_part_size=options.min_part_size,
        restore_s=options.restore_s,
    )
    server = S3Server(
        access_key=options.access_key, secret_key=options.secret_key, tls=tls, root=options.root, settings=settings
    )
    server.store.keeps_log = not options.no_log
    for name in options.bucket:
        server.store.create_bucket(name)
    with server:
        sys.stdout.write(json.dumps({"url": server.url, "port": server.port}) + "\n")
        sys.stdout.flush()
        _wait(until_eof=options.until_eof)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
