# SPDX-License-Identifier: Apache-2.0
"""A small Kubernetes runtime: client, informers, queue, leases. Knows nothing of Loki."""
