"""`python -m fastweights` is the `fastweights` command."""

import sys

from fastweights.cli import main

sys.exit(main())
