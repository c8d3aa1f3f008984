"""`python -m geo_grid.live_demo`: what `geo-grid demo live` becomes once it has read the city; small, for weeks.

Reads its plan from a descriptor that it inherits, so that no key is in arguments, environment or files; the socket at which
pictures of cameras are asked for is inherited too.
"""

import argparse
import json
import logging
import os
import signal
import socket
import sys

from geo_grid.live_demo.living import Pace, live
from geo_grid.live_demo.pictures import Pictures
from geo_grid.live_demo.speaking import NoKey


def main() -> None:
    """Live until told to end; exit code 3 when the keys were revoked: whoever started this makes new ones."""
    reader = argparse.ArgumentParser(prog="geo-grid demo live")
    reader.add_argument("--url", required=True)
    reader.add_argument("--speed", type=float, required=True)
    reader.add_argument("--seed", type=int, required=True)
    reader.add_argument("--timezone", required=True)
    reader.add_argument("--plan", type=int, required=True)
    reader.add_argument("--pictures", type=int, required=True)
    reader.add_argument("--lifeline", type=int)
    given = reader.parse_args()
    logging.basicConfig(level=logging.WARNING, format="demo live: %(message)s")
    # 0 alone would say that it is over, and is not to be started again (supervising/supervisor.py)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0 if given.lifeline is None else 128 + signal.SIGTERM))
    os.lseek(given.plan, 0, os.SEEK_SET)
    with os.fdopen(given.plan, encoding="utf-8") as told:
        plan = json.load(told)
    Pictures(socket.socket(fileno=given.pictures))
    try:
        live(plan, given.url, Pace(given.speed, given.seed, given.timezone), given.lifeline)
    except NoKey:
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
