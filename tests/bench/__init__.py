"""Benchmarks: figures, never assertions about time. `make bench` prints them all."""

import os
import tempfile

# Tests write to memory, where nothing waits for a disk. What is measured must, unless TMPDIR names another place.
os.environ.setdefault("TMPDIR", tempfile.gettempdir())
