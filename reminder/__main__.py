"""`python -m reminder` is the command `reminder`."""

import sys

from reminder.cli import main

sys.exit(main())
