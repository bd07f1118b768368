"""Settings: what a flag, the environment, a file, the decorator or nobody said.

The order is: flag, ``KALELITE_*``, ``[kalelite]`` in setup.cfg or ``[tool.kalelite]`` in
pyproject.toml (the nearest folder upwards that has one), decorator, default. `resolve` is the
one function that decides.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kalelite.errors import UsageError, Where

__all__ = ["SETTINGS", "ConfigFile", "Setting", "Value", "find_config", "resolve", "resolve_all"]

PREFIX = "KALELITE_"


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _choice(*words: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return check


def _volume(text: str) -> bool | str:
    words = {"true": True, "false": False}
    return words.get(text.strip().lower(), _text(text))


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError
    return text


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    ``read`` makes the value from text, or raises ValueError; ``expects`` says in words what it
    takes; ``flag`` is empty where the command line has none; ``backend`` names the backend that
    reads it.
    """

    name: str
    read: Callable[[str], Any]
    expects: str
    help: str
    flag: str = ""
    default: Any = None
    backend: str = ""


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "jobs", _count, "a number from 1", "how many steps run at once", "--jobs", backend="local"
    ),
    Setting(
        "output",
        _choice("auto", "plain", "json"),
        "auto, plain or json",
        "a live table on a terminal, lines, or JSON",
        "--output",
        "auto",
    ),
    Setting("home", _text, "a folder", "where runs and values are kept", "--home", backend="local"),
    Setting(
        "verify",
        _choice("before", "background", "off"),
        "before, background or off",
        "when the digests of a step's inputs are checked",
        default="background",
        backend="local",
    ),
    Setting(
        "start",
        _choice("auto", "fork", "spawn"),
        "auto, fork or spawn",
        "how the processes of steps are made",
        default="auto",
        backend="local",
    ),
    Setting("image", _text, "an image", "where steps run that name no image", backend="kubeflow"),
    Setting(
        "marshal_volume",
        _volume,
        "true, false or the name of a claim",
        "the volume that values pass through",
        backend="kubeflow",
    ),
    Setting(
        "marshal_volume_size",
        _text,
        "a size such as 10Gi",
        "how large the marshal volume is made",
        backend="kubeflow",
    ),
    Setting(
        "marshal_path",
        _text,
        "an absolute path",
        "where steps mount the marshal volume",
        backend="kubeflow",
    ),
    Setting(
        "storage_class",
        _text,
        "a storage class",
        "the class of volumes that are made",
        backend="kubeflow",
    ),
    Setting(
        "access_mode",
        _text,
        "an access mode",
        "who may mount them: ReadWriteOnce, ...",
        backend="kubeflow",
    ),
)


@dataclass(frozen=True, slots=True)
class Value:
    """A setting's value and who said it."""

    name: str
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The settings of a file. ``places`` tells where each one stands, ``notes`` what was not read."""

    path: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Where] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _read(setting: Setting, raw: Any, origin: str, where: Where | None = None) -> Value:
    text = str(raw).lower() if isinstance(raw, bool) else str(raw)
    try:
        return Value(setting.name, setting.read(text), origin)
    except ValueError:
        raise UsageError(
            f"{setting.name} = {text!r} ({origin}) is not {setting.expects}",
            hint=f"{setting.name}: {setting.help}.",
            where=where,
        ) from None


def resolve(
    setting: Setting,
    *,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    config: ConfigFile,
    decorator: Mapping[str, Any] | None = None,
) -> Value:
    """Decide the value of a setting.

    Raises
    ------
    UsageError
        Whoever has the word said something that the setting does not take.
    """
    name = setting.name
    variable = PREFIX + name.upper()
    if name in flags:
        return _read(setting, flags[name], setting.flag)
    if environ.get(variable):
        return _read(setting, environ[variable], variable)
    if name in config.values:
        return _read(setting, config.values[name], config.path, config.places.get(name))
    if (decorator or {}).get(name) is not None:
        return Value(name, (decorator or {})[name], "decorator")
    return Value(name, setting.default, "default")


def resolve_all(
    flags: Mapping[str, Any], environ: Mapping[str, str], config: ConfigFile
) -> dict[str, Value]:
    """Every setting by its name."""
    return {
        setting.name: resolve(setting, flags=flags, environ=environ, config=config)
        for setting in SETTINGS
    }


def settings_for(backend: str, settings: Mapping[str, Value]) -> dict[str, Any]:
    """The settings of a backend that a flag, the environment or a file gives."""
    mine = [setting.name for setting in SETTINGS if setting.backend == backend]
    return {name: settings[name].value for name in mine if settings[name].origin != "default"}


def find_config(start: Path) -> ConfigFile:
    """The settings file for a script in the folder `start`, empty if there is none.

    Raises
    ------
    UsageError
        The file cannot be parsed, or has a setting that does not exist.
    """
    notes: list[str] = []
    for folder in (start, *start.parents):
        for name, marker, read in (
            ("setup.cfg", "[kalelite]", _setup_cfg),
            ("pyproject.toml", "tool.kalelite", _pyproject),
        ):
            path = folder / name
            try:
                text = path.read_text("utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            if marker not in text:
                continue
            values = read(path, text)
            places = _places(path, text, values)
            _known(values, places)
            return ConfigFile(str(path), values, places, tuple(notes))
    return ConfigFile(notes=tuple(notes))


def _setup_cfg(path: Path, text: str) -> dict[str, Any]:
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text, str(path))
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or 1
        raise UsageError(
            "setup.cfg cannot be read: " + str(error).splitlines()[0],
            where=Where(str(path), line),
        ) from error
    return dict(parser["kalelite"]) if parser.has_section("kalelite") else {}


def _pyproject(path: Path, text: str) -> dict[str, Any]:
    import tomllib

    try:
        table = tomllib.loads(text).get("tool", {}).get("kalelite", {})
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"pyproject.toml cannot be read: {error}", where=Where(str(path), 1)
        ) from error
    return dict(table)


def _places(path: Path, text: str, values: Mapping[str, Any]) -> dict[str, Where]:
    places: dict[str, Where] = {}
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("["):
            inside = line.strip() in {"[kalelite]", "[tool.kalelite]"}
        name = line.replace(":", "=").partition("=")[0].strip().lower()
        if inside and name in values and name not in places:
            places[name] = Where(str(path), number, text=line)
    return places


def _known(values: Mapping[str, Any], places: Mapping[str, Where]) -> None:
    names = [setting.name for setting in SETTINGS]
    unknown = next((name for name in values if name not in names), None)
    if unknown is None:
        return
    import difflib

    close = difflib.get_close_matches(unknown, names, 1)
    raise UsageError(
        f"there is no setting called {unknown!r}",
        hint=f"Did you mean {close[0]}?" if close else f"Settings: {', '.join(names)}.",
        where=places.get(unknown),
    )


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Notes about ``KALELITE_*`` variables that look like a misspelt setting."""
    known = {PREFIX + setting.name.upper() for setting in SETTINGS} | {PREFIX + "DEBUG"}
    strange = [name for name in environ if name.startswith(PREFIX) and name not in known]
    if not strange:
        return []
    import difflib

    return [
        f"{name} is not a setting; did you mean {close[0]}?"
        for name in sorted(strange)
        if (close := difflib.get_close_matches(name, sorted(known), 1, cutoff=0.8))
    ]


def start_folder(script: str) -> Path:
    """Where the search for a settings file begins: beside the script, else here."""
    return Path(os.path.abspath(script)).parent if script else Path.cwd()  # noqa: PTH100 - abspath keeps symlinks
