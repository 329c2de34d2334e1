# SPDX-License-Identifier: Apache-2.0
"""A static key's route: look at it, act on it, heal it."""
