# SPDX-License-Identifier: Apache-2.0
"""The entry point of `lokeys` and `python -m lokeys`: Ctrl-C during imports prints nothing."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from lokeys.exit_codes import ExitCode


def main() -> None:
    """Run the command line and exit."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    from lokeys.cli.main import run  # noqa: PLC0415 - what takes the time that Ctrl-C may fall in

    run()


def _end(*_: object) -> NoReturn:
    # Nothing has started, or everything has ended: there is nothing to clean up.
    os._exit(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    main()
