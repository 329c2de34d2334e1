# SPDX-License-Identifier: Apache-2.0
"""The command line: parses arguments, builds the parts and prints results."""
