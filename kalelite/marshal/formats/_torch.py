"""torch: the memory behind tensors goes beside the pickle and is mapped when it comes back.

torch's own pickling knows all kinds of tensors, parameters and modules, and which of them share
memory; only the memory itself it copies through a zip archive. So only storages are reduced
here. A tensor that is a view brings the memory of its base along, as with ``torch.save``.

The graph that computed a tensor does not travel: it comes back as a leaf. Gradients of leaves
do, which torch's own pickling drops; ``optimizer.zero_grad()`` before the return saves the room.
"""

from __future__ import annotations

import importlib
import io
import warnings
from pickle import PickleBuffer
from typing import Any

import numpy as np

from kalelite.marshal.registry import register

torch: Any = importlib.import_module("torch")  # typed on some machines only

_MAPPED_FROM = 65_536
"""Smaller storages are copied when they come back: only torch's own memory can be resized."""


def rebuild_storage(data: Any, device: str) -> Any:
    """A storage over `data`; on the CPU if its device is not here."""
    memory = memoryview(data)
    if memory.nbytes < _MAPPED_FROM:
        storage = torch.UntypedStorage(memory.nbytes)
        if memory.nbytes:
            own = torch.empty(0, dtype=torch.uint8).set_(storage)
            own.numpy()[:] = np.frombuffer(memory, np.uint8)
    else:
        storage = torch.frombuffer(memory, dtype=torch.uint8).untyped_storage()
    if device == "cpu":
        return storage
    try:
        return storage.to(device=torch.device(device))
    except (RuntimeError, AssertionError) as error:  # of torch's own backends, or of none
        reason = str(error).strip().partition("\n")[0]
        warnings.warn(
            f"a tensor saved on {device} is on the CPU here: {reason}", RuntimeWarning, stacklevel=2
        )
        return storage


def rebuild_typed_storage(storage: Any, dtype: Any) -> Any:
    """The same memory, seen as numbers."""
    return torch.storage.TypedStorage(wrap_storage=storage, dtype=dtype, _internal=True)


def rebuild_with_gradient(rebuild: Any, arguments: tuple[Any, ...], gradient: Any) -> Any:
    """A leaf, as torch rebuilds it, with its gradient."""
    tensor = rebuild(*arguments)
    tensor.grad = gradient
    return tensor


def rebuild_script(data: Any) -> Any:
    """A TorchScript module, on the CPU if its device is not here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated
        try:
            return torch.jit.load(io.BytesIO(data))
        except RuntimeError:
            return torch.jit.load(io.BytesIO(data), map_location="cpu")


def _reduce_storage(storage: Any) -> Any:
    if storage.device.type == "meta":
        return NotImplemented
    memory = torch.empty(0, dtype=torch.uint8).set_(storage.cpu()).numpy()
    return rebuild_storage, (memory, str(storage.device))


def _reduce_typed_storage(storage: Any) -> Any:
    return rebuild_typed_storage, (storage._untyped_storage, storage.dtype)  # the public way warns


def _reduce_tensor(tensor: Any) -> Any:
    rebuild, arguments, *rest = tensor.__reduce_ex__(5)
    arguments = _typed(arguments)
    if tensor.is_leaf and tensor.grad is not None:
        return rebuild_with_gradient, (rebuild, arguments, tensor.grad), *rest
    return rebuild, arguments, *rest


def _typed(arguments: Any) -> Any:
    """Storages as torch's own unpickler would hand them over: of float8 and such, it needs to."""
    if type(arguments) is tuple:
        return tuple(map(_typed, arguments))
    if type(arguments) is torch.UntypedStorage:
        return rebuild_typed_storage(arguments, torch.uint8)
    return arguments


def _reduce_script(module: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated
        stream = io.BytesIO()
        torch.jit.save(module, stream)
    return rebuild_script, (PickleBuffer(stream.getbuffer()),)


register(torch.UntypedStorage, reduce=_reduce_storage)
register(torch.storage.TypedStorage, reduce=_reduce_typed_storage)
register(torch.Tensor, reduce=_reduce_tensor, subclasses=True)
register(torch.jit.ScriptModule, reduce=_reduce_script, subclasses=True)
