# SPDX-License-Identifier: Apache-2.0
"""Pure readers of objects that others write: what they say, and what their owners allow."""
