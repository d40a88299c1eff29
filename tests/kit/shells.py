"""Interactive shells on a pseudo terminal: what a line becomes when somebody presses tab."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import time
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.kit.command import command

LIMIT_S = 60.0
"""How long a shell may take for one line; a loaded machine is slow."""

_START = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "fish": ("fish", "--no-config", "-i"),
}

_SETUP = {
    "bash": r"""bind 'set enable-bracketed-paste off'; show() { printf '<%s>' "$@"; printf 'END\n'; };
        eval "$(orbit completions bash)"; PS1=; echo REA""DY""",
    "zsh": r"""autoload -Uz compinit; compinit -u -D; bindkey -e; zstyle ':completion:*' insert-tab false;
        unsetopt zle_bracketed_paste; show() { printf '<%s>' "$@"; printf 'END\n' };
        eval "$(orbit completions zsh)"; PS1=; echo REA""DY""",
    "fish": r"""function show; printf '<%s>' $argv; printf 'END\n'; end; function fish_prompt; end;
        orbit completions fish | source; echo REA""DY""",
}
"""``show`` prints its arguments as the shell understood them."""


def is_installed(shell: str) -> bool:
    """Whether this machine has the shell."""
    return shutil.which(shell) is not None


@dataclass
class Shell:
    """A shell that waits for a line.

    Attributes:
        name: ``bash``, ``zsh`` or ``fish``.
        terminal: our end of its terminal.
        seen: what it has written so far.
    """

    name: str
    terminal: int
    seen: bytes = b""

    def complete(self, line: str, *, then: str = "") -> list[str]:
        """The words of `line`, as the shell understands them after tab is pressed at its end, and `then` typed."""
        # Going to the start of the line makes it the arguments of `show`.
        self._type(f"{line}\t{then}\x01show \r".encode())
        return re.findall(r"<([^<>]*)>", self._wait(b"END\r\n"))

    def set_up(self) -> None:
        """Give it the completion script."""
        self._type(" ".join(_SETUP[self.name].split("\n")).encode() + b"\r")
        self._wait(b"READY\r\n")

    def _type(self, text: bytes) -> None:
        os.write(self.terminal, text)

    def _wait(self, end: bytes) -> str:
        """What it writes up to `end`."""
        until = time.monotonic() + LIMIT_S
        while end not in self.seen:
            ready, _, _ = select.select([self.terminal], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"{self.name} does not answer: {self.seen[-2000:]!r}"
            self.seen += os.read(self.terminal, 65_536)
        text, _, self.seen = self.seen.partition(end)
        return text.rpartition(b"\n")[2].decode()


@contextlib.contextmanager
def running(name: str, directory: Path, variables: Mapping[str, str]) -> Iterator[Shell]:
    """A shell in `directory` that completes ``orbit``'s lines; it is gone when the block ends."""
    path = os.pathsep.join([os.path.dirname(command()), os.environ["PATH"]])
    environment = {"PATH": path, "HOME": str(directory), "TERM": "dumb", "LC_ALL": "C.UTF-8", **variables}
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(directory)
        os.execvpe(_START[name][0], _START[name], environment)
    try:
        shell = Shell(name, terminal)
        shell.set_up()
        yield shell
    finally:
        os.kill(pid, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(pid, 0)
