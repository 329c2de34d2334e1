# SPDX-License-Identifier: Apache-2.0
"""What all tests share: the real parts, as fixtures."""

pytest_plugins = ["parts.plugin"]
