"""What a pod is given about its task: an entry of the bundle's ``tasks.json``.

The compiler writes it, the pod reads it, and it is plain JSON: these types are all that the two
have to agree on.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

Reading = Literal["value", "text", "slot", "index", "ref", "file"]
"""How the pod reads an input: as KFP has it; a pipeline parameter from its text; a loop item from
the text of a slot, or from its index among constants; a reference to the store; the path of a file.
"""

Form = Literal["native", "ref", "items"]
"""How an output is handed on: as a primitive of KFP, as a reference to the store, or as a list of
the texts of slots, over which a loop goes."""

Reader = Literal["", "kfp", "container"]
"""Who reads a primitive output: no one but people, KFP for a condition or loop, or the command of
a container."""


class InputPort(TypedDict):
    """An input of a task; of values collected from a loop, ``reading`` is that of each of them.

    ``symbol`` is what `kalelite.executor.template` calls the input, as ``["output", "<task>",
    "<output>"]``; ``name`` and ``type`` are those of the KFP parameter. The others are there for
    some inputs only: the name of the constant that holds a loop's items, and of the one that holds
    a parameter's annotation, and the tasks whose end a status is about.
    """

    symbol: list[Any]
    name: str
    type: str
    reading: Reading
    items: NotRequired[str]
    convert: NotRequired[str]
    tasks: NotRequired[list[str]]


class OutputPort(TypedDict):
    """A KFP parameter, by ``name`` and ``type``, that is written from the step's ``output``."""

    output: str
    form: Form
    name: str
    type: str
    reader: Reader


class TaskManifest(TypedDict):
    """A task.

    ``template`` is the JSON of a `kalelite.executor.spec.TaskSpec` to be filled. ``looped``: the
    task runs once for each item of a loop; ``tolerant``: it runs without the values of
    tasks that have failed.
    """

    template: dict[str, Any]
    inputs: list[InputPort]
    outputs: list[OutputPort]
    looped: bool
    tolerant: bool
