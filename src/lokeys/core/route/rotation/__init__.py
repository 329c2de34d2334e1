# SPDX-License-Identifier: Apache-2.0
"""The rotation of a key that works: two slots, one phase after the other, each with its gate."""
