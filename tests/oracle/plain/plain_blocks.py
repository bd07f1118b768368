"""What a pipeline's blocks mean in plain Python: ``if``, ``for`` and ``try``."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import traceback
from dataclasses import dataclass


class _Skipped:
    """What a name is whose step did not run, and each part of it."""

    def __getitem__(self, key):
        return self


SKIPPED = _Skipped()


@dataclass(frozen=True)
class FinalStatus:
    state: str
    failed_task: str = ""
    message: str = ""


def one_of(*choices):
    return next(choice for choice in choices if choice is not SKIPPED)


def collected(pick, values, levels):
    if values is SKIPPED:
        return None
    return pick(values) if levels == 0 else [collected(pick, one, levels - 1) for one in values]


def handle(handler, *args, **named):
    """Call an exit handler, with the status if it asks for it."""
    error = sys.exc_info()[1]
    status = FinalStatus("SUCCEEDED")
    if error is not None:
        step = traceback.extract_tb(error.__traceback__)[-1].name
        status = FinalStatus("FAILED", step, str(error))
    for name, parameter in inspect.signature(handler).parameters.items():
        if parameter.annotation in (FinalStatus, "FinalStatus"):
            named[name] = status
    return handler(*args, **named)


def plainly(function):
    """A pipeline's function, its blocks as Python has them."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    (definition,) = tree.body
    if not any(isinstance(n, ast.With | ast.Attribute) for n in ast.walk(definition)):
        return function
    definition.decorator_list = []
    definition.body = _Blocks().statements(definition.body, 0)
    names = {"_skipped": SKIPPED, "_collected": collected, "_handle": handle}
    function.__globals__.update(names)
    exec(compile(ast.fix_missing_locations(tree), "<plain>", "exec"), function.__globals__)
    return function.__globals__[definition.name]


def _assigned(body):
    walked = (node for statement in body for node in ast.walk(statement))
    return sorted(
        {n.id for n in walked if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    )


class _Blocks(ast.NodeTransformer):
    """Turns the statements of a pipeline into Python's own.

    What a name holds in each item of a loop is kept in a list, ``name__1`` in a loop, ``name__2``
    in a loop in a loop, which `Collected` reads.
    """

    def __init__(self):
        self.level = 0
        self.levels = {}
        """How many loops each name stands in."""

    def statements(self, body, level):
        made = []
        for node in body:
            self.level = level
            if isinstance(node, ast.With):
                self.block(node, made, level)
            else:
                made.append(self.visit(node))
                self.levels |= {name: level for name in _assigned([node])}
        return made or [ast.Pass()]

    def block(self, node, made, level):
        call, target = node.items[0].context_expr, node.items[0].optional_vars
        inner = [ast.With(node.items[1:], node.body)] if node.items[1:] else node.body
        unknown = [name for name in _assigned(inner) if name not in self.levels]
        if call.func.id == "ParallelFor":
            self.loop(call, target, inner, made, level)
            return
        if call.func.id == "Together":
            made += self.statements(inner, level)
            return
        made += ast.parse("".join(f"{name} = _skipped\n" for name in unknown)).body
        skips = len(unknown)
        test = self.visit(call.args[0]) if call.args else None
        body = self.statements(inner, level)
        if call.func.id == "ExitHandler":
            handler = ast.Call(_name("_handle"), [test.func, *test.args], test.keywords)
            made.append(ast.Try(body, [], [], [ast.Expr(handler)]))
        elif call.func.id == "If":
            made.append(ast.If(test, body, []))
        else:
            before = made.pop(-1 - skips)
            made.append(before)
            while before.orelse:
                (before,) = before.orelse
            before.orelse = body if test is None else [ast.If(test, body, [])]

    def loop(self, call, target, inner, made, level):
        names, items = _assigned(inner), self.visit(call.args[0])
        known = set(self.levels)
        self.levels |= dict.fromkeys(_assigned([target] if target else []), level + 1)
        body = self.statements(inner, level + 1)
        own = [name for name in names if name not in known]
        deep = {name: f"{name}__{level + 2}" for name in own if self.levels[name] > level + 1}
        start = "".join(f"{name} = {deep.get(name, name)} = _skipped\n" for name in own)
        end = "".join(f"{name}__{level + 1}.append({deep.get(name, name)})\n" for name in own)
        made += ast.parse("".join(f"{name}__{level + 1} = []\n" for name in own)).body
        body = [*ast.parse(start).body, *body, *ast.parse(end).body]
        made.append(ast.For(target or ast.Name("_", ast.Store()), items, body, []))

    def visit_UnaryOp(self, node):
        self.generic_visit(node)
        return ast.UnaryOp(ast.Not(), node.operand) if isinstance(node.op, ast.Invert) else node

    def visit_Call(self, node):
        if isinstance(node.func, ast.Name) and node.func.id == "Collected":
            (value,) = node.args
            name = next(n.id for n in ast.walk(value) if isinstance(n, ast.Name))
            pick = ast.parse(f"lambda {name}: 0", mode="eval").body
            pick.body = self.visit(value)
            levels = self.levels[name] - self.level
            values = _name(f"{name}__{self.level + 1}")
            return ast.Call(_name("_collected"), [pick, values, ast.Constant(levels)], [])
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr in {"after", "options"}:
            return node.func.value
        node.keywords = [keyword for keyword in node.keywords if keyword.arg != "after"]
        return node


def _name(text):
    return ast.Name(text, ast.Load())
