# SPDX-License-Identifier: Apache-2.0
"""Ceph: RGW's admin API and Rook's objects."""
