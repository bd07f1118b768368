"""The container engine of this machine: Docker, Podman or nerdctl, by its command."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kalelite.attempts import machine as limits
from kalelite.frozen import frozen
from kalelite.plan.options import StepOptions
from kalelite.plan.options.quantity import parse, size_of
from kalelite.plan.options.values import (
    ConfigMapEnv,
    ConfigMapFiles,
    SecretEnv,
    SecretFiles,
    Volume,
)

NAMES = ("docker", "podman", "nerdctl")
"""The commands that are tried, the first that answers is taken."""

_INFO_TIMEOUT = 15
"""Seconds that an engine has to say what it is."""


@frozen
class Engine:
    """An engine that answers: ``program`` is the path of its command.

    ``podman`` is whether it is Podman, whatever the command is called; ``cpu`` and ``memory``
    whether it can hold containers to so much.
    """

    program: str
    podman: bool = False
    cpu: bool = True
    memory: bool = True

    @property
    def name(self) -> str:
        return Path(self.program).name

    def flags(
        self,
        options: StepOptions,
        gpus: Sequence[str],
        folders: Mapping[str, Path],
        environ: Mapping[str, str],
    ) -> list[str]:
        """The arguments of ``run`` that a step's options amount to.

        ``folders`` are the local folders of claims, by their names. Secrets are taken from
        ``environ``, the variables of this process, by name.
        """
        found = [f"--env={name}={value}" for name, value in options.env.items()]
        for entry in (*options.secrets, *options.config_maps):
            if isinstance(entry, SecretEnv | ConfigMapEnv) and entry.variable in environ:
                # Without its value, which others could read in the list of processes.
                found += [f"--env={entry.variable}"]
            elif isinstance(entry, SecretFiles | ConfigMapFiles) and Path(entry.path).is_dir():
                found += mount(Path(entry.path), entry.path, read_only=True)
        found += self._bounds(options)
        found += self._devices(gpus)
        context = options.security_context
        if context is not None and context.run_as_user is not None:
            group = "" if context.run_as_group is None else f":{context.run_as_group}"
            found.append(f"--user={context.run_as_user}{group}")
        for volume in options.volumes:
            folder = _folder(volume, folders)
            if folder.exists():
                found += mount(folder, volume.path, read_only=bool(volume.read_only))
        return found

    def _bounds(self, options: StepOptions) -> list[str]:
        """A limit goes before a request, which bounds the step where nothing else does."""
        found = []
        cpu, memory = options.cpu_limit or options.cpu, options.memory_limit or options.memory
        if cpu and self.cpu:
            # Engines refuse more than there is.
            found.append(f"--cpus={min(float(parse(cpu)), limits.cores()):g}")
        if memory and self.memory:
            found.append(f"--memory={size_of(memory)}")
        return found

    def _devices(self, gpus: Sequence[str]) -> list[str]:
        if self.podman:
            return [f"--device=nvidia.com/gpu={gpu}" for gpu in gpus]
        # The quotes are Docker's: without them it takes the comma for its own.
        return [f'--gpus="device={",".join(gpus)}"'] if gpus else []


def mount(source: Path, target: str, *, read_only: bool = False) -> list[str]:
    """The arguments that put a file or folder of this machine into a container."""
    fields = ["type=bind", f"source={source.resolve()}", f"target={target}"]
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([*fields, *(["readonly"] if read_only else [])])
    return ["--mount", text.getvalue()]


def _folder(volume: Volume, folders: Mapping[str, Path]) -> Path:
    if volume.claim in folders:
        return folders[volume.claim] / (volume.sub_path or "")
    return Path(volume.path)


def find() -> tuple[Engine | None, str]:
    """The first engine that answers; or none, and why."""
    reasons = []
    for name in NAMES:
        program = shutil.which(name)
        if program is None:
            continue
        found = _ask(program)
        if isinstance(found, Engine):
            return found, ""
        reasons.append(f"{name} is installed but does not answer: {found}")
    return None, "; ".join(reasons)


def _ask(program: str) -> Engine | str:
    """The engine behind a command, or why it cannot be used."""
    command = [program, "info", "--format", "{{json .}}"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_INFO_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"nothing came within {_INFO_TIMEOUT} s"
    except OSError as error:
        return str(error.strerror)
    try:
        info = json.loads(done.stdout)
    except ValueError:
        info = None
    errors = info.get("ServerErrors") if isinstance(info, dict) else None
    if done.returncode or not isinstance(info, dict) or errors:
        lines = [*(errors or ()), *done.stderr.strip().splitlines()[-1:]]
        return str(lines[0]) if lines else f"`{Path(program).name} info` fails"
    return _engine(program, info)


def _engine(program: str, info: Mapping[str, Any]) -> Engine:
    host = info.get("host")
    if isinstance(host, dict):
        controllers = host.get("cgroupControllers") or ()
        return Engine(program, True, "cpu" in controllers, "memory" in controllers)
    cpu, memory = info.get("CpuCfsQuota", True), info.get("MemoryLimit", True)
    return Engine(program, False, bool(cpu), bool(memory))
