"""The arguments of a task: slots as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kalelite.errors import MarshalError
from kalelite.executor.spec import Slot
from kalelite.marshal.sharing import SharedLoads
from kalelite.marshal.store import select

if TYPE_CHECKING:
    from kalelite.capture.load import CodeSource
    from kalelite.marshal.store import Store


class ArgumentValues:
    """Turns slots into values; an output is loaded once, and is one object as it was before."""

    def __init__(self, code: CodeSource, store: Store) -> None:
        self._code = code
        self._loads = SharedLoads(store)

    def argument(self, name: str, slot: Slot) -> Any:
        try:
            return self.value(slot)
        except MarshalError as error:
            error.message = f"argument {name!r}: {error.message}"
            raise

    def value(self, slot: Slot) -> Any:
        return select(self._base(slot), slot.get("path", ()))

    def _base(self, slot: Slot) -> Any:
        if "ref" in slot:
            return self._loads.load(slot["ref"], slot.get("from", ""))
        if "value" in slot:
            return slot["value"]
        if "const" in slot:
            return self._code.constant(slot["const"])
        if "status" in slot:
            from kalelite.plan.status import FinalStatus

            return FinalStatus(**slot["status"])
        items = [self.value(item) for item in slot["of"]]
        if slot["pack"] == "list":
            return items
        if slot["pack"] == "tuple":
            return tuple(items)
        if slot["pack"] == "dict":
            return dict(zip((self.value(key) for key in slot["keys"]), items, strict=True))
        return self.value(slot["type"])(*items)
