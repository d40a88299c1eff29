"""The configuration file, by the installed command."""

from __future__ import annotations

import pytest

from tests.kit.trees import make_tree

pytestmark = pytest.mark.slow


def test_config_file(orbit, server, tmp_path):
    """`~/.config/orbit/orbit.toml`: endpoint, a command's table, what wins over it; never `./orbit.toml`."""
    home = make_tree(
        tmp_path / "home",
        {
            ".config/orbit/orbit.toml": f"""
                endpoint-url = "{server.url}"
                exclude = "*.bin"
                [cp]
                recursive = true
                json = true
                [version]
                json = false
                """.encode(),
            "here/orbit.toml": b"nonsense",
            "here/src/a.txt": b"1",
            "here/src/b.bin": b"22",
            "bad.toml": b"[cp]\nrecursve = true\n",
        },
    )
    orbit = orbit.with_environment(HOME=str(home), AWS_ENDPOINT_URL_S3=None).with_directory(home / "here")
    assert orbit("cp", "src", "s3://bkt/file").expect(0).counts == (1, 0, 0)
    assert orbit("cp", "src", "s3://bkt/flag", "--exclude", "*.txt").expect(0).counts == (1, 0, 0)
    variable = orbit.with_environment(ORBIT_EXCLUDE="nothing", ORBIT_JSON="0")
    assert variable("cp", "src", "s3://bkt/variable").expect(0).lines[0].startswith("cp src/")
    assert set(server.store.keys("bkt")) == {"file/a.txt", "flag/b.bin", "variable/a.txt", "variable/b.bin"}
    wrong = orbit("cp", "--config", home / "bad.toml", "src", "s3://bkt/never")
    message = f"{home}/bad.toml: [cp] recursve: no such option (did you mean recursive?)"
    wrong.expect(2, err=f'ERROR "cp": E_USAGE: {message}\n'.encode())
    assert len(server.store.keys("bkt")) == 4
