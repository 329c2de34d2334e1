# SPDX-License-Identifier: Apache-2.0
"""Text for people, shells and YAML readers; text that others wrote is made harmless here, once."""
