"""``python -m bbans`` is the command line."""

import sys

from bbans.cli import main

sys.exit(main())
