# SPDX-License-Identifier: Apache-2.0
"""The Loki in a pod: its counters, its log and its write-ahead log."""
