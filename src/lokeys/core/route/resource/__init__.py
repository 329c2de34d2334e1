# SPDX-License-Identifier: Apache-2.0
"""The StorageCredential as an API: its schema, its faults, and its way in and out of the model."""
