"""The metadata that Kale keeps in a notebook, as options of a pipeline."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kalelite.errors import Problem, Where
from kalelite.frozen import frozen
from kalelite.notebook.ipynb import NotebookFile
from kalelite.notebook.katib import sweep_command
from kalelite.plan.options.alias import WITHOUT_COUNTERPART
from kalelite.plan.suggest import did_you_mean

_OTHERS = {
    **WITHOUT_COUNTERPART,
    "storage_class_name": "KALELITE_STORAGE_CLASS is the class of the volume that is made for values",
    "volume_access_mode": "KALELITE_ACCESS_MODE says who may mount the volume that is made for values",
    "output_path": "--compile FILE names the compiled file",
    "timeout": 'a step has its own: "steps_defaults": {"timeout": 3600}',
}
_ROK = ("autosnapshot", "snapshot_volumes")
_USED = {
    "base_image", "docker_image", "enable_caching", "experiment", "experiment_name", "katib_metadata",
    "katib_run", "marshal_path", "marshal_volume", "notebook_path", "pipeline_description",
    "pipeline_name", "security_context", "steps_defaults", "volumes",
}  # fmt: skip


@frozen
class KaleMetadata:
    """The pipeline's options, and what of the metadata has no effect, with what to do."""

    options: Mapping[str, Any]
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]


def read_metadata(
    notebook: NotebookFile, options_of: Callable[[list[tuple[str, Where]]], dict[str, Any]]
) -> KaleMetadata:
    """Read ``kubeflow_notebook`` of the metadata; ``options_of`` reads tags as options of steps."""
    where = Where(notebook.path, 1)
    given = _mapping(notebook.metadata.get("kubeflow_notebook"))
    volumes = [_mapping(volume) for volume in given.get("volumes") or ()]
    tags = given.get("steps_defaults") or ()  # or a mapping of options
    experiment = given.get("experiment_name") or _mapping(given.get("experiment")).get("name")
    defaults = {
        "image": given.get("docker_image") or given.get("base_image"),
        "cache": given.get("enable_caching"),
        **_claims(volumes),
        **_user(_mapping(given.get("security_context"))),
        **_given(
            tags if isinstance(tags, Mapping) else options_of([(str(t), where) for t in tags])
        ),
    }
    options = {
        "name": given.get("pipeline_name") or Path(notebook.path).stem,
        "description": given.get("pipeline_description"),
        "experiment": None if experiment == "new" else experiment,
        "marshal_volume": given.get("marshal_volume"),
        "marshal_path": given.get("marshal_path"),
        "defaults": _given(defaults),
    }
    notes = (*_notes(given, volumes, notebook.name),)
    return KaleMetadata(_given(options), notes, (*_nameless(volumes, where),))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value not in (None, "", {})}


def _claims(volumes: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The claims that every step mounts, and the variables that name their paths."""
    claims = [one for one in volumes if one.get("type") == "pvc"]
    shown = [one for one in claims if one.get("expose_as_env_var")]
    return {
        "volumes": {one.get("mount_point", ""): one.get("name", "") for one in claims},
        "env": {
            "KALE_VOLUME_" + re.sub(r"\W", "_", str(one.get("name")).upper()): one.get(
                "mount_point"
            )
            for one in shown
        },
    }


def _user(context: Mapping[str, Any]) -> dict[str, Any]:
    if context.get("enabled") is False:
        return {}
    return {"security_context": {name: context[name] for name in context if name != "enabled"}}


def _nameless(volumes: list[Mapping[str, Any]], where: Where) -> Iterator[Problem]:
    for volume in volumes:
        if not (volume.get("name") and volume.get("mount_point") and volume.get("type")):
            hint = 'Write {"type": "pvc", "name": CLAIM, "mount_point": PATH}.'
            message = f"a volume of the metadata has no name, path or type: {dict(volume)}"
            yield Problem(message, hint, where)


def _notes(given: Mapping[str, Any], volumes: list[Mapping[str, Any]], name: str) -> Iterator[str]:
    """What has no effect, with what to do instead."""
    cloned = [key for key in _ROK if given.get(key)]
    cloned += [f"the volume {one.get('name')}" for one in volumes if _is_clone(one)]
    if cloned:
        yield (
            f"{', '.join(cloned)} of the notebook's metadata: with --kfp the notebook's own volumes"
            " are snapshotted once and cloned, whatever it says."
        )
    for volume in volumes:
        yield from _volume_notes(volume)
    if given.get("katib_run"):
        command = sweep_command(_mapping(given.get("katib_metadata")), name)
        yield f"katib_run of the notebook's metadata has no effect; its search is: {command}"
    for key in [key for key in given if given[key] and key not in {*_USED, *_ROK}]:
        what = f"{_OTHERS[key]}." if key in _OTHERS else did_you_mean(key, {*_OTHERS, *_USED})
        yield f"{key} of the notebook's metadata has no effect: {what}".removesuffix(": ")


def _is_clone(volume: Mapping[str, Any]) -> bool:
    annotations = [_mapping(one).get("key") for one in volume.get("annotations") or ()]
    return volume.get("type") == "clone" or "rok/origin" in annotations


def _volume_notes(volume: Mapping[str, Any]) -> Iterator[str]:
    kind, name = volume.get("type"), volume.get("name")
    if kind != "pvc" and not _is_clone(volume):
        yield (
            f"the volume {name} ({kind}) of the notebook's metadata is not made: make a claim"
            f"{' of that PersistentVolume' if kind == 'pv' else ''} and write its name, with the"
            ' type "pvc".'
        )
    if volume.get("snapshot"):
        yield (
            f"the volume {name} is not snapshotted at the end: add"
            f" snapshot({volume.get('mount_point')!r}, after=…) to the script of kalelite convert."
        )
