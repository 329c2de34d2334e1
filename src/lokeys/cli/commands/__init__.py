# SPDX-License-Identifier: Apache-2.0
"""One module per command. Each is loaded only when it is called."""
