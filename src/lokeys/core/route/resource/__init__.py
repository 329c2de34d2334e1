# SPDX-License-Identifier: Apache-2.0
"""The StorageCredential as an API: its schema, its faults, and how it is parsed and written."""
