"""Understands: passages, claims, findings, links, extent, reports."""

from __future__ import annotations

import os

# One thread for the reader's small matrices: a second one costs more in waiting than it gives, and the number of
# threads must not decide the last digit of a result. Read when numpy loads its library, so it is set before that.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
