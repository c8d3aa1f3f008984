"""The line between a process and one it started: each notices when the other is gone, whatever ended it."""

import contextlib
import os
import signal
import socket
import threading

_PATIENCE_S = 15.0
"""How long an orderly end may take once the other is gone."""


class Lifeline:
    """The end of the process that was started.

    Parameters
    ----------
    descriptor
        Of the socket it was given.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # else a process of ours would keep the line after us
        self._line = socket.socket(fileno=descriptor)

    def wait_for_go(self) -> None:
        """Wait until there is work; end when nobody is there to give it."""
        if not self._line.recv(1):
            raise SystemExit(0)

    def say_ready(self) -> None:
        """Tell that it is done, or serves."""
        with contextlib.suppress(OSError):  # nobody is there: `watched` ends us
            self._line.send(b".")

    def watch(self) -> None:
        """Have SIGTERM end this process in order when the other is gone; SIGKILL, when that takes too long."""
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()

    def _watch(self) -> None:
        with contextlib.suppress(OSError):
            while self._line.recv(1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(_PATIENCE_S)
        os.kill(os.getpid(), signal.SIGKILL)
