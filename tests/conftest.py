# SPDX-License-Identifier: Apache-2.0
"""What all tests share: the real parts, as fixtures."""

import os

from hypothesis import settings

pytest_plugins = ["parts.plugin"]

# Whoever develops meets new examples at each run; CI meets the same ones, so that a red run is the
# change's doing.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")
