"""Pictures: what they show, that they are whole, and that no text of a user breaks out of them.

The goldens are written anew with ``KALELITE_REGENERATE=1 python -m pytest tests/picture``.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalelite.authoring.control import Elif, Else, ExitHandler, If, ParallelFor
from kalelite.authoring.decorators import pipeline, step
from kalelite.errors import Problem, Where
from kalelite.picture.card_states import card_state
from kalelite.picture.diagram import diagram_of
from kalelite.picture.mermaid import to_mermaid
from kalelite.picture.page import to_html
from kalelite.picture.svg import size_of, svg_of, to_svg
from kalelite.picture.text import to_text
from kalelite.plan.graph import (
    Block,
    Branch,
    Compare,
    Constant,
    Group,
    Loop,
    Output,
    OutputRef,
    Parameter,
    ParameterRef,
    Plan,
    StepDef,
    Switch,
    Task,
)
from kalelite.plan.options import step_options

GOLDENS = Path(__file__).parent / "goldens"
SVG = "{http://www.w3.org/2000/svg}"


@step
def load(rs):
    return [rs], [rs]


@step(memory="8Gi", cpu=2)
def split(x, y):
    return x, x, y, y


@step(gpu=1, retries=3, timeout="1h")
def train(x, y, kind="forest"):
    return x, y, kind


@step
def score(model, x) -> float:
    return 0.5


@step
def best(models):
    return models[0]


@step(image="ghcr.io/acme/deploy:1.2", cache=True)
def deploy(model):
    pass


@step
def notify(what):
    pass


@pipeline(name="two-models")
def small(rs: int = 42, kind="forest"):
    """Train two models and take the better one.

    More about it.
    """
    x, y = load(rs)
    x, x_test, y, y_test = split(x, y)
    one = train(x, y)
    two = train(x, y, kind=kind)
    return best([one, two])


@pipeline
def fold(x, y):
    model = train(x, y)
    return score(model, x)


@pipeline(name="all-blocks")
def blocks(rs: int = 42):
    with ExitHandler(notify("end")):
        x, y = load(rs)
        accuracy = fold(x, y)
        with ParallelFor([1, 2, 3], parallelism=2) as item:
            train(x, y, kind=item)
            with ParallelFor(["a", "b"]) as letter:
                notify(letter)
        with If(accuracy > 0.9):
            deploy(x)
        with Elif(accuracy > 0.5):
            notify("soso")
            with If(rs == 3):
                notify(x)
        with Else():
            notify("bad")
    notify.after(accuracy)("done")


def golden(name, text):
    file = GOLDENS / name
    if os.environ.get("KALELITE_REGENERATE"):
        file.write_text(text, encoding="utf-8")
    assert file.is_file(), f"no golden {name}: run with KALELITE_REGENERATE=1"
    assert text == file.read_text(encoding="utf-8")


def parts(svg):
    """The elements of an SVG by class."""
    found = {}
    for element in ET.fromstring(svg).iter():
        for css in element.get("class", "").split():
            found.setdefault(css, []).append(element)
    return found


def texts(element):
    return [text.text for text in element.iter(f"{SVG}text")]


@pytest.mark.parametrize("traced", [small, blocks], ids=["small", "blocks"])
@pytest.mark.parametrize("width", [100, 60])
def test_text(traced, width):
    plan = traced.plan()
    text = to_text(plan, width=width)
    assert max(map(len, text.splitlines())) <= width
    golden(f"picture-{plan.name}-{width}.txt", text)


@pytest.mark.parametrize("traced", [small, blocks], ids=["small", "blocks"])
def test_mermaid(traced):
    plan = traced.plan()
    golden(f"picture-{plan.name}.mmd", to_mermaid(plan))


def test_an_svg_shows_every_task_block_edge_and_option():
    plan = blocks.plan()
    found = parts(to_svg(plan))
    tasks = {element.get("data-id"): element for element in found["task"]}
    assert set(tasks) == {task.id for task in plan.tasks}
    assert texts(tasks["train"])[1:] == ["→ model", "gpu 1", "retry 3", "max 1h"]
    assert "deploy:1.2" in texts(tasks["deploy"])
    titles = [text for frame in found["frame"] for text in texts(frame)]
    assert titles == [
        "whatever happens here, then notify",
        "fold",
        "for each item of [1, 2, 3], 2 at once",
        "for each item of ['a', 'b']",
        "if score.output > 0.9",
        "elif score.output > 0.5",
        "if rs == 3",
        "else",
    ]
    edges = {(edge.get("data-from"), edge.get("data-to")) for edge in found["edge"]}
    assert ("load", "train") in edges
    assert ("train", "score") in edges
    assert ("score", "notify-6") in edges


def test_an_svg_is_in_colour_where_variables_and_media_queries_are_unknown():
    style = ET.fromstring(to_svg(blocks.plan())).find(f"{SVG}style").text
    light, dark = style.split("@media(prefers-color-scheme:dark)")
    assert "var(" not in style
    assert ".kp .paper{fill:#fff}" in light
    assert ".kp .paper{fill:#14191f}" in dark


def test_every_text_of_a_card_fits_into_it():
    for card in parts(to_svg(blocks.plan()))["task"]:
        width = float(card.find(f"{SVG}rect").get("width"))
        assert all(size_of(text, 11) <= width for text in texts(card))


def test_many_siblings_share_one_edge():
    @pipeline
    def fan():
        x, y = load(1)
        best([train(x, y) for _ in range(20)])

    found = parts(to_svg(fan.plan()))
    assert len(found["task"]) == 22
    assert len(found["edge"]) == 2
    assert "siblings" in found


def broken():
    here = Where("train.py", 7, column=4, end_column=9, text="    train(x)")
    definition = StepDef("train", len, None)
    tasks = (
        Task("train", definition, {"x": OutputRef("nowhere", "y")}, (), where=here),
        Task("other", definition, {}, (), after=("other-2",), where=Where("train.py", 8)),
        Task("other-2", definition, {}, (), after=("other",), where=Where("train.py", 9)),
    )
    problem = Problem("step `train` is wrong <b>", "Write it & so.", here)
    return Plan("broken", tasks), [problem, Problem("nowhere at all")]


def test_a_broken_plan_is_drawn_with_its_faults():
    plan, problems = broken()
    found = parts(to_svg(plan, problems))
    assert [element.get("data-id") for element in found["bad"]] == ["train"]
    assert [element.text for element in found["number"]] == ["1"]
    assert "1  train.py:7: step `train` is wrong <b>" in [
        element.text for element in found["problem"]
    ]
    text = to_text(plan, problems)
    assert "train  ✗1" in text
    assert "✗1 train.py:7: step `train` is wrong <b>" in text
    assert "✗2 nowhere at all" in text
    mermaid = to_mermaid(plan, problems)
    assert "class t1 bad" in mermaid
    assert "%% 2: nowhere at all" in mermaid
    page = to_html(plan, problems)
    assert "train.py:7: step `train` is wrong &lt;b&gt;<br>Write it &amp; so." in page


def test_one_of_two_calls_in_a_line_is_marked_by_its_columns():
    def at(start, end):
        return Where("a.py", 1, start, end)

    definition = StepDef("s", len, None)
    tasks = (
        Task("a", definition, {}, (), where=at(0, 5)),
        Task("b", definition, {}, (), where=at(7, 9)),
    )
    found = parts(to_svg(Plan("p", tasks), [Problem("wrong", where=at(8, 9))]))
    assert [element.get("data-id") for element in found["bad"]] == ["b"]


HOSTILE = '</title><script>alert("1")</script> %%{init}%% ]]> --> & \x00\x1b[31m ` # end'


def hostile():
    options, problems = step_options(display_name=HOSTILE.replace("\x00", "").replace("\x1b", ""))
    assert not problems
    definition = StepDef(HOSTILE, len, None, description=HOSTILE)
    tasks = (
        Task("a", definition, {"x": Constant(HOSTILE)}, (Output(HOSTILE),), options=options),
        Task(
            "b",
            definition,
            {"x": OutputRef("a", HOSTILE)},
            (),
            parent="loop",
            where=Where(HOSTILE, 3),
        ),
        Task("c", definition, {"x": ParameterRef(HOSTILE)}, (), parent="yes"),
    )
    group: tuple[Block, ...] = (
        Group("g", name=HOSTILE),
        Loop("loop", parent="g", items=Constant([HOSTILE])),
        Switch("switch"),
        Branch("yes", "switch", condition=Compare("==", ParameterRef("p"), Constant(HOSTILE))),
        Branch("no", "switch"),
    )
    parameters = (Parameter(HOSTILE, str, HOSTILE),)
    plan = Plan(HOSTILE, tasks, group, parameters, description=HOSTILE)
    return plan, [Problem(HOSTILE, HOSTILE, Where(HOSTILE, 3))]


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


def test_no_text_breaks_out_of_a_picture():
    plan, problems = hostile()
    svg = to_svg(plan, problems)
    assert not [element for element in ET.fromstring(svg).iter() if element.tag.endswith("script")]
    page = Tags()
    page.feed(to_html(plan, problems))
    assert page.tags.count("script") == 1
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    mermaid = to_mermaid(plan, problems)
    assert "%%{" not in mermaid
    assert "<script" not in "".join(line for line in mermaid.splitlines() if "%%" not in line)
    assert mermaid.count("subgraph") == mermaid.count("\n  end") + mermaid.count("\n    end")
    assert "\x1b" not in to_text(plan, problems)
    assert "\x00" not in to_text(plan, problems)


def test_the_page_loads_nothing_and_names_its_own_script_and_style():
    page = to_html(blocks.plan())
    assert not re.search(r"(?:src|href)\s*=|url\(|@import|https?://(?!www\.w3\.org)", page)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page).group(1)
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL).group(1)
        digest = b64encode(sha256(content.encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}'" in policy


def test_the_page_lists_every_step_with_what_it_takes():
    page = to_html(small.plan())
    assert "<td>x = split.x, y = split.y, kind = kind</td>" in page
    assert "<td>gpu: 1; retries: count=3; timeout: 1h</td>" in page
    assert "<h1>two-models</h1><p>Train two models and take the better one.</p>" in page


def test_the_page_says_what_its_lines_mean():
    page = to_html(blocks.plan())
    assert re.findall(r'class="key">.*?</svg> ([^<]+)<', page) == [
        "a value",
        "a condition",
        "order only",
        "at the end",
    ]
    assert 'class="key"' not in to_html(small.plan())


def test_a_step_shows_all_its_options_under_the_mouse():
    @step(env={"MODE": "fast"}, node_selector={"disk": "ssd"}, display_name="Fit it")
    def fit():
        """Fits.

        And more.
        """

    @pipeline
    def study():
        fit()

    title = ET.fromstring(to_svg(study.plan())).find(f".//{SVG}g[@class='task']/{SVG}title").text
    assert title.splitlines()[:-1] == [
        "Fit it",
        "fit",
        "Fits.",
        "env: MODE=fast",
        "node_selector: disk=ssd",
    ]


def test_a_fault_of_a_definition_is_marked_at_its_calls():
    @step(
        memory="10GB",
    )
    def fit():
        pass

    @pipeline
    def study():
        fit()
        load(1)
        fit()

    plan, problems = study.draft()
    text = to_text(plan, problems=problems)
    assert [line.split()[1:] for line in text.splitlines()[1:4]] == [
        ["fit", "✗1"],
        ["load"],
        ["fit-2", "✗1"],
    ]


def test_what_waits_for_branches_names_the_first():
    @pipeline(order="calls")
    def inner(rs):
        with If(rs > 1):
            load(1)
        with Else():
            load(2)
        notify("done")

    @pipeline
    def study(rs: int = 1):
        inner(rs)

    assert "notify     ← after if rs > 1" in to_text(study.plan())


def test_pictures_of_nothing():
    plan = Plan("empty")
    assert to_text(plan) == "empty  (0 steps)\n"
    assert ET.fromstring(to_svg(plan)).tag == f"{SVG}svg"
    assert to_mermaid(plan).startswith("flowchart TD")
    assert "0 steps" in to_html(plan)


def test_a_value_whose_repr_fails_is_shown_by_its_type():
    class Evil:
        def __repr__(self):
            raise RuntimeError

    plan = Plan("p", (Task("a", StepDef("a", len, None), {"x": Constant(Evil())}, ()),))
    assert "x = &lt;Evil" in to_html(plan)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30), st.integers(1, 120))
def test_any_name_at_any_width(name, width):
    options, _ = step_options(display_name=name)
    task = Task("a", StepDef("a", len, None), {}, (Output("x"),), options=options)
    plan = Plan(name, (task,), description=name)
    for line in to_text(plan, width=width).splitlines():
        assert len(line) <= max(width, 40)
    ET.fromstring(to_svg(plan))


# --- the state of a run


def test_cards_show_the_states_of_a_run_as_links_to_its_steps():
    plan = blocks.plan()
    first, second, *_ = plan.tasks
    states = {
        first.id: card_state([("succeeded", 12.34)]),
        second.id: card_state([("succeeded", 1.0), ("failed", 1.0), ("running", 1.0)]),
    }

    svg = ET.fromstring(svg_of(diagram_of(plan), states=states, href="#step-{}".format))

    cards = {link.get("data-id"): link for link in svg.iter(f"{SVG}a")}
    assert set(cards) == {task.id for task in plan.tasks}
    assert cards[first.id].get("href") == f"#step-{first.id}"
    assert "is-succeeded" in cards[first.id].get("class").split()
    assert "✓ 12.3 s" in cards[first.id].itertext()
    assert "is-failed" in cards[second.id].get("class").split()
    assert "✗ 1 of 3" in cards[second.id].itertext()
