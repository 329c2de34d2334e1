# SPDX-License-Identifier: Apache-2.0
"""A small Kubernetes runtime: client, informers, queue, leases. Independent of Loki."""
