"""What a step's pod has printed: without the lines of Argo and KFP, and the failure in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress

from kalelite.backends.kubeflow.pod.contract import RECORD
from kalelite.executor import record_file
from kalelite.executor.failure import class_name
from kalelite.executor.spec import FailureReport, Frame, Record
from kalelite.source.libraries import is_library

_NOT_THE_STEPS = re.compile(
    r"time=\S+ level=\w+ msg=.*\bargo=true\b"  # argoexec
    # KFP's launcher, in glog's form; why a driver has failed stays
    r"|[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ \S+\.go:\d+\] (?!KFP driver: )"
    r"|Error: exit status \d+$"
)
_ARTIFACTS = re.compile(r"^I\d{4} .*\.go:\d+\] ExecutorOutput: \{\n(?: .*\n)*\}\n", re.MULTILINE)
_HEAD = "Traceback (most recent call last):"
_FRAME = re.compile(r'  File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>.+)')
_ERROR = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?$")


_RULED_OUT = re.compile(r"^kalelite: \S+ was (skipped|not run): (.*)$", re.MULTILINE)
_TAKEN = re.compile(r"^kalelite: \S+ was taken from run (\S+)$", re.MULTILINE)
_HIDDEN = "kalelite: Kubeflow Pipelines shows it as done"


def own_verdict(log: str) -> tuple[str, str] | None:
    """How a step really ended that Kubeflow shows as done: the state, and the reason.

    KFP is not told of failures that something else tolerates, nor of what the pod itself left out.
    """
    found = _RULED_OUT.search(log)
    if found:
        return found[1], found[2]
    return ("failed", "") if _HIDDEN in log else None


def taken_from(log: str) -> str:
    """The run whose result a step has taken; empty if it ran."""
    found = _TAKEN.search(log)
    return found[1] if found else ""


def record_in(log: str) -> Record | None:
    """The record that a step has printed; None if there is none, or not all of it."""
    for line in reversed(log.splitlines()):
        if line.startswith(RECORD):
            with suppress(ValueError, TypeError, KeyError):
                return record_file.parse(json.loads(line.removeprefix(RECORD)))
    return None


def without_record(log: str) -> str:
    """The log without what `record_in` reads."""
    lines = log.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(RECORD))


def cleaned(text: str) -> str:
    """The log of a pod without what Argo and KFP have written into it."""
    lines = _ARTIFACTS.sub("", text).splitlines(keepends=True)
    return "".join(line for line in lines if not _NOT_THE_STEPS.match(line))


def without_failure(log: str) -> str:
    """The log without what `failure_in` reads: what the step itself has printed."""
    lines = log.splitlines(keepends=True)
    told = max((n for n, line in enumerate(lines) if line.startswith(RECORD)), default=None)
    if told is not None:  # what comes after it is the failure for people
        return "".join(lines[:told])
    start = max((n for n, line in enumerate(lines) if line.strip() == _HEAD), default=None)
    if start is None:
        return log
    end = start + 1
    while end < len(lines) and lines[end].startswith(" "):
        end += 1
    end += 1  # the line of the error itself, and its hint
    while end < len(lines) and lines[end].startswith("  "):
        end += 1
    return "".join([*lines[:start], *lines[end:]])


def failure_in(log: str) -> FailureReport | None:
    """The failure of a step's record, else the last traceback, cut to the user's frames."""
    record = record_in(log)
    if record is not None:
        return record.failure
    lines = log.splitlines()
    starts = [number for number, line in enumerate(lines) if line.strip() == _HEAD]
    if not starts:
        return None
    start = starts[-1]
    frames: list[Frame] = []
    for number in range(start + 1, len(lines)):
        line = lines[number]
        found = _FRAME.match(line)
        if found:
            text = lines[number + 1].strip() if number + 1 < len(lines) else ""
            frames.append(Frame(found["file"], int(found["line"]), found["function"], text))
        elif line and not line.startswith(" "):
            return _report(line, lines[number + 1 :], frames, lines[start:])
    return None


def _report(
    line: str, after: list[str], frames: list[Frame], traceback: list[str]
) -> FailureReport:
    error = _ERROR.match(line)
    name = error["type"] if error else class_name(Exception)
    message = (error["message"] or "") if error else line
    hint = after[0].strip() if after and after[0].startswith("  ") else ""
    shown = tuple(_shown(frames))
    return FailureReport(name, message, shown, "\n".join(traceback), hint, bases=(name,))


def _shown(frames: Iterable[Frame]) -> list[Frame]:
    """The user's frames, and the innermost one of a library if it was a library that raised."""
    found = list(frames)
    kept = [frame for frame in found if not is_library(frame.file)]
    if found and (not kept or kept[-1] is not found[-1]):
        kept.append(found[-1])
    return kept
