"""Lines from files and pipes, without waiting."""

from __future__ import annotations

import os

import pytest

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import LocalError
from orbit_fast.proc import lines as module
from orbit_fast.proc.lines import LineReader


def all_of(reader):
    """Every line that can be taken now."""
    found = []
    while (line := reader.take()) is not None:
        found.append(line)
    return found


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"one\n\ntwo\n", ["one", "", "two"]),
        (b"one\ntwo", ["one", "two"]),
        (b"\xff\r\n", ["\udcff\r"]),
    ],
)
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_a_file(tmp_path, monkeypatch, content, lines, step):
    """Numbered from 1, the last one with or without its end, however the reads fall."""
    monkeypatch.setattr(module, "READ_BYTES", step)
    (tmp_path / "f").write_bytes(content)
    with (tmp_path / "f").open("rb") as file:
        reader = LineReader(file.fileno())
        found = []
        while not reader.is_ended:
            found += all_of(reader)
        assert found == list(enumerate(lines, 1))
        assert not reader.is_pollable


def test_a_pipe_is_not_waited_for():
    """What is there is taken; the rest when it comes."""
    read_fd, write_fd = os.pipe()
    reader = LineReader(read_fd)
    assert reader.is_pollable
    assert all_of(reader) == []
    os.write(write_fd, b"one\ntw")
    assert all_of(reader) == [(1, "one")]
    assert not reader.is_ended
    os.write(write_fd, b"o")
    os.close(write_fd)
    assert all_of(reader) == []
    assert all_of(reader) == [(2, "two")]
    assert reader.is_ended
    os.close(read_fd)


def test_what_is_no_file_of_commands(tmp_path, monkeypatch):
    """A line without end; a directory."""
    monkeypatch.setattr(module, "MAX_LINE_BYTES", 100)
    (tmp_path / "f").write_bytes(b"x" * 200)
    with (tmp_path / "f").open("rb") as file, pytest.raises(InvalidConfig):
        LineReader(file.fileno()).take()
    fd = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(LocalError):
        LineReader(fd).take()
    os.close(fd)
