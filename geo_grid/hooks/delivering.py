"""Delivering letters that are due: those of one subject in their order, each at least once, tried again, given up in the end."""

import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from geo_grid.db import Connection, load_queries
from geo_grid.hooks.sending import Letter, Outcome, Sender

QUERIES = load_queries("geo_grid.hooks", "hooks.sql")
MOST_DEAD = 10
"""Letters given up in a row after which a hook is disabled."""
_MOST_EACH = 50
_ROUND_S = 10.0
"""Longest that letters of one hook are sent before what became of them is written down."""
_AT_ONCE = 8
"""Hooks that are told at the same time."""


class Wanted(NamedTuple):
    """What hooks in force want."""

    any_hook: bool
    any_area: bool


def wanted(connection: Connection) -> Wanted:
    """Return what hooks want, as the server itself; letters given up long ago are deleted."""
    row = connection.execute(QUERIES["wanted"]).fetchone() or {}
    return Wanted(row["any_hook"], row["any_area"])


def deliver(connection: Connection, sender: Sender, waits_s: Sequence[float]) -> bool:
    """Send the letters that are due and write down what became of them; return whether there may be more.

    Of a letter that fails, later ones about the same subject wait. A hook that does not answer at all is not asked again in
    this round, and what was due counts as tried. When the transaction is lost after sending, letters are sent again.

    Parameters
    ----------
    connection
        A transaction of the server itself.
    waits_s
        Seconds to wait after each failed try; after one more it is given up.
    """
    rows = connection.execute(QUERIES["due"], {"most": _MOST_EACH}).fetchall()
    of_hook: defaultdict[int, list[Letter]] = defaultdict(list)
    for row in rows:
        of_hook[row["hook_id"]].append(Letter(**row))
    if not of_hook:
        return False
    with ThreadPoolExecutor(min(_AT_ONCE, len(of_hook)), thread_name_prefix="hooks") as threads:
        rounds = list(threads.map(lambda letters: _send_all(sender, letters), of_hook.values()))
    for outcomes in rounds:
        _note(connection, outcomes, waits_s)
    return any(
        len(letters) == _MOST_EACH or len(letters) > len(done)
        for letters, done in zip(of_hook.values(), rounds, strict=True)
    )


def _send_all(sender: Sender, letters: Sequence[Letter]) -> list[tuple[Letter, Outcome]]:
    """Send letters of one hook in their order; those that must wait are left out."""
    outcomes: list[tuple[Letter, Outcome]] = []
    waiting: set[str] = set()
    began = time.monotonic()
    for number, letter in enumerate(letters):
        if letter.subject in waiting:
            continue
        if time.monotonic() - began > _ROUND_S:
            break
        outcome = sender.send(letter)
        outcomes.append((letter, outcome))
        if outcome.state == "gone":
            break
        if outcome.state == "away":
            outcomes += [(later, outcome) for later in letters[number + 1 :] if later.subject not in waiting]
            break
        if outcome.state == "refused":
            waiting.add(letter.subject)
    return outcomes


def _note(connection: Connection, outcomes: Sequence[tuple[Letter, Outcome]], waits_s: Sequence[float]) -> None:
    taken = [letter.letter_id for letter, outcome in outcomes if outcome.state == "taken"]
    connection.execute(QUERIES["taken"], {"letter_ids": taken})
    for letter, outcome in outcomes:
        if outcome.state == "gone":
            connection.execute(QUERIES["gone"], {"hook_id": letter.hook_id, "why": outcome.why})
        elif outcome.state != "taken":
            wait_s = waits_s[letter.attempts] if letter.attempts < len(waits_s) else None
            values = {"letter_id": letter.letter_id, "why": outcome.why, "wait_s": wait_s, "most_dead": MOST_DEAD}
            connection.execute(QUERIES["failed"], values)


def examine_hooks(connection: Connection) -> tuple[bool, str]:
    """Return whether no hook is disabled and no letter was given up, and a sentence (as the database's owner)."""
    row = connection.execute(QUERIES["troubled"]).fetchone() or {}
    found = f"{row['count']:,} known"
    if row["dead"]:
        found += f"; {row['dead']:,} letters were given up: GET /webhooks/{{hook_id}}/dead-letters, and send them again"
    if row["disabled"]:
        found += f"; {row['disabled']:,} disabled: {row['why']}"
    return not row["disabled"] and not row["dead"], found
