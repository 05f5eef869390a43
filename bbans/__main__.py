"""``python -m bbans`` is the command line."""

import sys

from bbans.cli.main import main

sys.exit(main())
