"""keras: its own .keras file inside the pickle, and the variables that such a file leaves out.

Those are the states of random generators (of Dropout and its like), without which training would
go on differently, and of metrics. Otherwise keras decides what a model is made of: a class of the
user's own has to be registered with ``keras.saving.register_keras_serializable``, and what is not
in its ``get_config`` does not come back.
"""

from __future__ import annotations

import importlib
from typing import Any

from kalelite.marshal.registry import register

keras: Any = importlib.import_module("keras")  # typed on some machines only


def rebuild_layer(rebuild: Any, arguments: tuple[Any, ...], variables: list[Any]) -> Any:
    """A model or layer as keras rebuilds it, with every variable as it was."""
    layer = rebuild(*arguments)
    if len(layer.variables) == len(variables):  # metrics make theirs only once they are used
        for variable, value in zip(layer.variables, variables, strict=True):
            variable.assign(value)
    return layer


def _reduce_layer(layer: Any) -> Any:
    rebuild, arguments, *rest = layer.__reduce__()
    variables = [keras.ops.convert_to_numpy(variable) for variable in layer.variables]
    return rebuild_layer, (rebuild, arguments, variables), *rest


register(keras.Layer, reduce=_reduce_layer, subclasses=True)
