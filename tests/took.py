# SPDX-License-Identifier: Apache-2.0
"""How much CPU a call takes: of a machine that is free, whatever counts coverage or works beside.

Two processes that share a core slow each other down, and that shows in their CPU time, too. So a
call is held against a fixed piece of work that is done right after it.
"""

import sys
import time
from collections.abc import Callable

FIXED_WORK_S = 0.0125
"""What `_fixed_work` takes on a free core of the machine that the limits were set on."""
_WORTH_A_SECOND_LOOK_S = 0.02


def cpu_s(call: Callable[[], object]) -> float:
    """Return the CPU time of a call; of one that takes long, the better of two."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        took_s = _timed(call)
        if took_s > _WORTH_A_SECOND_LOOK_S:
            took_s = min(took_s, _timed(call)) / _slowness()
    finally:
        sys.settrace(tracer)
    return took_s


def _slowness() -> float:
    """Return by how much this core is slower now than a free one; never less than 1."""
    return max(1.0, min(_timed(_fixed_work) for _ in range(3)) / FIXED_WORK_S)


def _fixed_work() -> object:
    return sum(number * number for number in range(200_000))


def _timed(call: Callable[[], object]) -> float:
    began = time.thread_time()
    call()
    return time.thread_time() - began
