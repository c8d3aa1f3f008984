"""Parameters by which a map shows only some cameras: by owner, network, type and state."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from fastapi import Depends, Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from geo_grid.errors import InvalidQuery
from geo_grid.layers import Layer
from geo_grid.layers.items import Narrowing

_MOST = 100
_AGAIN = "; again for each more"
_Owners = Annotated[
    list[Annotated[str, Query(max_length=200)]] | None,
    Query(max_length=_MOST, description=f"of cameras: only of this owner{_AGAIN}"),
]
_Networks = Annotated[
    list[Annotated[str, Query(max_length=8)]] | None,
    Query(max_length=_MOST, description=f"of cameras: only on this network (digit 14 of the ID){_AGAIN}"),
]
_Types = Annotated[
    list[Annotated[str, Query(max_length=8)]] | None,
    Query(max_length=_MOST, description=f"of cameras: only of this type (digits 11-13 of the ID){_AGAIN}"),
]
_States = Annotated[
    list[Literal["online", "offline", "fault", "unknown"]] | None,
    Query(max_length=4, description=f"of cameras: only in this state; unknown: nobody reported on it{_AGAIN}"),
]


def _asked(
    owner_name: _Owners = None, network_code: _Networks = None, type_code: _Types = None, camera_state: _States = None
) -> Narrowing:
    given = {
        "owner_name": owner_name,
        "network_code": network_code,
        "type_code": type_code,
        "camera_state": camera_state,
    }
    return {name: values for name, values in given.items() if values}


class _Given(BaseModel):
    owner_name: _Owners = None
    network_code: _Networks = None
    type_code: _Types = None
    camera_state: _States = None


def read_narrowing(given: Mapping[str, Sequence[str]]) -> Narrowing:
    """Read what a request without these parameters asks for. Raises RequestValidationError for what they would not take."""
    try:
        _Given.model_validate(given)
    except ValidationError as error:
        wrong = [{**one, "loc": ("query", *one["loc"])} for one in error.errors(include_url=False)]
        raise RequestValidationError(wrong) from None
    return given


Only = Annotated[Mapping[str, Sequence[str]], Depends(_asked)]
"""What is asked for, as a `Narrowing`."""


def refuse_needless(layers: Sequence[Layer], only: Narrowing) -> None:
    """Raise InvalidQuery where none of the layers can be narrowed so."""
    for name in only:
        if not any(name in layer.narrowed_by for layer in layers):
            message = f"{name} is for cameras, which are not asked for here"
            raise InvalidQuery(message)
