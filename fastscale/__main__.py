"""`python -m fastscale` is the `fastscale` command."""

import sys

from fastscale.cli import main

sys.exit(main())
