# SPDX-License-Identifier: Apache-2.0
"""Gathers a snapshot, lets the core decide, executes one step at a time."""
