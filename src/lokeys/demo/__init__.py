# SPDX-License-Identifier: Apache-2.0
"""The whole story on one machine: stand-ins for every part, over real HTTP."""
