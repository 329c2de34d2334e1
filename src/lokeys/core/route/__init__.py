# SPDX-License-Identifier: Apache-2.0
"""A static key's route, from the key's source to the pods that use it: look, judge, plan."""
