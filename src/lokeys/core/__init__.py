# SPDX-License-Identifier: Apache-2.0
"""Decides what is true of a route and what to do about it: pure, standard library only."""
