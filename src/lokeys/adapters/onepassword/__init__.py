# SPDX-License-Identifier: Apache-2.0
"""1Password, through its Connect server."""
