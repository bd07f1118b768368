"""What all tests share."""

import signal
import time
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A machine under load is slow, and that is no fault.
settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")


@pytest.fixture(autouse=True, scope="session")
def programs_hear_signals() -> Iterator[None]:
    """Programs that a test starts hear signals even where the tests themselves ignore them.

    ``nohup pytest`` ignores SIGHUP, ``pytest &`` in a script SIGINT. Programs inherit that, and
    kalelite rightly keeps to it. A handler is not inherited, and one that does nothing ignores too.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    ignored = [number for number in numbers if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda *_: None)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def utc(monkeypatch):
    """Times are shown as they are in UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
