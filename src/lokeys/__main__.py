# SPDX-License-Identifier: Apache-2.0
"""`python -m lokeys` is `lokeys`."""

from lokeys.cli.main import run

run()
