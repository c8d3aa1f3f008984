"""What runs until it is told to stop, and is told at any moment."""

import asyncio
import signal

import pytest

from geo_grid.api.listening import run_until_told, stoppable


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGHUP, 129)])
def test_a_signal_interrupts_no_step_of_the_loop_and_lets_it_close_in_order(number: int, code: int) -> None:
    kept = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    done = []

    def step() -> None:
        signal.raise_signal(number)
        signal.raise_signal(number)  # somebody in a hurry
        done.append("step")

    async def work() -> None:
        other = asyncio.create_task(asyncio.Event().wait())
        asyncio.get_running_loop().call_soon(step)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            done.append("closed" if not other.done() else "closed too late")
            other.cancel()

    try:
        with stoppable():
            handler = signal.getsignal(signal.SIGTERM)
            with pytest.raises(SystemExit) as ended:
                run_until_told(work())
            assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        for one, before in kept.items():
            signal.signal(one, before)
    assert (ended.value.code, done) == (code, ["step", "closed"])


def test_what_is_cancelled_without_a_signal_is_no_order_to_stop() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run_until_told(work())
