# SPDX-License-Identifier: Apache-2.0
"""What a running Loki and the objects around it say about its key's route."""
