# SPDX-License-Identifier: Apache-2.0
"""Bundles: what was read of a cluster at one moment, without secret values, kept in files."""
