"""``orbit run``: many commands in one engine."""

from __future__ import annotations

import subprocess

import pytest

from tests.kit.command import finish

pytestmark = pytest.mark.slow


def write(tmp_path, text):
    """A file of commands, beside some things to copy."""
    (tmp_path / "src" / "deep").mkdir(parents=True)
    for number in range(20):
        (tmp_path / "src" / f"{number} x").write_bytes(b"%d" % number)
    (tmp_path / "src" / "deep" / "er").write_bytes(b"deep")
    (tmp_path / "script").write_text(text)
    return tmp_path / "script"


def stored(bucket):
    """The keys of a bucket."""
    return list(bucket.keys())


def test_lines_do_what_commands_do(orbit, tmp_path, bucket, server):
    """Copies both ways, quoting, options for one line and for all, a directory, s5cmd's spellings, head, mv."""
    for key in ("a/1", "a/2", "gone"):
        server.store.put("bkt", key, key.encode())
    script = write(
        tmp_path,
        "# a script\n\n"
        f"cp '{tmp_path}/src/1 x' s3://bkt/up/one\n"
        f'cp --content-type text/x-one "{tmp_path}/src/2 x" s3://bkt/up/two   # with a type\n'
        f"s5cmd cp -n {tmp_path}/src/ s3://bkt/all/\n"
        f"cp 's3://bkt/a/*' {tmp_path}/down/\n"
        f"mv s3://bkt/gone {tmp_path}/came\n"
        "head s3://bkt/a/1\n",
    )
    result = orbit("run", "--json", script).expect(0)
    assert bucket.find("up/two").attributes.headers["content-type"] == "text/x-one"
    assert len([key for key in stored(bucket) if key.startswith("all/")]) == 21
    assert (tmp_path / "down" / "2").read_bytes() == b"a/2"
    assert (tmp_path / "came").read_bytes() == b"gone"
    assert "gone" not in stored(bucket)
    operations = [event["operation"] for event in result.events]
    assert (operations.count("cp"), operations.count("mv"), operations.count("head")) == (25, 1, 1)
    assert (result.summary["command"], result.summary["files_copied"]) == ("run", 26)


def test_what_fails_names_its_line(orbit, tmp_path, bucket):
    """And the file, in text and in events; the others are done all the same; the exit code is 1."""
    script = write(
        tmp_path,
        f"cp {tmp_path}/none s3://bkt/x\n"
        f"cp '{tmp_path}/src/1 x' s3://bkt/good\n"
        "copy a b\n"
        "run other\n"
        "cp 'unclosed\n"
        "cp --part-size tiny a b\n"
        "head s3://bkt/none\n"
        f"cp s3://bkt/none {tmp_path}/x\n"
        f"cp '{tmp_path}/src/2 x' s3://nowhere/x\n"
        "rm --forcefully s3://bkt/none\n",
    )
    result = orbit("run", "--json", script)
    assert (result.code, result.err) == (1, b"")
    assert sorted((event["line"], event["code"]) for event in result.failures) == [
        (1, "E_NO_SOURCE"),
        (3, "E_USAGE"),
        (4, "E_USAGE"),
        (5, "E_USAGE"),
        (6, "E_USAGE"),
        (7, "NoSuchKey"),
        (8, "NoSuchKey"),
        (9, "NoSuchBucket"),
        (10, "E_USAGE"),
    ]
    assert {event["script"] for event in result.failures} == {str(script)}
    assert stored(bucket) == ["good"]
    text = orbit("run", script)
    for said in (
        f'1: cp {tmp_path}/none s3://bkt/x": E_NO_SOURCE: no such file or directory: {tmp_path}/none',
        '3: run copy a b": E_USAGE: no such command: copy',
        "5: run cp 'unclosed\": E_USAGE: a quotation is not closed: '",
        '7: head s3://bkt/none": NoSuchKey: ',
        f'8: cp s3://bkt/none {tmp_path}/x": NoSuchKey: ',
        '10: run rm --forcefully s3://bkt/none": E_USAGE: no such option: --forcefully',
    ):
        assert f'ERROR "{script}:{said}' in text.err.decode()
    from_stdin = orbit("run", fed=b"\nhead s3://bkt/none\n")
    assert from_stdin.err.startswith(b'ERROR "line 2: head s3://bkt/none": NoSuchKey')


def test_options_of_run_hold_for_every_line(orbit, tmp_path, bucket):
    """A dry run of all of them."""
    script = write(tmp_path, f"cp '{tmp_path}/src/1 x' s3://bkt/one\ncp -n '{tmp_path}/src/2 x' s3://bkt/two\n")
    result = orbit("run", "--dry-run", "--json", script).expect(0)
    assert [event["dry_run"] for event in result.done] == [True, True]
    assert stored(bucket) == []


def test_fail_fast(orbit, tmp_path, bucket):
    """Nothing new is begun after the first failure."""
    lines = "".join(f"cp '{tmp_path}/src/1 x' s3://bkt/{number}\n" for number in range(2000))
    script = write(tmp_path, f"head s3://bkt/none\n{lines}")
    result = orbit("run", "--json", "--fail-fast", "--workers", "1", "--processes", "1", script)
    assert result.code == 1
    assert len(stored(bucket)) < 2000


def test_stdin_is_read_as_it_comes(orbit, tmp_path, bucket):
    """A line is done before the next one is written."""
    write(tmp_path, "")
    with orbit.start("run", "--json", stdin=subprocess.PIPE) as process:
        process.stdin.write(f"cp '{tmp_path}/src/1 x' s3://bkt/first\n".encode())
        process.stdin.flush()
        assert b'"destination":"s3://bkt/first"' in process.stdout.readline()
        process.stdin.write(f"cp '{tmp_path}/src/2 x' s3://bkt/second".encode())
        result = finish(process)
    assert result.code == 0
    assert stored(bucket) == ["first", "second"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("run", "/nonexistent/file"), b"cannot read the commands in /nonexistent/file: No such file or directory"),
        (("run", "a", "b"), b"run takes one file of commands: orbit run FILE"),
        (("run", "/"), b"the commands cannot be read: Is a directory"),
    ],
)
def test_what_is_no_script(orbit, arguments, error):
    """Exit code 2, one line."""
    result = orbit(*arguments)
    assert (result.code, result.out) == (2, b"")
    assert error in result.err
    assert result.err.count(b"\n") == 1
