"""`python -m logintel`: the command without its script."""

import sys

from logintel.main import main

sys.exit(main())
