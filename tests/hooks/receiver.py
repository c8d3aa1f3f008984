"""A receiver of web hooks: a real HTTP server in a thread, which checks each letter with the library of the specification."""

import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


class Receiver:
    """What came, in order; `answer` says what each letter is answered with: a status, seconds to wait, more headers."""

    def __init__(self) -> None:
        self.secret = ""
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """(webhook-id, letter) of every try."""
        self.answer: Callable[[dict[str, Any]], tuple[int, float, dict[str, str]]] = lambda _: (204, 0.0, {})
        self.url = ""

    @property
    def taken(self) -> list[dict[str, Any]]:
        return [letter for _, letter in self.asked if self.answer(letter)[0] < 300]

    def wait(self, is_wanted: Callable[["Receiver"], bool], seconds: float = 40) -> None:
        deadline = time.monotonic() + seconds
        while not is_wanted(self):
            assert time.monotonic() < deadline, self.asked
            time.sleep(0.05)


@contextmanager
def receiving():
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            letter = Webhook(receiver.secret).verify(body, dict(self.headers))  # raises: no answer
            receiver.asked.append((self.headers["webhook-id"], letter))
            status, wait_s, headers = receiver.answer(letter)
            time.sleep(wait_s)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def do_GET(self) -> None:
            receiver.asked.append(("followed a redirect", {}))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/told"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
