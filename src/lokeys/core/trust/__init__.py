# SPDX-License-Identifier: Apache-2.0
"""Short-lived tokens: what a trust must say, whether it does, and what a real test showed."""
