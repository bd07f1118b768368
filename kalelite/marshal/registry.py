"""Which format stores which type, known lazily and along the MRO.

To write a format, add a file to `kalelite.marshal.formats` and its line to the table there, or
offer a module of your own under the entry-point group ``kalelite.formats``, whose names are root
modules (``mylib = mylib_kalelite``). It is imported only when a value turns up whose class, or one
of its bases, lives in that root module: nothing is imported that the user did not import. The
module calls `register`, with one or both of

- a `Format`, which writes a value that a step returned to a file of its own: frames of bytes that
  other tools can open, and a JSON header;
- how an instance is taken apart wherever else it stands: ``save`` and ``load``, or ``reduce``.
  They give values in turn, which are stored as their own formats do it. So a format is composed
  of others: a tensor hands its memory to numpy, and numpy writes it.

An encoding such as ``numpy.npy/1`` is a stable load key: its first word names the module that
knows it, and what is written under it must be readable for ever.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pickle import PickleBuffer
from typing import Any, ClassVar, overload

from kalelite.frozen import frozen, mutable
from kalelite.marshal.formats import LIBRARIES

Buffer = bytes | bytearray | memoryview | PickleBuffer
"""Anything contiguous that holds bytes."""

Frame = Buffer | Sequence[Buffer]
"""A run of bytes, written contiguously; it may be given in pieces."""

Reducer = Callable[[Any], Any]
"""What ``__reduce_ex__(5)`` would return for a value, or NotImplemented to let it."""


class PartError(Exception):
    """Raised by `Format.dump`: a part of the value cannot be saved; the cause or the text is the reason.

    Attributes
    ----------
    parts
        Objects in the order in which they were saved; the last is the one that cannot be.
    final
        Whether no other format can save it either.
    """

    def __init__(self, reason: str, parts: Sequence[Any], *, final: bool = False) -> None:
        super().__init__(reason)
        self.parts = parts
        self.final = final


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
    runs_code
        Whether loading runs code that the bytes choose, as pickles do.
    python_bound
        Whether the bytes hold bytecode, which only the same minor version of Python runs.
    """

    encoding: ClassVar[str]
    suffix: ClassVar[str] = ".bin"
    libraries: ClassVar[tuple[str, ...]] = ()
    runs_code: ClassVar[bool] = False
    python_bound: ClassVar[bool] = False

    @abstractmethod
    def claims(self, value: Any) -> bool:
        """Whether this format brings back this very value exactly, type included."""

    @abstractmethod
    def dump(self, value: Any) -> tuple[dict[str, Any], Sequence[Frame]]:
        """A JSON header and the frames; no input or output, no copy where there is a way.

        A key "libraries" of the header is taken out and added to the attribute `libraries`; so is
        "doubtful", which makes the store try at once whether the value can be loaded.
        """

    @abstractmethod
    def load(self, header: Mapping[str, Any], frames: Sequence[memoryview]) -> Any:
        """The value. Frames are writable, private to the caller, and aligned."""


ALIGNMENT = 64
"""Each frame starts at a multiple of this: a cache line, and what .npy and Arrow ask for."""


@frozen
class FormatStatus:
    """One line of ``kalelite formats``. ``state`` is "active", "waiting" or "broken"."""

    root: str
    module: str
    state: str
    encodings: tuple[str, ...] = ()
    reason: str = ""
    source: str = "kalelite"


@mutable
class _Library:
    """The module that registers the formats of a root module's classes."""

    module: str
    source: str = "kalelite"
    state: str = "waiting"
    error: BaseException | None = None


@frozen
class UserFormat:
    """One call of `register` with `save` and `load`."""

    cls: type
    save: Callable[[Any], Any]
    load: Callable[[Any], Any]
    subclasses: bool = False

    def reduce(self, value: Any) -> Any:
        """What a pickle names instead of the value."""
        return self.load, (self.save(value),)


_OURS = sys.stdlib_module_names | {"", "__main__", "kalelite"}
"""Root modules that nobody else brings formats for, so that most steps need not search."""

_NO_LIBRARIES = frozenset({"pickle", "plain"})
"""Roots of encodings that need no library."""

_MARK = "__kalelite_format__"
"""On a class that has a `UserFormat`: a class that travels by value brings it along."""

_libraries = {root: _Library(module) for root, module in LIBRARIES.items()}
_users: dict[type, UserFormat] = {}
_formats: dict[type, list[Format]] = {}
_encodings: dict[str, Format] = {}
_reducers: dict[type | str, tuple[Reducer, bool]] = {}
_resolved: weakref.WeakKeyDictionary[type, Reducer | None] = weakref.WeakKeyDictionary()
_candidates: weakref.WeakKeyDictionary[type, tuple[Format, ...]] = weakref.WeakKeyDictionary()


@overload
def register(
    cls: type, *, save: Callable[[Any], Any], load: Callable[[Any], Any], subclasses: bool = False
) -> None: ...


@overload
def register(
    cls: type, *formats: Format, reduce: Reducer | None = None, subclasses: bool = False
) -> None: ...


@overload
def register(cls: str, *, reduce: Reducer, subclasses: bool = False) -> None: ...


def register(
    cls: type | str,
    *formats: Format,
    save: Callable[[Any], Any] | None = None,
    load: Callable[[Any], Any] | None = None,
    reduce: Reducer | None = None,
    subclasses: bool = False,
) -> None:
    """Define how instances of a class are stored.

    A script gives `save` and `load`, for a type of its own or of a library whose objects cannot be
    pickled (they hold a handle) or whose pickle is wasteful. The type may then stand anywhere in a
    value that a step returns. Call it in the script, or in a module that the steps import: it
    holds in every step of the pipelines that are run or compiled afterwards. Instances can be read
    without it: the stored value names `load`, or brings it along if it is a function of the script.

    Parameters
    ----------
    cls
        The class; for `reduce`, also ``module:qualname`` of one that nobody has imported yet.
    formats
        For values that a step returns as they are; the first that claims a value writes it. They
        are asked for instances of subclasses too.
    save
        Takes an instance and returns what is to be stored instead of it: any value that a step
        could return, for example a tuple of arrays.
    load
        Takes that and returns an instance.
    reduce
        Instead of `save` and `load`: returns what ``__reduce_ex__(5)`` would, or NotImplemented to
        leave it to the class. Stored values name the functions in it.
    subclasses
        Whether `save` or `reduce` holds for instances of subclasses too.

    Raises
    ------
    ValueError
        The encoding belongs to another format.
    TypeError
        No way to store instances is given, or one of `save` and `load` is missing.

    Examples
    --------
    >>> kalelite.marshal.register(Mesh, save=lambda m: (m.points, m.cells), load=lambda s: Mesh(*s))
    """
    if (save is None) != (load is None) or not (formats or save or reduce):
        raise TypeError("give save and load, or reduce, or formats")
    if isinstance(cls, type):
        for item in formats:
            _add_encoding(item)
        _formats.setdefault(cls, []).extend(formats)
        if save and load:
            _users[cls] = user = UserFormat(cls, save, load, subclasses)
            reduce = user.reduce
            with contextlib.suppress(AttributeError, TypeError):  # a class of an extension module
                setattr(cls, _MARK, (save, load, subclasses))
    if reduce:
        _reducers[cls] = (reduce, subclasses)
    _resolved.clear()
    _candidates.clear()


def _add_encoding(item: Format) -> None:
    library = _libraries.get(root := _root(item.encoding))
    if library is None or library.module not in sys.modules:
        wake(root)  # so that nobody takes the name of a format that is not awake yet
    known = _encodings.setdefault(item.encoding, item)
    if type(known) is not type(item):
        raise ValueError(f"the encoding {item.encoding!r} belongs to {type(known).__qualname__}")


def user_formats() -> tuple[UserFormat, ...]:
    """What `register` was called with in the script, to be registered again in each step."""
    return tuple(_users.values())


@functools.cache
def _find_entry_points() -> None:
    """Register the modules that other distributions offer: entry points name root and module."""
    from importlib.metadata import entry_points

    for point in entry_points(group="kalelite.formats"):
        source = point.dist.name if point.dist else point.value
        _libraries.setdefault(point.name, _Library(point.value, source))


def wake(root: str) -> None:
    """Import the module that knows `root`, once; a broken one is remembered, not raised."""
    if root not in _libraries and root not in _OURS:
        _find_entry_points()
    library = _libraries.get(root)
    if library is None or library.state != "waiting":
        return
    try:
        importlib.import_module(library.module)  # other threads wait until it has registered all
        library.state = "active"
    except Exception as error:  # a broken format must not break other values
        library.state, library.error = "broken", error


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
    found = _candidates.get(cls)
    if found is None:
        for _, root in _roots(cls):
            wake(root)  # which may register formats, and forget the candidates
        found = tuple(item for base, _ in _roots(cls) for item in _formats.get(base, ()))
        _candidates[cls] = found
    return found


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
            library = _libraries.get(root)
            raise LookupError(encoding) from (library.error if library else None)
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
        known = _reducers.get(base)
        if known is None and _MARK in base.__dict__:
            user = UserFormat(base, *base.__dict__[_MARK])
            known = user.reduce, user.subclasses
        known = known or _reducers.get(f"{base.__module__}:{base.__qualname__}")
        if known is not None and (base is cls or known[1]):
            found = known[0]
            break
    _resolved[cls] = found
    return found


def formats_status() -> tuple[FormatStatus, ...]:
    """What is active, what waits for which import, and why one is broken."""
    _find_entry_points()
    lines = []
    for root, library in sorted(_libraries.items()):
        if root in sys.modules or root in _NO_LIBRARIES:
            wake(root)
        encodings = tuple(sorted(name for name in _encodings if _root(name) == root))
        reason = f"waiting for a value from {root!r}" if library.state == "waiting" else ""
        if library.error is not None:
            reason = f"{type(library.error).__name__}: {library.error}"
        if root == "builtins":
            continue  # it wakes the formats of plain data and of pickles, which have lines
        lines.append(
            FormatStatus(root, library.module, library.state, encodings, reason, library.source)
        )
    return tuple(lines)
