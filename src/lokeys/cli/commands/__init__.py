# SPDX-License-Identifier: Apache-2.0
"""One module a command; each is loaded when it is called."""
