# SPDX-License-Identifier: Apache-2.0
"""Who else holds a key: what was found in the cluster, and what could not be searched."""

from __future__ import annotations

from dataclasses import dataclass

from lokeys.core.place import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """Objects that hold the key's id. `unread`: what may hold it, too."""

    found: tuple[Ref, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def none_is_proved(self) -> bool:
        """Tell whether everything was searched, and nothing was found."""
        return not self.found and not self.unread
