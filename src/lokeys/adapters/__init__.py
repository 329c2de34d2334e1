# SPDX-License-Identifier: Apache-2.0
"""One module an outside system: it speaks its language and returns the core's data."""
