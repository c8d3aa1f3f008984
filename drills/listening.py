"""Pages that listen to GET /events, and come back after a cut with the place they had reached."""

import asyncio
import contextlib
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from drills.filing import LOST

_INCIDENT = re.compile(rb'data: (?=[^\r\n]*"incident_id": (\d+))(?=[^\r\n]*"step": "(\w+)")')
_ID = re.compile(rb"id: ([^\r\n]+)")
_RESET = b"event: reset"
_AGAIN_S = 0.2


@dataclass
class Heard:
    """What one page heard: the steps of each incident, how often it was told to look again, and when it was let in."""

    steps: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    let_in_at: list[float] = field(default_factory=list)


async def listen(url: str, key: str, heard: Heard, told: Counter[str]) -> None:
    """Note the steps of each incident as they are told, over cuts, for ever; count `reset` and `refused`."""
    place, address = b"", urlsplit(url)
    while True:
        with contextlib.suppress(*LOST):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            come_back = b"Last-Event-ID: " + place + b"\r\n" if place else b""
            writer.write(
                f"GET /events HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {key}\r\n".encode()
                + come_back + b"\r\n"
            )  # fmt: skip
            rest = b""
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200"):
                    told[f"refused {head[9:12].decode()}"] += 1
                    continue
                heard.let_in_at.append(time.monotonic())
                while chunk := await reader.read(1 << 18):
                    whole, _, rest = (rest + chunk).rpartition(b"\r\n\r\n")
                    told["reset"] += whole.count(_RESET)
                    for incident, step in _INCIDENT.findall(whole):
                        heard.steps[int(incident)].append(step.decode())
                    if ids := _ID.findall(whole):
                        place = ids[-1]
            finally:
                writer.close()
        await asyncio.sleep(_AGAIN_S)


@contextlib.contextmanager
def walls(url: str, key: str, count: int) -> Iterator[tuple[list[Heard], Counter[str]]]:
    """So many pages that listen, from a thread of their own, while the context lasts."""
    heard, told = [Heard() for _ in range(count)], Counter[str]()
    over = threading.Event()

    async def work() -> None:
        tasks = [asyncio.create_task(listen(url, key, one, told)) for one in heard]
        await asyncio.to_thread(over.wait)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=asyncio.run, args=[work()])
    thread.start()
    try:
        yield heard, told
    finally:
        over.set()
        thread.join()
