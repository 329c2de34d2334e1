# SPDX-License-Identifier: Apache-2.0
"""What Entra needs to accept a token, and what that is compared with."""
