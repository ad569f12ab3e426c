"""``python -m cityverse``."""

import sys

from cityverse.cli import main

sys.exit(main())
