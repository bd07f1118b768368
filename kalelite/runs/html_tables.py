"""Tables that others have made, as nothing but tables: what may stand in a notebook as it is."""

from __future__ import annotations

from html import escape
from html.parser import HTMLParser

_KEPT = frozenset(
    [
        "table",
        "thead",
        "tbody",
        "tfoot",
        "tr",
        "th",
        "td",
        "caption",
        "b",
        "i",
        "em",
        "strong",
        "code",
        "br",
        "p",
        "div",
    ]
)
_LEFT_OUT = frozenset({"style"})
_LARGEST = 200_000


def plain_table(text: str) -> str | None:
    """The table of a frame without its attributes; None for a page that has anything else in it."""
    if len(text) > _LARGEST or "<table" not in text:
        return None
    reader = _TableReader()
    reader.feed(text)
    reader.close()
    if reader.other:
        return None
    return f"<div style='overflow-x:auto'>{''.join(reader.parts)}</div>"


class _TableReader(HTMLParser):
    """Writes elements of tables anew, and notes whether there are others."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.other = False
        self._skipped = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _LEFT_OUT:
            self._skipped = True
        elif tag in _KEPT:
            spans = (
                f' {name}="{int(value)}"'
                for name, value in attrs
                if name in {"colspan", "rowspan"} and value and value.isdecimal()
            )
            self.parts.append(f"<{tag}{''.join(spans)}>")
        else:
            self.other = True

    def handle_endtag(self, tag: str) -> None:
        if tag in _LEFT_OUT:
            self._skipped = False
        elif tag in _KEPT:
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            self.parts.append(escape(data))
