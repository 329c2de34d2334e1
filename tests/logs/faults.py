# SPDX-License-Identifier: Apache-2.0
"""`make faults`: the real Loki and External Secrets, once with each fault, and what they show.

    PYTHONPATH=tests python -m logs.faults            all faults, and healthy runs at level debug
    PYTHONPATH=tests python -m logs.faults WORD…      those whose name holds one of these words

Runs on the real Ceph RGW (one of them with a clock that is ahead), moto, Azurite, fake-gcs-server
and a real API server, where `make parts` has put them. A log stands in `tests/logs/made/`, named
for its cause and fault, with Loki's counters and configuration beside it; keys are replaced.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from logs.cloud_faults import faults_of_clouds
from logs.delivery_faults import make_deliveries
from logs.healthy import day
from logs.running import MADE, Fault, run
from logs.s3_faults import faults_of_s3
from parts.build import program
from parts.process import Folder
from parts.rgw import Rgw


def main(words: list[str]) -> None:
    """Make what is asked for."""
    loki = program("loki", "loki")
    if loki is None:
        raise SystemExit("there is no Loki: run `make parts`")
    MADE.mkdir(exist_ok=True)
    place, rgw = Folder("faults"), Rgw()
    with contextlib.ExitStack() as stack:
        stack.callback(place.remove)
        stack.callback(rgw.stop)
        rgw.start()
        every = [
            *faults_of_s3(rgw, place.path, stack),
            *faults_of_clouds(place.path, stack),
        ]
        wanted = [f for f in every if not words or any(w in f.file.name for w in words)]

        def make(fault: Fault) -> None:
            if fault.name.startswith("day"):
                fault.file.write_bytes(gzip.compress(day(fault, loki).encode(), mtime=0))
            else:
                run(fault, loki).keep(fault.file)
            print(fault.file.name, fault.file.stat().st_size, flush=True)

        with ThreadPoolExecutor(int(os.environ.get("AT_ONCE", "3"))) as pool:
            list(pool.map(make, wanted))
    make_deliveries(words)


if __name__ == "__main__":
    main(sys.argv[1:])
