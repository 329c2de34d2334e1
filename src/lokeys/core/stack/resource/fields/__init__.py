# SPDX-License-Identifier: Apache-2.0
"""The fields of a LokiStack, named as in the published resource.

Only here do fields say that they are accepted but have no effect. `published` is what the published
definition says where it requires less than lokeys, or something else.
"""
