"""What steps have logged to be looked at, shown as what it is."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from kalelite.runs.html_tables import plain_table
from kalelite.runs.logged import Artifact
from kalelite.runs.values_html import folded, picture_html

_LARGEST = 4 << 20
"""Bytes of a file from which on only its path is shown: a notebook keeps all that it shows."""

_IMAGES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".svg": "image/svg+xml",
}


def artifacts_html(artifacts: Iterable[Artifact]) -> str:
    """The artifacts of a run, each below its name.

    Images are shown as images, tables as tables, Markdown as what it means, and pages in a frame of
    their own whose scripts do not run; of everything else, of what is large and of what has gone,
    the path.
    """
    return "".join(
        folded(f"{escape(one.task)}.{escape(one.name)}", _shown(one), is_open=True)
        for one in artifacts
    )


def _shown(artifact: Artifact) -> str:
    kind, path = artifact.kind, artifact.path
    try:
        small = not path.is_symlink() and path.stat().st_size <= _LARGEST
        if small and kind in {"image", "html", "markdown"}:
            return _file(artifact)
    except OSError:
        return f"<code>{escape(str(path))}</code> is gone"
    return f"<code>{escape(str(path))}</code>"


def _file(artifact: Artifact) -> str:
    kind, path = artifact.kind, artifact.path
    data = path.read_bytes()
    if kind == "image":
        kind = _IMAGES.get(path.suffix.lower(), "image/png")
        return picture_html(data, kind, f"{artifact.name}, logged by {artifact.task}")
    text = data.decode("utf-8", "replace")
    if kind == "html":
        return plain_table(text) or (
            f'<iframe sandbox srcdoc="{escape(text)}" title="{escape(f"{artifact.task}.{artifact.name}")}" '
            # White, as pages expect it, also in a dark notebook.
            "style='width:100%;height:320px;resize:vertical;background:#fff;border:1px solid #8884'>"
            "</iframe>"
        )
    return _markdown(text)


def _markdown(text: str) -> str:
    from markdown_it import MarkdownIt  # what rich reads Markdown with

    # HTML in it is shown, not obeyed.
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    for token in tokens:
        if token.type.startswith("heading_"):  # below the headings of what it stands in
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
    return str(markdown.renderer.render(tokens, markdown.options, {}))
