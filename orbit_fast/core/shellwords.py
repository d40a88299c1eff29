"""A command line as bash has it: its words without their quotes, and what bash is going to replace of the last one.

Bash completes not words but what stands behind the last of its break characters (``:`` and ``=`` among them) or behind
an open quote. So of ``s3://buc`` it replaces ``//buc``, and an answer has to leave out the ``s3:``.
"""

from __future__ import annotations

from dataclasses import dataclass

_BLANKS = " \t\n"
_PLAIN = "_@%+=:,./-"
_REPLACED = "@$"
"""Break characters that bash replaces, too: what they begin is a name of its own kind (a host, a variable)."""

_SPECIAL_IN_DOUBLE = '\\"$`'


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A command line up to the cursor.

    Attributes:
        words: without quotes and backslashes; the last is the one that the cursor is in, maybe ``''``.
        kept: characters of the last word (as in `words`) that bash leaves as they are.
        quote: the quote that is open at the cursor, or ``''``.
    """

    words: tuple[str, ...]
    kept: int
    quote: str

    def replacement(self, word: str) -> str:
        """What bash has to put in, so that the last word becomes `word`; it begins with what is kept."""
        return quoted(word[self.kept :], self.quote)


def quoted(text: str, quote: str = "") -> str:
    """The text as bash reads it behind an open quote, or bare."""
    if quote == "'":
        return text.replace("'", "'\\''")
    if quote == '"':
        return "".join(f"\\{each}" if each in _SPECIAL_IN_DOUBLE else each for each in text)
    return "".join(each if each.isalnum() or each in _PLAIN else f"\\{each}" for each in text)


def read_line(line: str, breaks: str) -> Typed:
    """Take a command line apart.

    Args:
        line: up to the cursor.
        breaks: bash's ``COMP_WORDBREAKS``.
    """
    words: list[str] = []
    word, kept, quote, is_word = "", 0, "", False
    characters = iter(line)
    for each in characters:
        if quote:
            if each == quote:
                quote, kept = "", len(word)
            elif each == "\\" and quote == '"':
                after = next(characters, "")
                word += after if after in _SPECIAL_IN_DOUBLE else f"\\{after}"
            else:
                word += each
        elif each in _BLANKS:
            if is_word:
                words.append(word)
            word, kept, is_word = "", 0, False
            continue
        elif each in "'\"":
            quote, kept = each, len(word)
        elif each == "\\":
            word += next(characters, "")
        else:
            if each in breaks:
                kept = len(word) + (each not in _REPLACED)
            word += each
        is_word = True
    return Typed(words=(*words, word), kept=kept, quote=quote)
