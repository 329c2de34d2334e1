# SPDX-License-Identifier: Apache-2.0
"""What Google Cloud needs to accept a token, and what that is compared with."""
