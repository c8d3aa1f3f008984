"""What GB/T 28181 and GA/T 1400 say of devices, without a network: ids, code tables, catalogues."""

from geo_grid.gb28181.codes import Code, DirectionCode, PtzCode, Tables, TypeCode, azimuth_of, direction_of, tables
from geo_grid.gb28181.ids import DIGITS, DeviceId, Explained, refuse_no_camera

__all__ = [
    "DIGITS",
    "Code",
    "DeviceId",
    "DirectionCode",
    "Explained",
    "PtzCode",
    "Tables",
    "TypeCode",
    "azimuth_of",
    "direction_of",
    "refuse_no_camera",
    "tables",
]
