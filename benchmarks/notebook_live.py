"""What a live run in a cell costs: CPU time of its updates, with 300 items of a loop.

The updates go to a kernel's session, which writes them as JSON and signs them, and not to a front end:
``python benchmarks/notebook_live.py``.
"""

import tempfile
import time
from pathlib import Path

from jupyter_client.session import Session

from kalelite import Collected, ParallelFor, pipeline, step
from kalelite.authoring.events import LoopStarted, RunStarted, TaskFinished, TaskStarted
from kalelite.executor.spec import Record
from kalelite.notebook.live_cell import PERIOD, LiveCell
from kalelite.runs.writing import create

ITEMS, AT_ONCE = 300, 16


@step
def fit(n):
    return n


@step
def best(scores):
    return max(scores)


@pipeline
def study():
    with ParallelFor(list(range(ITEMS))) as n:
        score = fit(n)
    return best(Collected(score))


class Front:
    """Sends what is shown nowhere."""

    def __init__(self):
        self.session, self.octets, self.updates = Session(key=b"key"), 0, 0

    def show(self, bundle):
        self.update(bundle, raw=True)
        return self

    def update(self, data, *, raw):
        assert raw
        message = self.session.msg("update_display_data", {"data": data, "metadata": {}})
        self.octets += sum(map(len, self.session.serialize(message)))
        self.updates += 1


def main():
    """Half of the items are done, sixteen run and print, and the table is drawn for a minute."""
    plan, front = study.plan(), Front()
    with tempfile.TemporaryDirectory() as home:
        record = create(plan, {}, folder=Path(home))
        cell = LiveCell(front.show)
        begun = time.process_time()
        cell.emit(RunStarted(record.id, plan, record.folder, AT_ONCE))
        cell.emit(LoopStarted(plan.blocks[0].id, ITEMS))
        for n in range(ITEMS // 2 + AT_ONCE):
            cell.emit(TaskStarted(f"fit[{n}]", 1))
            log = record.task(f"fit[{n}]") / "log.txt"
            log.write_text("epoch 3/10 loss 0.1\n" * 200)
            if n < ITEMS // 2:
                done = Record(f"fit[{n}]", "succeeded", started=1.0, finished=2.0)
                cell.emit(TaskFinished(done, log))
        events = time.process_time() - begun
        draws = 120
        begun = time.process_time()
        for _ in range(draws):
            cell.draw()
        each = (time.process_time() - begun) / draws
    print(
        f"{ITEMS} items: an update takes {each * 1e3:.2f} ms of CPU and {front.octets / front.updates / 1e3:.1f} kB"
    )
    print(f"at most {1 / PERIOD:.0f} updates a second: {each / PERIOD:.2%} of a core")
    print(f"all events of {ITEMS // 2 + AT_ONCE} items and their logs: {events * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
