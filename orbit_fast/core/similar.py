"""What somebody may have meant who wrote a word that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_CLOSE = 0.7


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``" (did you mean --region?)"``: the known words that are nearest, two at most; ``''`` where none is near."""
    close = difflib.get_close_matches(word, known, n=2, cutoff=_CLOSE)
    return f" (did you mean {' or '.join(close)}?)" if close else ""
