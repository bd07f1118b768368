"""Run a script whose pipelines are compiled, and then executed task by task as a cluster would.

    python compiled_run.py IMAGE SCRATCH SCRIPT [ARGUMENTS]

``IMAGE`` is the ``bin`` folder of the Python that the steps run in; ``PYTHONPATH`` leads to the
conformance suite.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from conformance_seen import seen_in
from harness import Harness, cluster

from kalelite.authoring.backends import Backend, open_backend, use_backend
from kalelite.errors import KaleliteError
from kalelite.source.script import read_script


class Failed(Exception):
    pass


class Result:
    """What a compiled run gave, as `kalelite.authoring.backends.Result`."""

    def __init__(self, seen):
        self.state, self.value, self._failed = seen.state, seen.value, seen.failed

    def check(self):
        if self.state != "succeeded":
            raise Failed("; ".join(f"{k}: {v[0]}: {v[1]}" for k, v in self._failed.items()))


class Compiled(Backend):
    name = "compiled"

    def __init__(self, image, scratch, cluster):
        self.image, self.scratch, self.cluster, self.count = image, scratch, cluster, 0

    def run(self, plan, arguments, listener=None):
        self.count += 1
        path, name = self.scratch / f"{self.count}.yaml", f"run-{self.count}"
        marshal = self.scratch / f"mounts-{self.count}" / "marshal"
        open_backend("kubeflow", marshal_path=str(marshal)).compile(plan, path, arguments)
        harness = Harness(path, self.cluster, self.image, name)
        outcome = harness.run()
        for attempt in outcome.attempts:
            for line in attempt.output.splitlines():
                print("STEP" if line.startswith("STEP ") else "|", line.removeprefix("STEP "))
        home = self.cluster.claims / name / ".kalelite"
        return Result(seen_in(plan, outcome, home, harness.run_id, arguments))


def main(image, scratch, script, *arguments):
    os.environ.pop("PYTHONPATH")  # it led here, and is not for the steps
    code = 0
    with cluster(Path(scratch) / "cluster") as found:
        backend = Compiled(Path(image), Path(scratch), found)
        try:
            program = read_script(script)
            with program.as_main(arguments) as module, use_backend(backend, everywhere=True):
                code = program.execute(module).status
        except (KaleliteError, Failed) as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            code = 1
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
