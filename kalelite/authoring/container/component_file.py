"""KFP's component files: ``component.yaml`` of v1, and compiled container components of v2."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from kalelite.errors import UsageError, Where
from kalelite.plan.container_command import (
    Concat,
    IfPresent,
    InputPath,
    InputValue,
    OutputPath,
    Word,
)
from kalelite.plan.graph import REQUIRED, ContainerDef, Output, Parameter
from kalelite.plan.names import unique
from kalelite.plan.options import step_options
from kalelite.plan.types.convert import convert
from kalelite.plan.types.fit import native_name

_TYPES: dict[str, Any] = {
    "string str": str,
    "integer int number_integer": int,
    "float double number_double": float,
    "bool boolean": bool,
    "list jsonarray": list,
    "dict struct jsonobject": dict,
}
_TYPES = {name: kind for names, kind in _TYPES.items() for name in names.split()}
_PLACE = re.compile(
    r"\{\{\$\.(inputs|outputs)\.(parameters|artifacts)\[['\"]([^'\"]+)['\"]\]([.\w]*)\}\}"
)


def load(source: str | Path, where: Where | None = None) -> ContainerDef:
    """The container step that a component describes; see `kalelite.load_component`."""
    text, origin = _read(source, where)
    data = _parse(text, origin)
    reader = _Component(origin, where)
    try:
        if "implementation" in data:
            return reader.v1(data)
        if "deploymentSpec" in data:
            return reader.v2(data)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reader.wrong(f"a part of it is not as it has to be in a component ({error})")
    raise UsageError(
        f"{origin} is not a KFP component",
        hint="A component has 'implementation' (v1) or 'deploymentSpec' (v2) at its top.",
        where=where,
    )


def _read(source: str | Path, where: Where | None) -> tuple[str, str]:
    """The YAML, and a phrase for where it came from."""
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{")):
        return source, "the text"
    if str(source).startswith(("http://", "https://")):
        hint = "Download the file, and give its path."
        raise UsageError(f"{source} is an address on the network", hint=hint, where=where)
    try:
        return Path(source).read_text(encoding="utf-8"), str(source)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"cannot read the component {source}: {reason}"
        hint = f"The path is seen from {Path.cwd()}." if not Path(source).is_absolute() else ""
        raise UsageError(message, hint=hint, where=where) from None


def _parse(text: str, origin: str) -> Mapping[str, Any]:
    try:
        import yaml
    except ImportError:
        raise UsageError(
            "reading component files needs PyYAML, which is not installed",
            hint="Install it: pip install 'kalelite[kfp]', or pip install pyyaml.",
        ) from None
    try:
        documents = list(yaml.safe_load_all(text))
    except (yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{origin} is not valid YAML: {reason}") from None
    if not documents or not isinstance(documents[0], Mapping):
        raise UsageError(f"{origin} is not a KFP component: its top is not a mapping")
    return documents[0]


class _Component:
    """Reads one component; ``names`` are its inputs' and outputs' own names by ours."""

    def __init__(self, origin: str, where: Where | None) -> None:
        self.origin = origin
        self.where = where
        self.inputs: dict[str, Parameter] = {}
        self.outputs: dict[str, Output] = {}
        self.input_names: dict[str, str] = {}
        self.output_names: dict[str, str] = {}
        self.read_text: Callable[[str], Word] = self._text

    def wrong(self, message: str, hint: str = "") -> NoReturn:
        raise UsageError(f"{self.origin}: {message}", hint=hint, where=self.where)

    def v1(self, data: Mapping[str, Any]) -> ContainerDef:
        self.read_text = str  # a text of v1 has no placeholders in it
        implementation = self._mapping(data, "implementation")
        if "container" not in implementation:
            self.wrong("it is a graph of components, not a container", "Load its parts.")
        container = self._mapping(implementation, "container")
        for entry in self._list(data, "inputs"):
            self._input(entry.get("name"), entry.get("type"), entry)
        for entry in self._list(data, "outputs"):
            self._output(entry.get("name"), entry.get("type"))
        return self._definition(data.get("name"), data.get("description"), container)

    def v2(self, data: Mapping[str, Any]) -> ContainerDef:
        executors = self._mapping(self._mapping(data, "deploymentSpec"), "executors")
        components = self._mapping(data, "components")
        if len(executors) != 1 or len(components) != 1:
            self.wrong(f"it holds {len(executors)} components", "Compile each of them by itself.")
        ((label, component),) = components.items()
        (executor,) = executors.values()
        container = self._mapping(executor, "container")
        inputs = component.get("inputDefinitions") or {}
        for name, entry in self._mapping(inputs, "parameters", {}).items():
            self._input(name, entry.get("parameterType"), entry)
        for name, entry in self._mapping(inputs, "artifacts", {}).items():
            self._input(name, "", entry)
        outputs = component.get("outputDefinitions") or {}
        for name, entry in self._mapping(outputs, "parameters", {}).items():
            self._output(name, entry.get("parameterType"))
        for name in self._mapping(outputs, "artifacts", {}):
            self._output(name, "")
        name = self._mapping(data, "pipelineInfo", {}).get("name") or label.removeprefix("comp-")
        return self._definition(name, component.get("description"), container)

    def _definition(
        self, name: Any, description: Any, container: Mapping[str, Any]
    ) -> ContainerDef:
        image = container.get("image")
        env = container.get("env") or {}
        if isinstance(env, list):
            env = {entry.get("name"): entry.get("value") for entry in env}
        options, problems = step_options(self.where, env=env)
        problems += step_options(self.where, image=image or "")[1]
        if problems:
            self.wrong(problems[0].message, problems[0].hint)
        return ContainerDef(
            name=str(name or "component"),
            image=str(image),
            command=tuple(map(self._word, self._list(container, "command", plain=True))),
            args=tuple(map(self._word, self._list(container, "args", plain=True))),
            inputs=self.inputs,
            outputs=self.outputs,
            description=str(description or ""),
            options=options,
            where=self.where,
        )

    def _input(self, name: Any, kind: Any, entry: Mapping[str, Any]) -> None:
        own = self._identifier(name, self.input_names)
        known = _type(kind)
        is_optional = entry.get("optional", entry.get("isOptional")) is True
        default = entry.get("default", entry.get("defaultValue", None if is_optional else REQUIRED))
        if default is not REQUIRED and default is not None:
            if known is int and isinstance(default, float) and default.is_integer():
                default = int(default)  # KFP writes every number as a float
            default = convert(default, known, name=own, text=isinstance(default, str))
        description = str(entry.get("description") or "")
        self.inputs[own] = Parameter(own, known, default, description, self.where)

    def _output(self, name: Any, kind: Any) -> None:
        own = self._identifier(name, self.output_names)
        known = _type(kind)
        self.outputs[own] = Output(own, len(self.outputs), native_name(known), known)

    def _identifier(self, name: Any, names: dict[str, str]) -> str:
        if not isinstance(name, str) or not name:
            self.wrong(f"an input or output has no name but {name!r}")
        own = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or "value"
        own = unique(f"_{own}" if own[0].isdigit() else own, set(names.values()), separator="_")
        names[name] = own
        return own

    def _word(self, word: Any) -> Word:
        """A word: a text, or a mapping with one placeholder."""
        if isinstance(word, (str, int, float)) and not isinstance(word, bool):
            return self.read_text(str(word))
        if not isinstance(word, Mapping) or len(word) != 1:
            self.wrong(f"{word!r} is not a word of a command")
        ((kind, value),) = word.items()
        if kind in {"inputValue", "inputPath", "outputPath"}:
            return self._placeholder(kind, value)
        if kind in {"concat", "Concat"}:
            return Concat(tuple(map(self._word, value)))
        if kind == "if":
            condition = value.get("cond", {})
            if not isinstance(condition, Mapping) or "isPresent" not in condition:
                self.wrong(f"'if' understands isPresent only, not {condition!r}")
            return self._if(condition["isPresent"], value.get("then"), value.get("else"))
        if kind == "IfPresent":
            return self._if(value.get("InputName"), value.get("Then"), value.get("Else"))
        return self.wrong(f"the placeholder {kind!r} is not known", "Use inputPath or outputPath.")

    def _if(self, name: Any, then: Any, otherwise: Any) -> IfPresent:
        own = self._known(name, self.input_names, "input")
        parts = [value if isinstance(value, list) else [value] for value in (then, otherwise or [])]
        return IfPresent(own, *(tuple(map(self._word, part)) for part in parts))

    def _text(self, text: str) -> Word:
        """Text of v2, with ``{{$…}}`` in it, or a placeholder as JSON."""
        if text.startswith(('{"Concat"', '{"IfPresent"')):
            return self._word(json.loads(text))
        parts: list[Word] = []
        end = 0
        for match in _PLACE.finditer(text):
            parts.append(text[end : match.start()])
            side, kind, name, rest = match.groups()
            if side == "outputs":
                parts.append(self._placeholder("outputPath", name))
            elif kind == "parameters":
                parts.append(self._placeholder("inputValue", name))
            elif rest == ".path":
                parts.append(self._placeholder("inputPath", name))
            else:
                self.wrong(f"{match.group()} cannot be used here", "Use the artifact's path.")
            end = match.end()
        parts.append(text[end:])
        if any(isinstance(part, str) and "{{$" in part for part in parts):
            self.wrong(
                "it needs KFP's own executor in the image, as a Python component does",
                "Decorate the function itself with @kalelite.step.",
            )
        parts = [part for part in parts if part != ""]
        return parts[0] if len(parts) == 1 else Concat(tuple(parts)) if parts else ""

    def _placeholder(self, kind: str, name: Any) -> Word:
        if kind == "outputPath":
            return OutputPath(self._known(name, self.output_names, "output"))
        own = self._known(name, self.input_names, "input")
        return InputPath(own) if kind == "inputPath" else InputValue(own)

    def _known(self, name: Any, names: Mapping[str, str], kind: str) -> str:
        if name not in names:
            self.wrong(f"its command names the {kind} {name!r}, which it does not declare")
        return names[name]

    def _mapping(self, data: Mapping[str, Any], key: str, default: Any = None) -> Mapping[str, Any]:
        value = data.get(key, default)
        if not isinstance(value, Mapping):
            self.wrong(f"{key!r} is {'missing' if value is None else 'not a mapping'}")
        return value

    def _list(self, data: Mapping[str, Any], key: str, *, plain: bool = False) -> list[Any]:
        value = data.get(key) or []
        if not isinstance(value, list) or not (
            plain or all(isinstance(entry, Mapping) for entry in value)
        ):
            self.wrong(f"{key!r} is not a list")
        return value


def _type(kind: Any) -> Any:
    """The Python type of a KFP type; one that is no primitive is a file."""
    if kind is None:
        return str
    return _TYPES.get(kind.lower(), Path) if isinstance(kind, str) else Path
