# SPDX-License-Identifier: Apache-2.0
"""The controller: connects kube, adapters and engine for StorageCredentials and LokiStacks."""
