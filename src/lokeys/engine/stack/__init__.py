# SPDX-License-Identifier: Apache-2.0
"""A LokiStack: read it with all that it names, and test its credentials."""
