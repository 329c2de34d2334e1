# SPDX-License-Identifier: Apache-2.0
"""The Loki in a pod: its counters, its log, its write-ahead log."""
