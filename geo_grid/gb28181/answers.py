"""The answers to one query of a catalogue, until it is whole: items go to a file, what is counted stays in memory."""

import contextlib
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Self

from geo_grid.errors import TooMuch
from geo_grid.gb28181.manscdp import Body, Item, items_of
from geo_grid.passwords import is_secret_name

MOST_ITEMS, LARGEST = 200_000, 64 << 20
"""Devices of one catalogue, and their bytes: three times a city of 62,000 cameras."""
_HEAD = (
    b'<?xml version="1.0" encoding="GB18030"?>\r\n<Response>\r\n<CmdType>Catalog</CmdType>\r\n<SumNum>%d</SumNum>\r\n'
    b"<DeviceList>\r\n"
)
_END = b"</DeviceList>\r\n</Response>\r\n"
_ELEMENT = re.compile(rb"<([^\s<>/!?]{1,64})(?:\s[^<>]*)?>[^<]+")
"""An element that has text, up to its end."""
_ROOM = 9
"""Digits for SumNum in the file, which is written when all is there."""


@lru_cache(1024)
def _is_secret(name: bytes) -> bool:
    return is_secret_name(name.decode("gb18030", "replace"))


def _without_passwords(data: bytes) -> bytes:
    """Return an item whose elements that are called as passwords are have a sign in place of it, by which the reader counts them."""

    def masked(element: re.Match[bytes]) -> bytes:
        return b"<%s>*" % element[1] if _is_secret(element[1]) else element[0]

    return _ELEMENT.sub(masked, data)


class Answers:
    """Items of a catalogue as they come, in any number of messages, each item once.

    Parameters
    ----------
    path
        File that is written; it must not exist.
    serial
        SN of the query; None: items were notified, and answer none.

    Attributes
    ----------
    announced
        SumNum: the largest that any message said; None: none did.
    received
        Items that are there: one of a device that is listed below two parents counts twice, as it does in SumNum.
    twice
        Items that came again.
    """

    def __init__(self, path: Path, serial: int | None) -> None:
        self.path, self.serial = path, serial
        self.announced: int | None = None
        self.received = self.twice = 0
        self._known: set[bytes] = set()
        self._octets = 0
        self._file: BinaryIO = path.open("xb")
        self._file.write(_HEAD.replace(b"%d", b" " * _ROOM))

    @classmethod
    def of_one(cls, path: Path, items: list[Item]) -> Self:
        """Write items that were notified. Raises TooMuch."""
        answers = cls(path, None)
        for item in items:
            answers.take(item)
        return answers

    @property
    def is_whole(self) -> bool:
        """Whether exactly as many items came as were announced."""
        return self.announced == self.received

    def add(self, body: Body) -> None:
        """Add an answer.

        Raises
        ------
        TooMuch
            The catalogue is larger than one may be.
        """
        if body.announced is not None:
            self.announced = max(self.announced or 0, body.announced)
        for item in items_of(body):
            self.take(item)

    def take(self, item: Item) -> None:
        """Add one item, unless it came before. Raises TooMuch."""
        said = f"{item.device_id} {item.parent_id}".encode() if item.device_id else item.data
        mark = hashlib.blake2b(said, digest_size=16).digest()
        if mark in self._known:
            self.twice += 1
            return
        self._octets += len(item.data)
        if self.received >= MOST_ITEMS or self._octets > LARGEST:
            message = (
                f"it sends more than {MOST_ITEMS:,} devices or {LARGEST >> 20} MB, which no catalogue here may have"
            )
            raise TooMuch(message)
        self._known.add(mark)
        self.received += 1
        self._file.write(_without_passwords(item.data))
        self._file.write(b"\r\n")

    def close(self) -> Path:
        """Finish the file, and return its path."""
        self._file.write(_END)
        self._file.seek(_HEAD.index(b"%d"))
        self._file.write(f"{self.received:<{_ROOM}}".encode())
        self._file.close()
        return self.path

    def drop(self) -> None:
        """Forget all of it."""
        with contextlib.suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)
