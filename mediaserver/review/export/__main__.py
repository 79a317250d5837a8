"""The export process, see ``worker.py``; with ``send`` that which sends to an archive, see ``sending.py``."""

import os
import sys

from mediaserver.review.export import sending, worker

status = sending.main() if sys.argv[1:] == ["send"] else worker.main()
sys.stdout.flush()
# Decoder threads and the reader of our input hold nothing that must be put away.
os._exit(status)
