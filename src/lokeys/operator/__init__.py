# SPDX-License-Identifier: Apache-2.0
"""The controller: wiring of kube, adapters and engine around StorageCredentials."""
