"""``python -m kalelite``."""

import sys

from kalelite.cli import main

sys.exit(main())
