# SPDX-License-Identifier: Apache-2.0
"""The arguments with which a container starts Loki, as Loki reads them.

The kubelet fills in `$(NAME)`. Then Go's flags are parsed: `-f=v`, `--f=v`, `-f v`. A later one
overrides an earlier one. Parsing stops at the first word that is neither a flag nor a flag's value.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lokeys.core.kubernetes.json_fields import Json, at
from lokeys.core.kubernetes.loki.environment import ContainerEnvironment, Setting, filled
from lokeys.core.kubernetes.loki.marks import Marks, Occurrence, unmarked

MAX_WORDS = 1000
LONGEST_SCRIPT = 1 << 14
IMAGES_FILE = "/etc/loki/local-config.yaml"
"""The file that the default arguments of Loki's image name."""
FLAGS_DEFAULT = "config.yaml,config/config.yaml"
_SHELLS = re.compile(r"(?:.*/)?(?:ba|da|a|z)?sh")
_SWITCHES = frozenset({"config.expand-env", "use-thanos-objstore", "verify-config"})
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The values of the flags; variables in a value are marks."""

    flags: Mapping[str, str] = field(default_factory=dict)
    by_shell: bool = False
    """Whether a shell starts Loki: it may set variables itself."""
    images_own: bool = False
    """Whether the container has no arguments, so that the image's default ones apply."""

    def text(self, flag: str) -> str | None:
        """Return a flag's value; None if it is not given."""
        return self.flags.get(flag)

    def is_on(self, flag: str) -> bool:
        """Tell whether a switch is on."""
        return self.flags.get(flag, "") in _TRUE

    @property
    def files(self) -> tuple[str, ...]:
        """Return where the configuration may be: the first file that exists is read."""
        usual = IMAGES_FILE if self.images_own else FLAGS_DEFAULT
        named = self.flags.get("config.file", usual)
        return tuple(name.strip() for name in named.split(","))


def arguments_of(container: Json, environment: ContainerEnvironment, marks: Marks) -> Arguments:
    """Return the arguments of a container."""
    command, args = (_words(at(container, name)) for name in ("command", "args"))

    def marked(setting: Setting) -> str:
        return marks.mark(Occurrence(name=setting.name, setting=setting))

    def whole(words: Sequence[str]) -> list[str]:
        return [filled(unmarked(word), marked, environment.settings) for word in words]

    if command and _SHELLS.fullmatch(command[0]):
        script = list(_in_script([*command, *args]))
        return Arguments(flags=dict(_flags(script)), by_shell=True)
    words = whole([*command[_program_at(command) + 1 :], *args])
    return Arguments(flags=dict(_flags(words)), images_own=not (command or args))


def _program_at(command: Sequence[str]) -> int:
    """Return which word of a command is Loki: another program, such as an init, may start it."""
    named = (at for at, word in enumerate(command) if word.rpartition("/")[2] == "loki")
    return next(named, 0)


def _words(found: object) -> list[str]:
    given = found if isinstance(found, list) else []
    return [word for word in given[:MAX_WORDS] if isinstance(word, str)]


def _in_script(words: Sequence[str]) -> Iterator[str]:
    """Yield the words after the name of Loki's program in a shell script."""
    started = False
    for word in words:
        try:
            inner = shlex.split(word[:LONGEST_SCRIPT], comments=True)
        except ValueError:
            continue
        for each in inner:
            if started:
                yield unmarked(each)
            started = started or each.rpartition("/")[2] == "loki"


def _flags(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    left = list(reversed(words))
    while left:
        word = left.pop()
        if not word.startswith("-") or word in ("-", "--"):
            return
        name, equals, value = word.lstrip("-").partition("=")
        if equals:
            yield name, value
        elif name in _SWITCHES or not left or left[-1].startswith("-"):
            yield name, "true"
        else:
            yield name, left.pop()
