# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for the systems around lokeys: real HTTP on loopback, all in one process."""
