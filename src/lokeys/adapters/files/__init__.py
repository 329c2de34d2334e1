# SPDX-License-Identifier: Apache-2.0
"""Objects out of files."""
