"""The server's life: start, stop, what it leaves behind, and the program."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys

import pytest
import trustme

from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from tests.kit.raw_s3 import RawS3


def test_nothing_is_left_behind(tmp_path):
    """Large bodies live below the given root while the server runs, and nowhere after."""
    with S3Server(root=tmp_path, settings=ServerSettings(spill_size=10)) as server:
        server.store.create_bucket("b")
        raw = RawS3(url=server.url, access_key=server.access_key, secret_key=server.secret_key)
        assert raw.send("PUT", "/b/k", body=b"x" * 11).status == 200
        assert len(list(tmp_path.glob("*/blob-*"))) == 1
        assert raw.send("GET", "/b/k").body == b"x" * 11
        assert raw.send("DELETE", "/b/k").status == 204
        assert list(tmp_path.glob("*/blob-*")) == []
    assert list(tmp_path.iterdir()) == []
    assert server.open_connections == 0


def test_a_taken_port_is_an_error(server):
    """A server that cannot listen says so and leaves no thread."""
    with pytest.raises(OSError, match="address already in use"):
        S3Server(settings=ServerSettings(port=server.port)).start()


def test_a_server_can_be_closed_twice_or_unstarted():
    """Closing is harmless at any time."""
    server = S3Server()
    server.close()
    server.start()
    server.close()
    server.close()
    assert server.open_connections == 0


def test_who_connects_while_it_ends_is_hung_up_on():
    """No connection stays open that was being accepted just then: whoever waits for an answer hears the end."""
    server = S3Server()
    server.start()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection((server.host, server.port), 60)) for _ in range(20)]
        server.close()
        for client in clients:
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""


@pytest.mark.slow
@pytest.mark.parametrize("end", ["SIGTERM", "SIGINT", "eof"])
def test_the_program_runs_until_told_to_stop(end, tmp_path):
    """``python -m orbit_fast.testing`` prints where it listens, serves, and exits 0 leaving no file."""
    command = [sys.executable, "-m", "orbit_fast.testing", "--bucket", "one", "--bucket", "two", "--access-key", "AK",
               "--secret-key", "SK", "--region", "eu-west-1", "--root", str(tmp_path), "--until-eof"]  # fmt: skip
    root = str(pathlib.Path(__file__).parents[2])
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root
    ) as program:
        ready = json.loads(program.stdout.readline())
        assert ready["url"] == f"http://127.0.0.1:{ready['port']}"
        raw = RawS3(url=ready["url"], access_key="AK", secret_key="SK", region="eu-west-1")
        assert raw.send("PUT", "/one/k", body=os.urandom(2 << 20)).status == 200
        assert raw.send("HEAD", "/two").headers["x-amz-bucket-region"] == "eu-west-1"
        if end == "eof":
            program.stdin.close()
        else:
            program.send_signal(getattr(signal, end))
        assert program.wait(60) == 0
        assert program.stderr.read() == b""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_program_speaks_tls(tmp_path):
    """With a certificate and its key the program speaks TLS."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    command = [sys.executable, "-m", "orbit_fast.testing", "--tls-cert", str(tmp_path / "cert.pem"), "--tls-key",
               str(tmp_path / "key.pem")]  # fmt: skip
    root = str(pathlib.Path(__file__).parents[2])
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as program:
        ready = json.loads(program.stdout.readline())
        context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
        raw = RawS3(url=ready["url"], access_key="x", secret_key="y", tls=context)
        assert raw.send("GET", "/").code == "InvalidAccessKeyId"
        program.terminate()
        assert program.wait(60) == 0


@pytest.mark.slow
def test_tls_options_belong_together():
    """A certificate without a key is a usage error."""
    root = str(pathlib.Path(__file__).parents[2])
    command = [sys.executable, "-m", "orbit_fast.testing", "--tls-cert", "x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=root)
    assert done.returncode == 2
    assert "belong together" in done.stderr
