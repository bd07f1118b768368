"""``python -m kalelite``."""

import os
import sys
from contextlib import suppress

# Python searches the current folder first; a ``queue.py`` of the user's there is not Python's.
with suppress(OSError):
    if sys.path[0] == os.getcwd():  # noqa: PTH109 - as sys.path has it
        del sys.path[0]

from kalelite.cli import main

sys.exit(main())
