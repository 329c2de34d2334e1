# SPDX-License-Identifier: Apache-2.0
"""Azure: Entra and blob storage."""
