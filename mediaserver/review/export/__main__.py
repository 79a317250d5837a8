"""The export process; see ``worker.py``."""

import os
import sys

from mediaserver.review.export.worker import main

status = main()
sys.stdout.flush()
# Decoder threads and the reader of our input hold nothing that must be put away.
os._exit(status)
