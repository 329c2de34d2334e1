# SPDX-License-Identifier: Apache-2.0
"""A LokiStack: its resource, its storage Secret, what is wrong with them, and what they become."""
