# SPDX-License-Identifier: Apache-2.0
"""The rotation of a key that works: two slots and consecutive phases, each with its gate."""
