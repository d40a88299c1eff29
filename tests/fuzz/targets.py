"""Every target by its name: a function of bytes that fails where a promise about bytes from outside is broken.

Whoever calls one needs to know nothing else: an exception of any kind is a finding. The modules beside this one hold
them: what comes over the wire, in documents, in small texts, in files and lines, from other processes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.fuzz import between_processes
from tests.fuzz import in_documents
from tests.fuzz import in_files
from tests.fuzz import in_words
from tests.fuzz import on_the_wire

CORPUS: Final = Path(__file__).parent / "corpus"
"""A directory for each target: what it begins with, and what was found once."""

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "wire": ("head", "headers", "chunked", "reply", "stream", "messages"),
    "documents": ("listing", "versions", "xml", "answers", "modelled", "errors"),
    "words": ("ranges", "times", "etags", "urls", "wildcards", "sizes", "shown", "endpoints"),
    "files": ("config", "variables", "filters", "manifest", "sums", "script", "typed", "journal", "resume_state"),
    "processes": ("frames", "orders", "engine_lines", "aws_chunked"),
}
"""Targets that are fuzzed in one run."""

_HOMES = (on_the_wire, in_documents, in_words, in_files, between_processes)
TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    name: getattr(home, name) for (_, names), home in zip(GROUPS.items(), _HOMES, strict=True) for name in names
}


def corpus_of(name: str) -> list[Path]:
    """The files of a target's corpus, by name."""
    return sorted(path for path in (CORPUS / name).iterdir() if path.is_file())
