# SPDX-License-Identifier: Apache-2.0
"""What Entra must know before a token counts, and what it is compared with."""
