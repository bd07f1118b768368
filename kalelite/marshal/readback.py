"""Whether a value that was read back is the one that was saved.

An object that comes back by code of its own is compared in three ways:

- what it reduces to, before and after: what a class says it consists of has to come back;
- attribute by attribute, unless the class says in a ``__getstate__`` of its own what it leaves
  out; private attributes may be caches, and so may what the class itself has under that name;
- with ``==``, where its class defines that, unless much memory would have to be compared.

In all of them containers, arrays and plain objects are followed down, up to the next object that
is compared on its own. Arrays whose memory is the very buffer that was written are not read.
A difference that shows between two readings of the same bytes as well says nothing.
"""

from __future__ import annotations

import sys
import types
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePath
from typing import Any

from kalelite.marshal.locate import short
from kalelite.marshal.own import rebuilds_itself
from kalelite.marshal.registry import reducer_of

__all__ = ["LossError", "Reading", "Witness", "address", "differs", "first_loss"]

_SCALARS = frozenset({bool, int, float, complex, str, bytes, bytearray, type(None)})
_ENOUGH = 100
_CHUNK = 1 << 20
_ABSENT = object()

Reducer = Callable[[Any], Any]


class LossError(Exception):
    """Something does not come back; the text says what.

    Attributes
    ----------
    part
        The object that loses it.
    path
        From there to what is lost, as Python.
    """

    def __init__(self, part: Any, path: str, reason: str) -> None:
        super().__init__(reason)
        self.part = part
        self.path = path


@dataclass(frozen=True, slots=True)
class Witness:
    """The objects of a value that come back by code of their own, in the order of their pickling.

    Attributes
    ----------
    own
        Each with what reduced it, and to what.
    tail
        A pickle that gives the list of them if it is read after the value.
    """

    own: Sequence[tuple[Any, Reducer, tuple[Any, ...]]]
    tail: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """A value and its objects of the witness, as they came back.

    `origin` maps the address of a buffer that was read to that of the buffer that was written.
    """

    value: Any
    parts: Sequence[Any] = ()
    origin: Mapping[int, int] = field(default_factory=dict)


def first_loss(
    before: Any, witness: Witness, reading: Reading, read: Callable[[], Reading], *, ask: bool
) -> LossError | None:
    """What does not come back of a value, None if everything does; `ask` allows ``==``.

    Without a witness the whole value is compared. `read` gives another reading.
    """
    own = witness.own or [(before, _no_reduction, ())]
    parts = [part for part, *_ in own]
    losses = list(islice(_losses(own, reading, ask), _ENOUGH))
    if not losses:
        return None
    after = reading.parts if witness.own else [reading.value]
    same = [(one, how, _reduced(how, one)) for one, (_, how, _) in zip(after, own, strict=True)]
    noise = {(number, path) for number, path, _ in _losses(same, read(), ask)}
    for number, path, why in losses:
        if (number, path) not in noise:
            return LossError(parts[number], path, why)
    return None


def differs(before: Any, after: Any) -> bool:
    """Whether ``==`` says so, plainly. An array, an error or anything else says nothing."""
    equal: Any = type(before).__eq__
    if equal is object.__eq__:
        return False  # it is equal to itself only, and says so of any copy
    if hasattr(before, "__array__"):
        return False  # asked once for each element; one that holds itself ends the process
    try:
        return (before == after) is False
    except Exception:  # noqa: BLE001 - a comparison is the user's code
        return False


def _no_reduction(value: Any) -> tuple[Any, ...]:
    del value
    return ()


def _reduced(how: Reducer, value: Any) -> Any:
    try:
        return how(value)
    except Exception:  # noqa: BLE001 - the class's own code
        return ()


def _losses(
    own: Sequence[tuple[Any, Reducer, Any]], reading: Reading, ask: bool
) -> Iterator[tuple[int, str, str]]:
    """Number of the object, path from there, and what is lost."""
    walk = _Walk(frozenset(id(part) for part, *_ in own), ask, reading.origin)
    after = reading.parts or [reading.value]
    for number, ((one, how, reduced), two) in enumerate(zip(own, after, strict=True)):
        try:
            found = list(walk.part(one, how, reduced, two))
        except Exception:  # noqa: BLE001, S112 - of the value's own code, which says nothing that way
            continue
        yield from ((number, _text(path), why) for path, why in found)


Step = tuple[Any, str, Any] | None
"""A path: where it starts, and the last step, as ``.`` and a name or ``[`` and a key."""

_Found = tuple[Step, str]
_Pair = tuple[Step, Any, Any]


@dataclass(slots=True)
class _Walk:
    """Compares pairs of objects.

    Attributes
    ----------
    stops
        Identities of objects that are compared on their own.
    ask
        Whether ``==`` may be asked.
    origin
        Of buffers, as in `Reading`.
    """

    stops: frozenset[int]
    ask: bool
    origin: Mapping[int, int]
    _seen: dict[int, Any] = field(default_factory=dict)
    _alive: list[Any] = field(default_factory=list)

    def part(self, one: Any, how: Reducer, reduced: Any, two: Any) -> Iterator[_Found]:
        """Differences of an object that came back by code of its own."""
        cls = type(one)
        if cls is not type(two):
            yield None, f"it comes back as a {type(two).__qualname__}"
            return
        if not _kind(cls).leaves_out:
            yield from self._public(one, two)
        if isinstance(one, _CONTAINERS):
            yield from self._pairs(self._contents(None, one, two))
        if self.ask and differs(one, two):
            yield None, "it does not come back equal"
        if not reduced:
            yield from self._pairs(self._inside(None, one, two))
            return
        try:
            again = how(two)
        except Exception as error:  # noqa: BLE001 - the class's own code
            yield None, f"once it came back, it cannot be saved again: {error!r}"
            return
        yield from self._reductions(reduced, again)

    def _public(self, one: Any, two: Any) -> Iterator[_Found]:
        """What both show; private attributes may be caches."""
        mine, theirs = _attributes(one), _attributes(two)
        pairs: list[_Pair] = []
        for name, value in mine.items():
            if name[:1] == "_":
                continue
            if name in theirs:
                pairs.append(((None, ".", name), value, theirs[name]))
            elif not hasattr(type(one), name):  # else it can be told anew
                yield (None, ".", name), f"its attribute {name!r} does not come back"
        yield from self._pairs(pairs)

    def _reductions(self, one: tuple[Any, ...], two: Any) -> Iterator[_Found]:
        """Arguments and state; what items are iterated over cannot be seen again."""
        if type(two) is not tuple:
            return
        self._alive.append((one, two))  # or another object may get the identity of a part
        for before, after in zip(one[1:3], two[1:3], strict=False):
            if type(before) is tuple and type(after) is tuple and len(before) != len(after):
                continue  # an older and a newer way to say the same
            if type(before) is not dict or type(after) is not dict:
                yield from self._pairs([((None, "", " as it is saved"), before, after)])
                continue
            pairs: list[_Pair] = []
            for key, value in before.items():
                step = (None, "." if isinstance(key, str) else "[", key)
                if key in after:
                    pairs.append((step, value, after[key]))
                else:
                    yield step, f"its attribute {key!r} does not come back"
            yield from self._pairs(pairs)

    def _pairs(self, pairs: Sequence[_Pair] | None) -> Iterator[_Found]:
        """Differences of any objects, down to the next that are compared on their own."""
        if pairs is None:
            yield None, "it does not come back equal"
            return
        stack = list(reversed(pairs))
        while stack:
            where, one, two = stack.pop()
            cls = type(one)
            if one is two or _nothing_said(one, two) or id(one) in self._seen:
                continue
            if cls is not type(two):
                yield where, f"{_name(where)} comes back as a {type(two).__qualname__}"
            elif cls in _SCALARS:
                yield where, f"{_name(where)} does not come back"
            elif id(one) not in self.stops:
                self._seen[id(one)] = one
                inner = self._inside(where, one, two)
                if inner is None:
                    yield where, f"{_name(where)} does not come back equal"
                else:
                    stack.extend(reversed(inner))

    def _inside(self, path: Step, one: Any, two: Any) -> list[_Pair] | None:
        """Pairs of what stands in both, None if it cannot be the same."""
        if isinstance(one, _LEAVES):
            return []
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(one, numpy.ndarray | numpy.generic):
            return self._array(path, one, two)
        inner = self._instance(path, one, two) if _kind(type(one)).plain else []
        if isinstance(one, _CONTAINERS):
            contents = self._contents(path, one, two)
            return None if contents is None else inner + contents
        return None if not inner and self.ask and differs(one, two) else inner

    def _contents(self, path: Step, one: Any, two: Any) -> list[_Pair] | None:
        """As the built-in base sees it, whatever the class makes of it."""
        if isinstance(one, dict):
            (keys, values), (others, theirs) = (
                (list(dict.keys(each)), list(dict.values(each))) for each in (one, two)
            )
            if not keys:  # some keep their items elsewhere until they are pickled
                return []
            if len(keys) != len(others):
                return None
            return _items((path, "", " key "), keys, keys, others) + _items(
                path, keys, values, theirs
            )
        kind: Any = next(base for base in _CONTAINERS if isinstance(one, base))
        mine, theirs = list(kind.__iter__(one)), list(kind.__iter__(two))
        if len(mine) != len(theirs):
            return None
        if kind in (list, tuple):
            return _items(path, range(len(mine)), mine, theirs)
        return None if _scalars(mine) and set(mine) != set(theirs) else []

    def _instance(self, path: Step, one: Any, two: Any) -> list[_Pair]:
        mine, theirs = _attributes(one), _attributes(two)
        return [((path, ".", k), v, theirs.get(k, _ABSENT)) for k, v in mine.items()]

    def _array(self, path: Step, one: Any, two: Any) -> list[_Pair] | None:
        if one.dtype != two.dtype or one.shape != two.shape:
            return None
        if one.dtype.hasobject:
            return _items(path, range(one.size), one.ravel().tolist(), two.ravel().tolist())
        same = self.origin.get(address(two), 0) == address(one)
        return [] if same or _same_bytes(one, two) else None


_CONTAINERS = (list, tuple, dict, set, frozenset)
_LEAVES = (
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
    PurePath,  # of a stored file, it is another one
)
"""What has no inside to compare."""


def _items(path: Step, names: Iterable[Any], one: Any, two: Any) -> list[_Pair]:
    return [
        ((path, "[", name), before, after)
        for name, before, after in zip(names, one, two, strict=True)
        if before is not after and not _nothing_said(before, after)
    ]


def _nothing_said(one: Any, two: Any) -> bool:
    """Whether they are the same number, text or the like; NaN is NaN."""
    cls = type(one)
    if cls not in _SCALARS or cls is not type(two):
        return False
    return bool(one == two or (one != one and two != two))  # noqa: PLR0124


def _scalars(values: Any) -> bool:
    return set(map(type, values)) <= _SCALARS


def _same_bytes(one: Any, two: Any) -> bool:
    """Whether two arrays of one dtype and shape hold the same; padding in between says nothing."""
    if one.ndim and one.flags.c_contiguous and two.flags.c_contiguous:
        mine, theirs = (each.reshape(-1).view("u1") for each in (one, two))
        pieces = range(0, one.nbytes, _CHUNK)
        if all((mine[at : at + _CHUNK] == theirs[at : at + _CHUNK]).all() for at in pieces):
            return True
    if one.dtype.fields:
        return all(_same_bytes(one[name], two[name]) for name in one.dtype.fields)
    return bool(one.tobytes() == two.tobytes())


def address(array: Any) -> int:
    """Where the memory of an array or a numpy scalar begins."""
    return int(array.__array_interface__["data"][0])


class _Kind:
    """What there is to know of a class.

    Attributes
    ----------
    leaves_out
        Whether it says itself, in a ``__getstate__``, what is worth to be kept.
    plain
        Whether its instances are nothing but their attributes.
    slots
        Names of attributes that are not in ``__dict__``.
    """

    __slots__ = ("leaves_out", "plain", "slots")

    def __init__(self, cls: type) -> None:
        bases = [vars(base) for base in cls.__mro__[:-1]]
        self.leaves_out = any("__getstate__" in base for base in bases)
        self.plain = reducer_of(cls) is None and not rebuilds_itself(cls)
        found: list[str] = []
        for base in bases:
            slots = base.get("__slots__", ())
            found.extend((slots,) if isinstance(slots, str) else slots)
        self.slots = [name for name in found if name not in {"__dict__", "__weakref__"}]


_kinds: weakref.WeakKeyDictionary[type, _Kind] = weakref.WeakKeyDictionary()


def _kind(cls: type) -> _Kind:
    if cls not in _kinds:
        _kinds[cls] = _Kind(cls)
    return _kinds[cls]


def _attributes(value: Any) -> dict[str, Any]:
    state = getattr(value, "__dict__", None)
    if not isinstance(state, dict):
        state = {}
    if slots := _kind(type(value)).slots:
        state = state | {name: getattr(value, name) for name in slots if hasattr(value, name)}
    return state


def _name(path: Step) -> str:
    return f"its attribute {path[2]!r}" if path is not None and path[1] == "." else "it"


def _text(path: Step) -> str:
    """As Python writes it."""
    text = ""
    while path is not None:
        path, kind, step = path
        text = f"[{short(step)}]{text}" if kind == "[" else f"{kind}{step}{text}"
    return text
