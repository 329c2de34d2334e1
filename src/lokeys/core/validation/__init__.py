# SPDX-License-Identifier: Apache-2.0
"""Manifests in, every fault of the storage credentials out: what `lokeys validate` decides."""
