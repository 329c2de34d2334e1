# SPDX-License-Identifier: Apache-2.0
"""One module per outside system: it speaks that system's protocol and returns the core's data."""
