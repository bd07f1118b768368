"""The generators of random numbers that a process shares: their states, and states derived of them.

This module travels with the steps. It imports the standard library only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from kalelite.blake import blake2b
from kalelite.capture.state.after_import import AfterImport
from kalelite.frozen import frozen


@frozen
class Generator:
    """How the state of a module's generator is read, set, and made of a number of 256 bits."""

    read: Callable[[Any], Any]
    write: Callable[[Any, Any], object]
    seed: Callable[[Any, int], object]


def _numpy_state(module: Any) -> Any:
    kind, keys, *rest = module.get_state()
    return (kind, keys.tolist(), *rest)


def _seed_numpy(module: Any, number: int) -> None:
    module.seed([(number >> shift) & 0xFFFFFFFF for shift in range(0, 256, 32)])


def _set_torch(torch: Any, state: bytes) -> None:
    torch.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))


def _seed_torch(torch: Any, number: int) -> None:
    torch.manual_seed(number & ((1 << 63) - 1))


GENERATORS: Mapping[str, Generator] = {
    "random": Generator(
        lambda module: module.getstate(),
        lambda module, state: module.setstate(state),
        lambda module, number: module.seed(number),
    ),
    "numpy.random": Generator(
        _numpy_state, lambda module, state: module.set_state(state), _seed_numpy
    ),
    "torch": Generator(lambda torch: bytes(torch.get_rng_state().numpy()), _set_torch, _seed_torch),
}
"""By the module that has the generator."""


def _derive_random(random: Any, number: int) -> None:
    random.seed(number)


def _derive_numpy(generator: Any, number: int) -> None:
    bits = generator.bit_generator
    bits.state = type(bits)(number).state


OBJECTS: Mapping[tuple[str, str], Generator] = {
    ("random", "Random"): Generator(
        lambda random: random.getstate(),
        lambda random, state: random.setstate(state),
        _derive_random,
    ),
    ("numpy.random", "RandomState"): Generator(
        _numpy_state, lambda generator, state: generator.set_state(state), _seed_numpy
    ),
    ("numpy.random", "Generator"): Generator(
        lambda generator: generator.bit_generator.state,
        lambda generator, state: setattr(generator.bit_generator, "state", state),
        _derive_numpy,
    ),
    ("torch", "Generator"): Generator(
        lambda generator: bytes(generator.get_state().numpy()),
        lambda generator, state: generator.set_state(
            sys.modules["torch"].frombuffer(bytearray(state), dtype=sys.modules["torch"].uint8)
        ),
        lambda generator, number: generator.manual_seed(number & ((1 << 63) - 1)),
    ),
}
"""By module and class: generators that a script makes, and keeps as globals."""


def kind_of(value: Any) -> Generator | None:
    """How to handle a value that is a generator; None if it is none."""
    for (module, name), kind in OBJECTS.items():
        if module in sys.modules and type(value) is getattr(sys.modules[module], name, None):
            return kind
    return None


def derive(name: str, value: Any, state: Any, place: str | None) -> None:
    """Give a global that is a generator the state itself, or the one derived of it for a place."""
    kind = kind_of(value)
    if kind is None:
        return
    if place is None:
        kind.write(value, state)
    else:
        kind.seed(value, derived(state, f"{place} {name}"))


def states(names: set[str]) -> dict[str, Any]:
    """The states of these generators, as plain data."""
    return {name: GENERATORS[name].read(sys.modules[name]) for name in sorted(names)}


def derived(state: Any, place: str) -> int:
    """A number for a place that differs from that for any other place or state."""
    return int.from_bytes(blake2b(repr((state, place)).encode(), digest_size=32).digest())


def for_place(place: str, first: str) -> str | None:
    """The place that states are derived for; None where they are taken as they are."""
    return None if place.replace("[0]", "") == first else place


def restore(name: str, module: ModuleType, state: Any, place: str | None) -> None:
    """Give a generator the state itself, or the one that is derived of it for a place."""
    if place is None:
        GENERATORS[name].write(module, state)
    else:
        GENERATORS[name].seed(module, derived(state, place))


def begin(states: Mapping[str, Any], place: str | None, after: AfterImport | None = None) -> None:
    """Set generators for a place now, or once they are imported."""
    after = after or AfterImport()
    for name, state in states.items():

        def set_it(name: str = name, state: Any = state) -> None:
            restore(name, sys.modules[name], state, place)

        after.add(name, set_it)
