# SPDX-License-Identifier: Apache-2.0
"""A static key's route, from where it is minted to the pods that use it: look, judge, plan."""
