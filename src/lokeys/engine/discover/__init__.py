# SPDX-License-Identifier: Apache-2.0
"""From a running Loki back to where its key is created."""
