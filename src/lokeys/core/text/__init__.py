# SPDX-License-Identifier: Apache-2.0
"""Text for people, shells and YAML readers; what others wrote is made harmless here, once."""
