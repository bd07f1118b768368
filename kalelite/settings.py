"""Settings, and who decides them.

The order is: flag, ``KALELITE_*``, ``[kalelite]`` in setup.cfg or ``[tool.kalelite]`` in
pyproject.toml (of the nearest folder upwards that has one), decorator, default. `resolve` is the
one function that decides; whoever calls it names the sources that it knows, in this order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from kalelite.errors import UsageError, Where
from kalelite.frozen import frozen

PREFIX = "KALELITE_"


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _volume(text: str) -> bool | str:
    booleans = {"true": True, "false": False}
    return booleans.get(text.strip().lower(), _text(text))


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError
    return text


@frozen
class Setting:
    """One setting.

    Attributes
    ----------
    name
        What it is called; its flag, if the command has one, is ``--name``.
    help
        What it decides.
    expects
        What a value looks like: a text, or all values that there are.
    read
        Makes the value from text, or raises ValueError, where the values cannot be counted.
    backend
        The backend that reads it; empty for the command itself.
    metavar
        What stands for a value in the help of the flag.
    secret
        It is never shown, and has no flag, which others on the machine could see.
    """

    name: str
    help: str
    expects: str | tuple[str, ...]
    read: Callable[[str], Any] = _text
    default: Any = None
    backend: str = ""
    metavar: str | None = None
    secret: bool = False

    @property
    def choices(self) -> tuple[str, ...]:
        """All values that there are, if they can be counted."""
        return self.expects if isinstance(self.expects, tuple) else ()


_OUTPUTS = ("auto", "plain", "json")
_VERIFY = ("before", "background", "off")

SETTINGS: Mapping[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            "jobs",
            "how many steps run at once",
            "a number from 1",
            _count,
            backend="local",
            metavar="N",
        ),
        Setting("isolate", "run in a clone of the workspace", ("true", "false"), default="false"),
        Setting("output", "a live table on a terminal, lines, or JSON", _OUTPUTS, default="auto"),
        Setting(
            "home", "where runs and values are kept", "a folder", backend="local", metavar="FOLDER"
        ),
        Setting(
            "verify",
            "when the digests of a step's inputs are checked",
            _VERIFY,
            default="background",
            backend="local",
        ),
        Setting(
            "start",
            "how the processes of steps are made",
            ("auto", "fork", "spawn"),
            default="auto",
            backend="local",
        ),
        Setting("image", "where steps run that name no image", "an image", backend="kubeflow"),
        Setting("marshal", "how values travel", ("volume", "artifacts"), backend="kubeflow"),
        Setting(
            "marshal_volume",
            "the volume that values pass through",
            "true, false or the name of a claim",
            _volume,
            backend="kubeflow",
        ),
        Setting(
            "marshal_volume_size",
            "how large the marshal volume is made; of a claim, what has to be free there",
            "a size such as 10Gi",
            backend="kubeflow",
        ),
        Setting(
            "marshal_path",
            "where steps mount the marshal volume",
            "an absolute path",
            backend="kubeflow",
        ),
        Setting(
            "pods",
            "whether steps that fit together share a pod",
            ("few", "each"),
            backend="kubeflow",
        ),
        Setting(
            "storage_class",
            "the class of volumes that are made",
            "a storage class",
            backend="kubeflow",
        ),
        Setting(
            "access_mode",
            "who may mount them: ReadWriteOnce, ...",
            "an access mode",
            backend="kubeflow",
        ),
        Setting(
            "snapshot_class",
            "the class of snapshots of a notebook's volumes",
            "a snapshot class",
            backend="kubeflow",
            metavar="NAME",
        ),
        Setting(
            "snapshot_timeout",
            "how long a snapshot or a clone may take to be ready",
            "a duration such as 10m",
            default="10m",
            backend="kubeflow",
            metavar="TIME",
        ),
        Setting(
            "kfp_host",
            "the address of the API of Kubeflow Pipelines",
            "an address such as http://localhost:8888",
            backend="kubeflow",
            metavar="URL",
        ),
        Setting(
            "kfp_context",
            "the context of the kubeconfig through which the API is reached",
            "a context",
            backend="kubeflow",
            metavar="NAME",
        ),
        Setting(
            "kfp_namespace",
            "where runs live: with many users, the profile's namespace",
            "a namespace",
            backend="kubeflow",
            metavar="NAME",
        ),
        Setting("kfp_ui", "the address of the UI, for links", "an address", backend="kubeflow"),
        Setting(
            "kfp_token", "the bearer token for the API", "a token", backend="kubeflow", secret=True
        ),
        Setting(
            "kfp_token_file",
            "a file that holds the token, read again when it has expired",
            "a file",
            backend="kubeflow",
        ),
        Setting(
            "kfp_cookies",
            "the cookies of a session, as a browser sends them",
            "name=value; name=value",
            backend="kubeflow",
            secret=True,
        ),
        Setting(
            "kfp_ca",
            "certificates that the API's own is checked with",
            "a file",
            backend="kubeflow",
        ),
        Setting(
            "kfp_verify",
            "whether the API's certificate is checked",
            ("true", "false"),
            default="true",
            backend="kubeflow",
        ),
    )
}


@frozen
class Source:
    """Values of settings from one origin.

    ``origin`` names it, with ``{name}`` or ``{NAME}`` for the setting. ``places`` are the lines of
    a file. Values from the decorator are Python's, all others are text.
    """

    origin: str
    values: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Where] = field(default_factory=dict)
    is_text: bool = True


@frozen
class Value:
    """A setting's value and where it came from."""

    name: str
    value: Any
    origin: str


def resolve(setting: Setting, sources: Iterable[Source]) -> Value:
    """Decide the value of a setting: the first source that has one, else the default.

    Raises `UsageError` if the setting does not take it.
    """
    name = setting.name
    for source in sources:
        raw = source.values.get(name)
        if raw is None:
            continue
        origin = source.origin.format(name=name, NAME=name.upper())
        value = _read(setting, raw, origin, source.places.get(name)) if source.is_text else raw
        return Value(name, value, origin)
    return Value(name, setting.default, "default")


def _read(setting: Setting, raw: Any, origin: str, where: Where | None) -> Any:
    text = str(raw).lower() if isinstance(raw, bool) else str(raw)
    expected = setting.expects
    try:
        if not isinstance(expected, tuple):
            return setting.read(text)
        return expected[expected.index(text)]
    except ValueError:
        if isinstance(expected, tuple):
            expected = f"{', '.join(expected[:-1])} or {expected[-1]}"
        raise UsageError(
            f"{setting.name} = {text!r} ({origin}) is not {expected}",
            hint=f"{setting.name}: {setting.help}.",
            where=where,
        ) from None


def backend_settings(backend: str, values: Mapping[str, Value]) -> dict[str, Any]:
    """The settings of a backend that are not at their defaults."""
    return {
        name: values[name].value
        for name, setting in SETTINGS.items()
        if (setting.backend == backend or name == "home") and values[name].origin != "default"
    }


def settings_here(backend: str, environ: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """The settings of a backend from the environment and the files of a folder, without defaults.

    Raises `UsageError` if one cannot be used.
    """
    sources = [environment(environ), *find_files(folder)]
    values = {name: resolve(setting, sources) for name, setting in SETTINGS.items()}
    return backend_settings(backend, values)


def flags(given: Mapping[str, Any]) -> Source:
    """The flags of the command line."""
    return Source("--{name}", {name: given.get(name) for name in SETTINGS})


def environment(environ: Mapping[str, str]) -> Source:
    """The variables ``KALELITE_*``; empty ones count as not set."""
    return Source(
        PREFIX + "{NAME}", {name: environ.get(PREFIX + name.upper()) or None for name in SETTINGS}
    )


def misspelt_variables(environ: Mapping[str, str]) -> list[str]:
    """Notes about ``KALELITE_*`` variables that look like a misspelt setting."""
    known = {PREFIX + name.upper() for name in SETTINGS} | {PREFIX + "DEBUG", PREFIX + "QUIET"}
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    if not unknown:
        return []
    import difflib

    return [
        f"{name} is not a setting; did you mean {close[0]}?"
        for name in unknown
        if (close := difflib.get_close_matches(name, sorted(known), 1, cutoff=0.8))
    ]


def find_files(start: Path) -> list[Source]:
    """The settings files for a script in the folder `start`: those of the nearest folder with one.

    Of two, setup.cfg comes first.

    Raises `UsageError` if it cannot be parsed, or has a setting that does not exist.
    """
    found: list[Source] = []
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
            if marker in text:
                values = read(path, text)
                places = _places(path, text, values)
                _refuse_unknown(values, places)
                origin = str(path).replace("{", "{{").replace("}", "}}")
                found += [Source(origin, values, places)] if values else []
        if found:
            break
    return found


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


def _refuse_unknown(values: Mapping[str, Any], places: Mapping[str, Where]) -> None:
    unknown = next((name for name in values if name not in SETTINGS), None)
    if unknown is None:
        return
    import difflib

    close = difflib.get_close_matches(unknown, SETTINGS, 1)
    raise UsageError(
        f"there is no setting called {unknown!r}",
        hint=f"Did you mean {close[0]}?" if close else f"Settings: {', '.join(SETTINGS)}.",
        where=places.get(unknown),
    )
