# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a LokiStack, in light of the objects that it names."""
