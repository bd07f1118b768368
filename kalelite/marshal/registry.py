"""Which format saves which type, known lazily and along the MRO.

A *format* turns a value into a JSON header and frames of bytes, and back. A *reducer* does the
same for a value that stands inside another one, for the pickle format. Both are registered by
a module that is imported only when a value turns up whose class, or one of its bases, lives in
the root module that the module is registered for: nothing is imported that the user did not.

An encoding such as ``numpy.npy/1`` is a stable load key: its first word names the module that
knows it, and what is written under it must be readable for ever.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pickle import PickleBuffer
from typing import Any, ClassVar

__all__ = [
    "Buffer",
    "Format",
    "FormatStatus",
    "Frame",
    "UnfitError",
    "UserFormat",
    "format_for_encoding",
    "formats_of",
    "formats_status",
    "reducer_of",
    "register",
    "register_encoding",
    "register_format",
    "register_lazy",
    "register_named",
    "register_reducer",
    "user_formats",
    "wake",
]

Buffer = bytes | bytearray | memoryview | PickleBuffer
"""Anything contiguous that holds bytes."""

Frame = Buffer | Sequence[Buffer]
"""A run of bytes, written contiguously; it may be given in pieces."""

Reducer = Callable[[Any], Any]
"""What ``__reduce_ex__(5)`` would return for a value, or NotImplemented to let it."""


class UnfitError(Exception):
    """Raised by `Format.dump`: this value is for the next format. The text says why."""


class Format(ABC):
    """How values of one kind become bytes.

    Attributes
    ----------
    encoding
        The load key, ``<root>.<kind>/<version>``. Changing what it means is a
        backwards-incompatible change: give the new layout a new version and keep the old.
    suffix
        Of the payload file. If the frames, written one after the other and each aligned to
        `ALIGNMENT` bytes, are a file of a known type, name it.
    libraries
        Packages whose versions belong into the manifest.
    data_only
        Whether loading runs no code that the bytes choose. False for pickles.
    python_bound
        Whether the bytes hold bytecode, which only the same minor version of Python runs.
    """

    encoding: ClassVar[str]
    suffix: ClassVar[str] = ".bin"
    libraries: ClassVar[tuple[str, ...]] = ()
    data_only: ClassVar[bool] = True
    python_bound: ClassVar[bool] = False

    @abstractmethod
    def claims(self, value: Any) -> bool:
        """Whether this format brings back this very value exactly, type included."""

    @abstractmethod
    def dump(self, value: Any) -> tuple[dict[str, Any], Sequence[Frame]]:
        """A JSON header and the frames; no input or output, no copy where there is a way.

        A key "libraries" of the header is taken out and added to the attribute `libraries`.
        """

    @abstractmethod
    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        """The value. Frames are writable, private to the caller, and aligned."""

    def equal(self, before: Any, after: Any) -> bool | None:  # noqa: ARG002 - a default to override
        """Whether a small value came back as it was; None if that cannot be told cheaply."""
        return None


ALIGNMENT = 64
"""Each frame starts at a multiple of this: a cache line, and what .npy and Arrow ask for."""


@dataclass(frozen=True, slots=True)
class FormatStatus:
    """One line of ``kalelite formats``. ``state`` is "active", "waiting" or "broken"."""

    root: str
    module: str
    state: str
    encodings: tuple[str, ...] = ()
    reason: str = ""
    source: str = "kalelite"


@dataclass(slots=True)
class _Lazy:
    module: str
    source: str
    state: str = "waiting"
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class UserFormat:
    """One call of `register`."""

    cls: type
    save: Callable[[Any], Any]
    load: Callable[[Any], Any]
    subclasses: bool = False


_OURS = sys.stdlib_module_names | {"", "__main__", "kalelite"}
"""Root modules that nobody else brings formats for, so that most steps need not search."""

_NO_LIBRARIES = frozenset({"data", "pickle", "plain"})
"""Roots of encodings that need no library."""

_searched = False
_users: dict[type, UserFormat] = {}
_named: dict[tuple[str, str], tuple[Callable[[], Any], bool]] = {}
_lazy: dict[str, _Lazy] = {}
_formats: dict[type, list[Format]] = {}
_encodings: dict[str, Format] = {}
_reducers: dict[type, tuple[Reducer, bool]] = {}
_resolved: weakref.WeakKeyDictionary[type, Reducer | None] = weakref.WeakKeyDictionary()
_candidates: weakref.WeakKeyDictionary[type, tuple[Format, ...]] = weakref.WeakKeyDictionary()


def register_lazy(root: str, module: str, *, source: str = "kalelite") -> None:
    """Import `module` when a value whose class lives in the root module `root` turns up.

    Raises
    ------
    ValueError
        Another module is registered for that root.
    """
    known = _lazy.get(root)
    if known is not None and known.module != module:
        raise ValueError(f"formats for {root!r} are registered in {known.module!r} already")
    _lazy.setdefault(root, _Lazy(module, source))
    _resolved.clear()
    _candidates.clear()


def register_format(cls: type, *formats: Format) -> None:
    """Let `formats` save instances of `cls` and of its subclasses; the first that claims wins."""
    for item in formats:
        register_encoding(item)
    _formats.setdefault(cls, []).extend(formats)
    _candidates.clear()


def register_encoding(item: Format) -> None:
    """Let a format read its encoding; nothing is saved with it for that alone.

    Raises
    ------
    ValueError
        The encoding is another format's.
    """
    if (root := _root(item.encoding)) in _lazy:
        wake(root)  # so that nobody takes the name of a format that is not awake yet
    known = _encodings.get(item.encoding)
    if known is not None and type(known) is not type(item):
        raise ValueError(f"the encoding {item.encoding!r} belongs to {type(known).__qualname__}")
    _encodings[item.encoding] = item


def register_reducer(cls: type, reducer: Reducer, *, subclasses: bool = False) -> None:
    """Let `reducer` say how an instance of `cls` is pickled inside another value.

    It returns what ``__reduce_ex__(5)`` would, or NotImplemented to let the value decide. Its
    functions must be importable by name, and stay so: stored values name them. With
    `subclasses` it is asked for instances of subclasses too.
    """
    _reducers[cls] = (reducer, subclasses)
    _resolved.clear()


def register(
    cls: type, *, save: Callable[[Any], Any], load: Callable[[Any], Any], subclasses: bool = False
) -> None:
    """Say how a type of your own, or of a library, is stored: for use in a script.

    It makes the difference for objects that cannot be pickled (they hold a handle), or whose
    pickle is wasteful. The type may then stand anywhere in a value that a step returns.

    Call it in the script, or in a module that the steps import: it holds in every step of the
    pipelines that are run or compiled afterwards. Instances can be read without it: the stored
    value names `load`, or brings it along if it is a function of the script.

    Parameters
    ----------
    cls
        The class.
    save
        Takes an instance and returns what is to be stored instead of it: any value that a step
        could return, for example a tuple of arrays.
    load
        Takes that and returns an instance.
    subclasses
        Whether it holds for instances of subclasses too.

    Examples
    --------
    >>> kalelite.marshal.register(Mesh, save=lambda m: (m.points, m.cells), load=lambda s: Mesh(*s))
    """
    _users[cls] = UserFormat(cls, save, load, subclasses)
    with contextlib.suppress(AttributeError, TypeError):  # a class of an extension module
        setattr(cls, _MARK, (save, load, subclasses))
    register_reducer(cls, _user_reducer(save, load), subclasses=subclasses)


_MARK = "__kalelite_format__"
"""On a class that `register` was called for: a class that travels by value brings it along."""


def _user_reducer(save: Callable[[Any], Any], load: Callable[[Any], Any]) -> Reducer:
    return lambda value: (load, (save(value),))


def user_formats() -> tuple[UserFormat, ...]:
    """All that `register` was called with, to be registered again in each step."""
    return tuple(_users.values())


def register_named(
    module: str, qualname: str, find: Callable[[], Any], *, subclasses: bool = False
) -> None:
    """`register` for a class that nobody has imported yet: `find` gives its `save` and `load`.

    It is called once an instance turns up. What is registered for the class itself comes first.
    """
    _named[module, qualname] = (find, subclasses)
    _resolved.clear()


def _named_reducer(base: type) -> tuple[Reducer | None, bool]:
    """What `register_named` knows of a class."""
    if not _named:
        return None, False
    find, subclasses = _named.get((base.__module__, base.__qualname__), (None, False))
    return (_user_reducer(*find()) if find else None), subclasses


def _find_entry_points() -> None:
    """Register the modules that other distributions offer: entry points name root and module."""
    global _searched  # noqa: PLW0603 - once in a process
    if _searched:
        return
    _searched = True
    from importlib.metadata import entry_points

    for point in entry_points(group="kalelite.formats"):
        source = point.dist.name if point.dist else point.value
        if point.name not in _lazy:
            register_lazy(point.name, point.value, source=source)


def wake(root: str) -> None:
    """Import the module registered for `root`, once; a broken one is remembered, not raised."""
    if root not in _lazy and root not in _OURS:
        _find_entry_points()
    lazy = _lazy.get(root)
    if lazy is None or lazy.state != "waiting":
        return
    lazy.state = "active"  # first, for a module that registers while it is imported
    try:
        importlib.import_module(lazy.module)
    except Exception as error:  # noqa: BLE001 - a broken format must not break other values
        lazy.state, lazy.error = "broken", error


def _root(encoding: str) -> str:
    """The first word of an encoding names the root module that knows it."""
    return encoding.partition("/")[0].partition(".")[0]


def _roots(cls: type) -> Iterator[tuple[type, str]]:
    for base in cls.__mro__:
        module = getattr(base, "__module__", None)
        yield base, module.partition(".")[0] if isinstance(module, str) else ""


def formats_of(value: Any) -> Sequence[Format]:
    """The formats registered for the value's class and its bases, nearest first."""
    cls = type(value)
    if cls not in _candidates:
        for _, root in _roots(cls):
            wake(root)  # which may register formats, and forget the candidates
        _candidates[cls] = tuple(item for base, _ in _roots(cls) for item in _formats.get(base, ()))
    return _candidates[cls]


def format_for_encoding(encoding: str) -> Format:
    """The format that reads `encoding`.

    Raises
    ------
    LookupError
        Nobody here knows it; the cause is the error of the module that should, if it has one.
    """
    if encoding not in _encodings:
        root = _root(encoding)
        wake(root)
        if encoding not in _encodings:
            lazy = _lazy.get(root)
            raise LookupError(encoding) from (lazy.error if lazy else None)
    return _encodings[encoding]


def reducer_of(cls: type) -> Reducer | None:
    """The reducer for instances of exactly this class, None if pickle does it alone."""
    try:
        return _resolved[cls]
    except KeyError:
        pass
    found: Reducer | None = None
    for base, root in _roots(cls):
        wake(root)
        reducer, subclasses = _reducers.get(base, (None, False))
        if reducer is None and _MARK in base.__dict__:
            save, load, subclasses = base.__dict__[_MARK]
            reducer = _user_reducer(save, load)
        if reducer is None:
            reducer, subclasses = _named_reducer(base)
        if reducer is not None and (base is cls or subclasses):
            found = reducer
            break
    _resolved[cls] = found
    return found


def formats_status() -> tuple[FormatStatus, ...]:
    """What is active, what waits for which import, and why one is broken."""
    _find_entry_points()
    lines = []
    for root, lazy in sorted(_lazy.items()):
        if root in sys.modules or root in _NO_LIBRARIES:
            wake(root)
        encodings = tuple(sorted(name for name in _encodings if _root(name) == root))
        reason = f"waiting for a value from {root!r}" if lazy.state == "waiting" else ""
        if lazy.error is not None:
            reason = f"{type(lazy.error).__name__}: {lazy.error}"
        if root == "builtins":
            continue  # it wakes the formats of plain data and of pickles, which have lines
        lines.append(FormatStatus(root, lazy.module, lazy.state, encodings, reason, lazy.source))
    return tuple(lines)
