"""What is said of a step whose process was ended."""

import signal

from kalelite.backends.local.pool.exit_causes import Ending, explain


def test_a_bus_error_leads_to_the_input_that_was_cut():
    failure = explain(Ending(status=int(signal.SIGBUS)))
    assert "mapped file" in failure.message
    assert "file in the store was cut" in failure.hint
