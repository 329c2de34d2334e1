# SPDX-License-Identifier: Apache-2.0
"""What each object store needs of a LokiStack's Secret, and what that means for Loki."""
