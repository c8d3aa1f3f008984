"""Asks one question every so often, whatever became of the others, and tells how long each waited.

Other load programs here send bursts, or one path only. A request's clock starts when it was due, so a
server that stalls is not spared the requests that pile up meanwhile (no coordinated omission).
"""

import asyncio
import contextlib
import json
import sys
import time
from urllib.parse import urlsplit

_CONNECTIONS = 32


async def ask(url: str, paths: list[str], rate: int, seconds: int, key: str) -> dict[str, float]:
    """Return the median and 99th percentile in milliseconds, and how many answers were not 200."""
    address = urlsplit(url)
    due: asyncio.Queue[tuple[float, str]] = asyncio.Queue()
    waits: list[float] = []
    failed = 0

    async def work() -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        while True:
            moment, path = await due.get()
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
            )
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"content-length:")[2].partition(b"\r")[0]
            await reader.readexactly(int(length))
            waits.append(time.perf_counter() - moment)
            due.task_done()
            failed += not head.startswith(b"http/1.1 200")

    workers = [asyncio.create_task(work()) for _ in range(_CONNECTIONS)]
    began = time.perf_counter() + 0.2
    for number in range(rate * seconds):
        moment = began + number / rate
        if (pause := moment - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        due.put_nowait((moment, paths[number % len(paths)]))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(due.join(), 30)
    for worker in workers:
        worker.cancel()
    waits.sort()
    return {
        "requests_per_s": len(waits) / seconds,
        "p50_ms": round(1000 * waits[len(waits) // 2], 1),
        "p99_ms": round(1000 * waits[len(waits) * 99 // 100], 1),
        "answered": len(waits) - failed,
        "failed": failed + rate * seconds - len(waits),
    }


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    print(json.dumps(asyncio.run(ask(asked["url"], asked["paths"], asked["rate"], asked["seconds"], asked["key"]))))
