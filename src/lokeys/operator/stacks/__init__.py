# SPDX-License-Identifier: Apache-2.0
"""The half of the operator that operates LokiStacks."""
