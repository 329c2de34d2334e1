# SPDX-License-Identifier: Apache-2.0
"""What all tests share: the real parts as fixtures, and what we add to pytest."""

import os
import signal

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "parts.plugin",
    "plugins.chaos",
    "plugins.nodes",
    "plugins.order",
    "plugins.second_try",
    "plugins.times",
]

# Whoever develops meets new examples at each run; CI meets the same ones, so that a red run is the
# change's doing.
# How fast a busy machine makes up examples is no property of the code, and fails neither.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", _PATIENT, derandomize=True)
settings.register_profile("here", _PATIENT)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")

# Started as a background job, this process is deaf to these, and so would be all that it starts;
# some tests interrupt what they start.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
