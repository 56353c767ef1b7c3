"""The CPU-bound stage, analysis, with one worker and with two: on two free cores two should take 1/1.7 of the time at most.

python -m tests.benchmarks.workers [PAGES]

Beside the clock, the processor seconds of the workers are printed: on a machine that others use as well, their sum with one
worker over the larger share with two is the speed-up that free cores would give.
"""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.contest import machine
from tests.benchmarks.flat import evidence


def main(pages: int) -> None:
    """Two runs of each, interleaved."""
    import analysis.flags
    from data.case import open_case
    from data.engine import Local
    from data.ingest import take_in

    analysis.flags._SMALL = 0
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "case"
        evidence(base, pages)
        take_in(open_case(base))
        for number, workers in enumerate((1, 2, 1, 2)):
            root = shutil.copytree(base, Path(folder) / str(number))
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            begun, main_begun = time.monotonic(), time.process_time()
            done = analysis.flags.analyze(open_case(root), lambda _: None, engine=Local(workers))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(
                f"{workers} workers: {time.monotonic() - begun:.1f} s by the clock, {spent:.1f} s of CPU in workers, "
                f"{time.process_time() - main_begun:.1f} s in the writer, {done.passages} passages, {done.flags} flags",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
