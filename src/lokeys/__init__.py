# SPDX-License-Identifier: Apache-2.0
"""lokeys keeps valid the credentials with which Grafana Loki reaches its object storage."""

__version__ = "0.1.0.dev0"
