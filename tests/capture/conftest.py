import pytest
from capture_harness import Walker


@pytest.fixture(scope="session")
def walker():
    walker = Walker()
    yield walker
    walker.close()
