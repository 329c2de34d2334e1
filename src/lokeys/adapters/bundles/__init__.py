# SPDX-License-Identifier: Apache-2.0
"""Bundles: what was read of a cluster at one moment, in files and without secret values."""
