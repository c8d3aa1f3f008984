"""Imported first by the fork server: libraries that it imports afterwards calculate in one thread.

Threads do not outlive a fork; the stacks of new ones, one for each core, would count as memory of a confined process.
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
