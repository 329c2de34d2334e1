# SPDX-License-Identifier: Apache-2.0
"""Operating a LokiStack: from what is there to what to write next, and what to say. Pure.

snapshot ─▶ intents (what `render` prints, owned) ─▶ course ─▶ writes, prunes, replacements
   what is there, what was tried                       └────▶ status
"""
