"""Containers of the user's own: values in, values out, in loops and conditions.

No container engine is needed to run the compiled form, whose containers are processes here.
"""

from kalelite import Collected, ExitHandler, If, ParallelFor, container_step, pipeline, step
from kalelite.plan.container_command import Concat, InputValue, OutputPath

double = container_step(
    "double",
    image="busybox:1.36",
    command=["sh", "-c", 'printf %s "$(($0 * 2))" > "$1"; printf %s "$2" > "$3"'],
    args=[
        InputValue("n"),
        OutputPath("result"),
        Concat(("<", InputValue("word"), ">")),
        OutputPath("text"),
    ],
    inputs={"n": int, "word": "ab c"},
    outputs={"result": int, "text": str},
)


@step
def number() -> int:
    return 4


@step
def show(*values):
    return values


@pipeline
def main(start: int = 3):
    a, text = double(start)
    b, _ = double(number(), word='it\'s "x"')
    c, other = double(b)
    with ParallelFor([1, 2]) as n:
        d, _ = double(n)
    with If(c > 10):
        show(other)
    with ExitHandler(show("the end")):
        e, left = double(5)
    f, _ = double(e, word=left)
    with If(e == 10):
        show(f)
    return show(a, text, b, c, other, Collected(d), e, left, f)


EXPECTED = (6, "<ab c>", 8, 16, "<ab c>", [2, 4], 10, "<ab c>", 20)
RAN = {"double": 1, "show": 1}
