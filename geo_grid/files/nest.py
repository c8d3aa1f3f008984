"""The process from which those are forked that read files: `python -m geo_grid.files.nest`, told on a socket what for.

A fork takes milliseconds, a new Python that imports the same half a second. The nest has imported the libraries and
reads nothing: neither a file nor a job, of which it gets the descriptors and passes them on. It ends with whoever
started it, and the processes end with it; and when nothing was asked for a while, since it keeps some 80 MB.
"""

import contextlib
import os
import select
import signal
import socket
import struct
import sys

from geo_grid.files.child import main, prepare

ENDED = struct.Struct("=i")
"""How a process ended, as subprocess.Popen.returncode says it."""
LONGEST = 64
"""Most bytes of a question: what the process is for (`child.prepare`)."""
PASSED = 4
"""Descriptors that come with it: the job, the answer, a socket on which is said how the process ended (who shuts its other
end down kills the process), and the file, if it is passed on open."""
IDLE_S = 300.0
"""Seconds without a question after which it ends."""


class _Nest:
    """What it has to look at: the socket it is asked on, and of each process its end and whoever waits for it."""

    def __init__(self, asked: socket.socket) -> None:
        self._asked = asked
        self._events = select.poll()
        self._events.register(asked, select.POLLIN)
        self._waiting: dict[int, socket.socket] = {}
        """By the descriptor of a process (pidfd_open(2)), who is told how it ended."""
        self._processes: dict[int, int] = {}
        """By the descriptor of who is told, that of the process."""
        self._was_asked = False

    def serve(self, idle_s: float) -> None:
        """Fork what is asked for, until nobody can ask any more, or nobody has asked for so long."""
        while events := self._events.poll(None if self._waiting else idle_s * 1000):
            if not self._attend(events[0][0]):  # one at a time: what is done may close the others
                return
        self._asked.shutdown(socket.SHUT_RD)  # whoever asks from now on is told, and starts another
        while self._answer():
            pass
        self._events.unregister(self._asked)
        while self._waiting:
            self._attend(self._events.poll()[0][0])

    def _attend(self, descriptor: int) -> bool:
        if descriptor in self._waiting:
            self._tell(descriptor)
        elif descriptor in self._processes:
            self._kill(descriptor)
        else:
            return self._answer()
        return True

    def _answer(self) -> bool:
        question, passed, _, _ = socket.recv_fds(self._asked, LONGEST, PASSED)
        if not question:
            return False
        prepare(question.decode(), is_for_more=self._was_asked)
        self._was_asked = True
        job, answer, told, *opened = passed
        nest, child = os.getpid(), os.fork()
        if child == 0:
            # not all above 2: a library may have a file of its own open, which another would become
            ours = [job, answer, told, *self._waiting, *self._processes, self._asked.fileno()]
            _become(job, answer, opened[0] if opened else None, ours, nest)
        for descriptor in (job, answer, *opened):
            os.close(descriptor)
        process = os.pidfd_open(child)
        self._waiting[process], self._processes[told] = socket.socket(fileno=told), process
        for descriptor in (process, told):
            self._events.register(descriptor, select.POLLIN)
        return True

    def _kill(self, told: int) -> None:
        self._events.unregister(told)
        signal.pidfd_send_signal(self._processes[told], signal.SIGKILL)  # it is there until `_tell` buries it

    def _tell(self, process: int) -> None:
        ended = os.waitid(os.P_PIDFD, process, os.WEXITED)
        with self._waiting.pop(process) as told:
            del self._processes[told.fileno()]
            with contextlib.suppress(KeyError):  # nobody waits for it any more
                self._events.unregister(told)
            if ended is not None:
                code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
                with contextlib.suppress(OSError):
                    told.send(ENDED.pack(code))
        self._events.unregister(process)
        os.close(process)


def _become(job: int, answer: int, opened: int | None, ours: list[int], nest: int) -> None:
    """Be the process that reads a file, which keeps no descriptor of the nest's but job, answer and the open file."""
    code = 1
    try:
        os.dup2(job, 0)
        os.dup2(answer, 1)
        for descriptor in ours:
            os.close(descriptor)
        code = main(nest, opened)
        sys.stdout.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as _asked:
        _Nest(_asked).serve(float(sys.argv[2]))
