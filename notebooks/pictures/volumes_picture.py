"""The picture "what happens to my volumes": ``volumes_svg()`` draws it."""

from html import escape

WIDTH, HEIGHT = 940, 372
COLUMNS = {"notebook": 30, "snapshots": 345, "run": 660}
BOX = (250, 54)
TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0L8 4L0 8z" fill="#7b8794"/></marker></defs>'
)
STYLE = """
text { font: 14px ui-sans-serif, system-ui, sans-serif; fill: #1f2933 }
.head { font-weight: 600; font-size: 15px }
.small { font-size: 12px; fill: #52606d }
.box { rx: 8; stroke-width: 1.5 }
.own { fill: #e3f2fd; stroke: #1976d2 } .kept { fill: #fff8e1; stroke: #f9a825 }
.gone { fill: #e8f5e9; stroke: #388e3c } .line { stroke: #7b8794; stroke-width: 1.5; fill: none }
"""
BOXES = (
    ("notebook", 0, "own", "claim work", "/home/jovyan, the workspace"),
    ("notebook", 1, "own", "claim data", "/data"),
    ("snapshots", 0, "kept", "snapshot of work", "marked, so that a clone is known"),
    ("snapshots", 1, "kept", "snapshot of data", "taken with it"),
    ("run", 0, "gone", "clone of work", "/home/jovyan in every step"),
    ("run", 1, "gone", "clone of data", "/data in every step"),
    ("run", 2, "gone", "marshal volume", "values, records and logs of the steps"),
)
HEADS = (
    ("notebook", "Your volumes", "stay as they are"),
    ("snapshots", "VolumeSnapshots", "stay until kalelite clean --volumes"),
    ("run", "Volumes of the run", "go when the run is deleted"),
)


def _text(x, y, text, kind):
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(text)}</text>'


def _arrow(source, target, row):
    begin, end, y = COLUMNS[source] + BOX[0] + 4, COLUMNS[target] - 6, _top(row) + BOX[1] / 2
    return f'<path class="line" marker-end="url(#tip)" d="M{begin} {y}H{end}"/>'


def _top(row):
    return 92 + 76 * row


def volumes_svg():
    """The picture as the text of an SVG file."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        "<title>What happens to the volumes of a notebook</title>",
        f"<style>{STYLE}</style>",
        TIP,
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="#ffffff" stroke="#d9e2ec"/>',
    ]
    for column, head, text in HEADS:
        parts += [
            _text(COLUMNS[column], 42, head, "head"),
            _text(COLUMNS[column], 64, text, "small"),
        ]
    for column, row, kind, head, text in BOXES:
        x, y = COLUMNS[column], _top(row)
        parts += [
            f'<rect class="box {kind}" x="{x}" y="{y}" width="{BOX[0]}" height="{BOX[1]}"/>',
            _text(x + 14, y + 23, head, ""),
            _text(x + 14, y + 42, text, "small"),
        ]
    for row in (0, 1):
        parts += [_arrow("notebook", "snapshots", row), _arrow("snapshots", "run", row)]
    notes = (
        "All snapshots are taken together, after files are written out. If one fails, or you press Ctrl-C, none is left.",
        'snapshot("workspace", after=train) in a pipeline takes one of a clone, between steps; it stays as the others do.',
    )
    parts += [_text(30, 334 + 20 * number, note, "small") for number, note in enumerate(notes)]
    return "\n".join([*parts, "</svg>\n"])
