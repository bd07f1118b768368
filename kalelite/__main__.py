"""``python -m kalelite``."""

import os
import sys
from contextlib import suppress

# Python searches the current folder first; a ``queue.py`` of the user's there is not Python's.
# In its place this file, in which nothing is found: `kalelite.source.script.import_path` drops it.
with suppress(OSError):
    is_ours = not getattr(sys.flags, "safe_path", False)
    if is_ours and sys.path[0] == os.getcwd():
        sys.path[0] = sys.argv[0]

from kalelite.cli import main

sys.exit(main())
