# SPDX-License-Identifier: Apache-2.0
"""What AWS, or Ceph's STS, must know before a token counts, and what it is compared with."""
