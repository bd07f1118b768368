"""Luigi: a chain of tasks, each in a process of its own, with a file between them."""

import logging
import sys
import time
from pathlib import Path

import luigi
from luigi import worker

logging.disable(logging.CRITICAL)


class Inc(luigi.Task):
    number = luigi.IntParameter()
    force_multiprocessing = True

    def requires(self):
        return [Inc(self.number - 1)] if self.number else []

    def output(self):
        return luigi.LocalTarget(f"{self.number}.txt")

    def run(self):
        value = int(Path(self.input()[0].path).read_text()) if self.number else 0
        with self.output().open("w") as file:
            file.write(str(value + 1))


n = int(sys.argv[1])
begun = time.perf_counter()
with worker.Worker(scheduler=luigi.scheduler.Scheduler(), wait_interval=0.01) as one:
    one._config.force_multiprocessing = True  # noqa: SLF001 - Luigi takes it from its own command
    one.add(Inc(n - 1))
    assert one.run()
seconds = time.perf_counter() - begun
assert Path(f"{n - 1}.txt").read_text() == str(n)
print(seconds / n * 1000)
