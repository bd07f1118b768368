"""kfp.local with SubprocessRunner and without a virtual environment."""

import logging
import sys
import time

from kfp import dsl, local


@dsl.component(install_kfp_package=False)
def inc(x: int) -> int:
    return x + 1


@dsl.pipeline
def chain() -> int:
    task = inc(x=0)
    for _ in range(int(sys.argv[1]) - 1):
        task = inc(x=task.output)
    return task.output


logging.disable(logging.CRITICAL)
local.init(local.SubprocessRunner(use_venv=False), pipeline_root="root")
begun = time.perf_counter()
result = chain()
seconds = time.perf_counter() - begun
assert result.output == int(sys.argv[1])
print()
print(seconds / int(sys.argv[1]) * 1000)
