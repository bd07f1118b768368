"""What a bundle's sources lose, and what they keep."""

from __future__ import annotations

import ast
import textwrap

from kalelite.capture.bundle.strip import strip


def stripped(text: str, *, package: bool = False) -> str:
    return strip(ast.parse(textwrap.dedent(text)), package=package)


def test_docstrings_annotations_and_their_imports_go():
    text = stripped(
        '''
        """Module."""
        from collections.abc import Mapping, Sequence
        from typing import TYPE_CHECKING, Any, Protocol
        from kalelite.errors import Where
        if TYPE_CHECKING:
            import numpy
        __all__ = ["f"]
        LIMIT: int = 3
        """What it is."""
        class Reads(Protocol):
            """A protocol."""
            def read(self) -> str: ...
        def f(x: Mapping[str, Any], *rest: Where) -> "numpy.ndarray":
            """What it does."""
            y: list[int]
            y = [isinstance(x, Sequence)]
            return y
        '''
    )
    assert [line for line in text.split("\n") if line] == [
        "from collections.abc import Sequence",
        "from typing import Protocol",
        "LIMIT = 3",
        "class Reads(Protocol):",
        "    pass",
        "def f(x, *rest):",
        "    y = [isinstance(x, Sequence)]",
        "    return y",
    ]


def test_a_package_keeps_what_it_gives_to_others():
    text = "from kalelite.marshal.store import Store\n__all__ = ['Store']"
    assert stripped(text, package=True) == text
    assert stripped("from a import b\n__all__ = ['b']").startswith("from a import b")


def test_a_data_class_stays_what_it_is():
    text = """
        from dataclasses import dataclass, field
        from typing import ClassVar, NamedTuple
        @dataclass(frozen=True)
        class Point:
            x: int
            y: "list[int]" = field(default_factory=list)
            known: ClassVar[int] = 5
        class Pair(NamedTuple):
            a: int
            b: str = "b"
        class Plain:
            a: int
            b: int = 2
    """
    names: dict = {}
    exec(stripped(text), names)
    assert names["Point"](1) == names["Point"](x=1, y=[])
    assert [*names["Point"].__dataclass_fields__] == ["x", "y", "known"]
    assert names["Pair"](1) == (1, "b")
    assert names["Plain"].b == 2
    assert not hasattr(names["Plain"], "a")


def test_texts_over_several_lines_keep_their_spaces():
    text = '''
        def f(x):
            if x:
                return f"""a
                {x}
            b"""
    '''
    names: dict = {}
    exec(stripped(text), names)
    assert names["f"](1) == "a\n        1\n    b"


def test_nothing_but_declarations_still_compiles():
    names: dict = {}
    exec(stripped("def f():\n    x: int\nclass C:\n    '''doc'''\nif 1:\n    y: int\n"), names)
    assert names["f"]() is None
