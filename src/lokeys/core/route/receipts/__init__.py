# SPDX-License-Identifier: Apache-2.0
"""The receipt of a heal: when, why, by whom, what was done, and which evidence proves it."""
