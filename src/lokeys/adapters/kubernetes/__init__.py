# SPDX-License-Identifier: Apache-2.0
"""The Kubernetes API and what is reached through it, such as External Secrets."""
