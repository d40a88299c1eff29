"""What keeps the house readable: sizes and names. What has one home (clock, environment, loop) ruff watches over."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "orbit_fast"
MODULES = sorted(PACKAGE.rglob("*.py"))
IDS = [str(path.relative_to(ROOT)) for path in MODULES]

MAX_FILE_LINES = 500
MAX_CLASS_LINES = 300
MAX_FUNCTION_LINES = 60
REFUSED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_a_module_is_read_in_one_sitting(path: Path) -> None:
    """Files, classes and functions stay below their sizes."""
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        limit = MAX_CLASS_LINES if isinstance(node, ast.ClassDef) else MAX_FUNCTION_LINES
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < limit, node.name


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_a_module_says_what_it_is(path: Path) -> None:
    """Every module has a docstring, and a name that is a noun of the domain."""
    assert ast.get_docstring(ast.parse(path.read_text()))
    assert path.stem not in REFUSED_NAMES


def test_the_map_names_every_room() -> None:
    """The package's docstring, which is the map of the house, names every room."""
    text = (PACKAGE / "__init__.py").read_text()
    for room in PACKAGE.iterdir():
        if (room / "__init__.py").exists():
            assert f"{room.name}" in text, room.name
