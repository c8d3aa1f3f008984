"""A socket between a process and its child: each notices when the other has ended, even when it was killed."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable

_LOOK_S = 0.3
"""How often it is looked whether a wait has become needless."""
_PATIENCE_S = 15.0
"""Seconds for an orderly shutdown after the parent has ended."""


class Lifeline:
    """The child's end of the socket.

    Parameters
    ----------
    descriptor
        File descriptor of the socket, inherited from the parent.

    Attributes
    ----------
    number
        Of its place among those who serve, from 1, when it was given work; 0: there is but one.
    """

    number = 0

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # child processes of this one must not keep the socket open
        self._line = socket.socket(fileno=descriptor)

    def wait_for_go(self, unless: Callable[[], bool] | None = None) -> bool:
        """Block until the parent gives work, or until `unless` is true; return whether it gave work.

        Exits when the parent has ended.
        """
        self._line.settimeout(None if unless is None else _LOOK_S)
        try:
            while unless is None or not unless():
                with contextlib.suppress(TimeoutError):
                    if not (given := self._line.recv(1)):
                        raise SystemExit(0)
                    self.number = given[0]
                    return True
            return False
        finally:
            self._line.settimeout(None)

    def say_ready(self) -> None:
        """Tell the parent that the work is done, or that the server accepts connections."""
        with contextlib.suppress(OSError):  # the parent has ended: `watch` ends this process
            self._line.send(b".")

    def watch(self) -> None:
        """Watch the parent in a thread: when it has ended, send SIGTERM to this process, and SIGKILL after 15 s."""
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()

    def _watch(self) -> None:
        with contextlib.suppress(OSError):
            while self._line.recv(1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(_PATIENCE_S)
        os.kill(os.getpid(), signal.SIGKILL)
