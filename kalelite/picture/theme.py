"""The colours of all pictures and pages, in light and in dark mode."""

from __future__ import annotations

from string import Template

_COLOURS = {  # in light and in dark mode
    "ink": ("#1d2733", "#e5eaf0"),
    "soft": ("#5b6875", "#9fb0c0"),
    "paper": ("#fff", "#14191f"),
    "task": ("#fff", "#1f2730"),
    "line": ("#8c99a6", "#6f7f8f"),
    "rim": ("#9fb0c0", "#55677a"),
    "frame": ("#f3f6f9", "#1a2129"),
    "accent": ("#2563a8", "#7ab3ef"),
    "loop": ("#7c4dbd", "#bb9af0"),
    "condition": ("#b0710a", "#e0ae5c"),
    "exit": ("#2e7d4f", "#74c596"),
    "bad": ("#c62828", "#ff7b72"),
    "badfill": ("#fdecec", "#3a1d1f"),
    "chip": ("#e8eef4", "#2c3742"),
    "good": ("#1f7a45", "#6fcf97"),
    "goodfill": ("#e6f5ec", "#16301f"),
    "busyfill": ("#e3effb", "#152c45"),
    "warn": ("#9a6200", "#e5b567"),
    "warnfill": ("#fdf3dc", "#352a12"),
}


def themed(rules: str) -> str:
    """CSS whose ``$colours`` are those of light mode, and those of dark mode where it is on.

    Each is written out: many viewers of SVG know no ``var()``.
    """
    light, dark = ({name: pair[mode] for name, pair in _COLOURS.items()} for mode in (0, 1))
    coloured = "\n".join(line for line in rules.splitlines() if "$" in line)
    night = Template(coloured).substitute(dark)
    return f"{Template(rules).substitute(light)}@media(prefers-color-scheme:dark){{\n{night}\n}}\n"
