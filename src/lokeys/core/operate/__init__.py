# SPDX-License-Identifier: Apache-2.0
"""Operating a LokiStack: from what exists to what to write next and what to report. Pure.

snapshot ─▶ intents (what `render` prints, owned) ─▶ course ─▶ writes, prunes, replacements
   what exists, what was tested                        └────▶ status
"""
