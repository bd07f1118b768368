"""HTML by its parts: a text is escaped wherever it stands, unless it is `Markup` already."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from kalelite.humanize import clean
from kalelite.plan.options.secrecy import hide_secrets


class Markup(str):
    """A text that is HTML."""

    __slots__ = ()


def shown(*parts: str) -> Markup:
    """The parts one after the other; what looks like a secret, and control characters, are not shown."""
    return Markup("".join(part if isinstance(part, Markup) else _escaped(part) for part in parts))


def _escaped(text: str) -> str:
    return html.escape(clean(hide_secrets(text)))


def element(tag: str, *parts: str, **attributes: str) -> Markup:
    """An element; ``class_`` is its class, and ``aria_label`` the attribute ``aria-label``."""
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_escaped(value)}"'
        for name, value in attributes.items()
    )
    return Markup(f"<{tag}{given}>{shown(*parts)}</{tag}>")


def checkbox(name: str, value: str, label: str) -> Markup:
    """A box to be marked in a form."""
    return Markup(
        element("input", type="checkbox", name=name, value=value, aria_label=label)[
            : -len("</input>")
        ]
    )


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """A table that can be scrolled; the first cell of each row is its head."""
    head = element("tr", *(element("th", text, scope="col") for text in heads))
    body = (
        element(
            "tr",
            element("th", first, scope="row"),
            *(
                element("td", cell, data_head=name)
                for name, cell in zip(heads[1:], rest, strict=True)
            ),
        )
        for first, *rest in rows
    )
    whole = element(
        "table",
        element("caption", caption, class_="unseen"),
        element("thead", head),
        element("tbody", *body),
    )
    return element("div", whole, class_="scroll", tabindex="0", role="group", aria_label=caption)


def section(id: str, title: str, *parts: str) -> Markup:
    """A part of a page with its heading; nothing without parts that hold something."""
    if not any(parts):
        return Markup("")
    heading = element("h2", title, id=f"{id}-title")
    return element("section", heading, *parts, id=id, aria_labelledby=f"{id}-title")
