# SPDX-License-Identifier: Apache-2.0
"""What each object store needs from a LokiStack's Secret, and what that means for Loki."""
