# SPDX-License-Identifier: Apache-2.0
"""What AWS, or Ceph's STS, needs to accept a token, and what that is compared with."""
