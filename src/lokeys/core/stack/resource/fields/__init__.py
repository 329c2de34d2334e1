# SPDX-License-Identifier: Apache-2.0
"""The fields of a LokiStack, by the names of the published resource.

Fields that are accepted and not acted on say so here, and nowhere else. `published` is what the
published definition says where it asks for less than lokeys, or for something else.
"""
