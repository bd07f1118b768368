"""Processors, GPUs and memory as places that steps take."""

import pytest

from kalelite.backends.local.pool.slots import Grant, Slots
from kalelite.plan.options import StepOptions

GB = 1 << 30


def test_slots_are_taken_and_given_back():
    slots = Slots(2, ["0"])
    cpu = slots.take(StepOptions())
    gpu = slots.take(StepOptions(gpu=1))

    assert (cpu, gpu) == (Grant(1.0), Grant(1.0, ("0",)))
    assert slots.take(StepOptions()) is None
    slots.give(gpu)
    assert slots.take(StepOptions(cpu="500m")) == Grant(0.5)
    assert slots.take(StepOptions(cpu="500m", gpu=1)) == Grant(0.5, ("0",))


def test_a_step_that_wants_more_than_there_is_gets_all():
    slots = Slots(2)

    assert slots.take(StepOptions(cpu="64", gpu=8)) == Grant(2.0)
    assert slots.take(StepOptions(cpu="100m")) is None


def test_ten_tenths_fit_into_one_processor():
    slots = Slots(1)

    assert all(slots.take(StepOptions(cpu="100m")) for _ in range(10))
    assert slots.take(StepOptions(cpu="100m")) is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (StepOptions(), 0),
        (StepOptions(memory="2Gi"), 2 * GB),
        (StepOptions(memory="2Gi", memory_limit="3Gi"), 3 * GB),
    ],
)
def test_a_limit_on_memory_goes_before_a_request(options, expected):
    assert options.memory_bound == expected
