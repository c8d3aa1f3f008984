"""Steering of a camera (PTZ) as GB/T 28181 writes it: PTZCmd, eight bytes in hexadecimal, within a DeviceControl.

Source: GB/T 28181-2016, annex A.3 (the tables of instruction codes), and the same values in public code that implements it:
byte 1 is A5, byte 2 the version (0) and a check of the first bytes' halves (0F), byte 3 and the low half of byte 7 the address,
byte 4 the instruction, bytes 5 and 6 the speed across and up or down, the high half of byte 7 that of the zoom, byte 8 the sum
of all before, modulo 256.
"""

from dataclasses import dataclass
from typing import Literal

type Turn = Literal[-1, 0, 1]

_FIRST, _VERSION = 0xA5, 0x0
_ADDRESS = 0x001
"""What public platforms send; devices behind a platform are told apart by DeviceID, not by it."""
_RIGHT, _LEFT, _DOWN, _UP, _NEARER, _FARTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_FASTEST, _FASTEST_ZOOM = 0xFF, 0xF


@dataclass(frozen=True)
class Movement:
    """How a camera moves until it is told something else.

    Attributes
    ----------
    pan, tilt, zoom
        -1: to the left, down, to a wider picture; 1: to the right, up, to a nearer one; 0: not at all.
    speed
        Share of the fastest, more than 0 and at most 1.
    """

    pan: Turn = 0
    tilt: Turn = 0
    zoom: Turn = 0
    speed: float = 0.5


STOP = Movement()


def ptz_command(movement: Movement) -> str:
    """Write a movement as PTZCmd: 16 hexadecimal digits."""
    instruction = (
        (0, _RIGHT, _LEFT)[movement.pan] | (0, _UP, _DOWN)[movement.tilt] | (0, _NEARER, _FARTHER)[movement.zoom]
    )
    speed, zoom = max(1, round(movement.speed * _FASTEST)), max(1, round(movement.speed * _FASTEST_ZOOM))
    check = ((_FIRST >> 4) + (_FIRST & 0xF) + _VERSION) % 16
    octets = [
        _FIRST,
        _VERSION << 4 | check,
        _ADDRESS & 0xFF,
        instruction,
        speed if movement.pan else 0,
        speed if movement.tilt else 0,
        (zoom if movement.zoom else 0) << 4 | _ADDRESS >> 8,
    ]
    return bytes([*octets, sum(octets) % 256]).hex().upper()


def steering_control(serial: int, device_id: str, movement: Movement) -> bytes:
    """Write the body of the message that has a device move; it is answered by no message of its own (GB/T 28181-2016, 9.3)."""
    return (
        f'<?xml version="1.0" encoding="GB2312"?>\r\n<Control>\r\n<CmdType>DeviceControl</CmdType>\r\n<SN>{serial}</SN>\r\n'
        f"<DeviceID>{device_id}</DeviceID>\r\n<PTZCmd>{ptz_command(movement)}</PTZCmd>\r\n<Info>\r\n"
        "<ControlPriority>5</ControlPriority>\r\n</Info>\r\n</Control>\r\n"
    ).encode()
