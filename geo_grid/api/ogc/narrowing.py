"""Parameters by which a map shows only some cameras: by owner, network, type and state."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import Query

from geo_grid.errors import InvalidQuery
from geo_grid.layers import Layer
from geo_grid.layers.items import Narrowing

_MOST = 100
_AGAIN = "; again for each more"
Owners = Annotated[
    list[Annotated[str, Query(max_length=200)]] | None,
    Query(max_length=_MOST, description=f"of cameras: only of this owner{_AGAIN}"),
]
Networks = Annotated[
    list[Annotated[str, Query(max_length=8)]] | None,
    Query(max_length=_MOST, description=f"of cameras: only on this network (digit 14 of the ID){_AGAIN}"),
]
Types = Annotated[
    list[Annotated[str, Query(max_length=8)]] | None,
    Query(max_length=_MOST, description=f"of cameras: only of this type (digits 11-13 of the ID){_AGAIN}"),
]
States = Annotated[
    list[Literal["online", "offline", "fault", "unknown"]] | None,
    Query(max_length=4, description=f"of cameras: only in this state; unknown: nobody reported on it{_AGAIN}"),
]


def narrowing_of(
    layers: Sequence[Layer],
    owners: Sequence[str] | None,
    networks: Sequence[str] | None,
    types: Sequence[str] | None,
    states: Sequence[str] | None,
) -> Narrowing:
    """Return what layers are narrowed to. Raises InvalidQuery where none of them can be."""
    given = {"owner_name": owners, "network_code": networks, "type_code": types, "camera_state": states}
    narrowing = {name: values for name, values in given.items() if values}
    for name in narrowing:
        if not any(name in layer.narrowed_by for layer in layers):
            message = f"{name} is for cameras, which are not asked for here"
            raise InvalidQuery(message)
    return narrowing
