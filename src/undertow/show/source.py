"""A backward pass that was written out, as source to read."""

from __future__ import annotations

import re
from keyword import kwlist

from markupsafe import Markup, escape

from undertow.derivation import Derivation
from undertow.show.blocks import Block, Source, Text

__all__ = ["highlighted", "source_blocks"]

WORDS = re.compile(
    r"(?P<comment>#[^\n]*)"
    r'|(?P<string>"""[\s\S]*?"""|"[^"\n]*"|\'[^\'\n]*\')'
    rf"|(?P<keyword>\b(?:{'|'.join(kwlist)})\b)"
    r"|(?P<number>(?<![\w.])\d[\w.]*)"
)


def source_blocks(seen: Derivation) -> list[Block]:
    """The source, and what it reads."""
    told = (
        f"{len(seen.source.splitlines()):,} lines of Python that need PyTorch alone. They read "
        f"{_many(len(seen.parameters), 'parameter')} and {_many(len(seen.saved), 'tensor')} of the forward pass, and "
        "hold for the shapes, the mode and the branches of their example."
    )
    return [Text("The backward pass, written out", paragraphs=(told,)), Source("Its source", text=seen.source)]


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'s' if count != 1 else ''}"


def highlighted(text: str) -> Markup:
    """Python with its comments, strings, keywords and numbers marked."""
    parts, place = [], 0
    for word in WORDS.finditer(text):
        parts += [escape(text[place : word.start()]), Markup('<i class="{}">{}</i>').format(word.lastgroup, word[0])]
        place = word.end()
    return Markup("").join([*parts, escape(text[place:])])
