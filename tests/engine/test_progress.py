"""When failed attempts are repeated."""

import pytest

from kalelite.engine.progress import retry_delay
from kalelite.executor.spec import FailureReport
from kalelite.plan.options import StepOptions
from kalelite.plan.options.values import Retries


@pytest.mark.parametrize(
    ("retries", "attempt", "type", "expected"),
    [
        (None, 1, "ValueError", None),
        (Retries(2, wait=1.0, factor=3.0), 1, "ValueError", 1.0),
        (Retries(2, wait=1.0, factor=3.0), 2, "ValueError", 3.0),
        (Retries(2, wait=1.0, factor=3.0), 3, "ValueError", None),
        (Retries(9, wait=1.0, factor=10.0, max_wait=5.0), 4, "ValueError", 5.0),
        (Retries(1, only=("OSError",)), 1, "ConnectionError", 0.0),
        (Retries(1, only=("OSError",)), 1, "ValueError", None),
        (Retries(1, only=("TimeoutError",)), 1, "TimeoutError", 0.0),
    ],
)
def test_when_a_failed_attempt_is_tried_again(retries, attempt, type, expected):
    options = StepOptions(retries=retries)

    assert retry_delay(options, attempt, FailureReport(type, "")) == expected
