"""Client that reads the layers of a running server into GeoDataFrames, for notebooks and other programs.

Needs GeoPandas. Calls block; a client keeps no connection open, and may be used by several threads.
"""

import io
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

from geo_grid.errors import GeoGridError, UserError

if TYPE_CHECKING:
    import geopandas as gpd

_PAGE = 10_000
_NEXT = re.compile(r'<([^>]+)>; rel="next"')


class Client:
    """A server, and the API key to ask it with.

    Parameters
    ----------
    url
        Address of the server, http:// or https://.
    key
        API key, made by `geo-grid key add`.
    timeout_s
        Longest wait for data, in seconds.
    """

    def __init__(self, url: str, key: str, timeout_s: float = 60) -> None:
        self.url = url.rstrip("/")
        self._key = key
        self._timeout_s = timeout_s

    def layers(self) -> dict[str, str]:
        """Return the title of each layer by name. Raises UserError, GeoGridError (see `read`)."""
        answer = json.loads(self._get(f"{self.url}/collections?f=json")[0])
        return {one["id"]: one["title"] for one in answer["collections"]}

    def read(self, layer: str, limit: int | None = None, **parameters: Any) -> "gpd.GeoDataFrame":
        """Read the rows of a layer that match the parameters, page by page.

        Parameters
        ----------
        limit
            Most rows; all when None.
        parameters
            Of OGC API Features, with _ for -: bbox=(west, south, east, north), datetime, filter, sortby,
            properties, crs, or any queryable (facility_kind="school").

        Returns
        -------
        One row per feature, in the reference system asked for, x before y; EPSG:4490 when none is named.

        Raises
        ------
        UserError
            The server refuses the question or the key, and says why.
        GeoGridError
            The server cannot be reached.
        """
        import geopandas as gpd
        import pandas as pd

        arguments = {
            name.replace("_", "-") if name in _HYPHENS else name: _text(value) for name, value in parameters.items()
        }
        size = _PAGE if limit is None else min(limit, _PAGE)
        query = urllib.parse.urlencode({**arguments, "limit": size, "f": "parquet"})
        address: str | None = f"{self.url}/collections/{urllib.parse.quote(layer, safe='')}/items?{query}"
        pages: list[gpd.GeoDataFrame] = []
        while address is not None and (limit is None or sum(map(len, pages)) < limit):
            body, address = self._get(address)
            pages.append(gpd.read_parquet(io.BytesIO(body)))
        filled = [page for page in pages if len(page)] or pages[:1]
        frame = pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0]
        return frame if limit is None else frame.iloc[:limit]

    def _get(self, address: str) -> tuple[bytes, str | None]:
        """Return the body, and the address of the next page."""
        if not address.startswith(("http://", "https://")):
            message = f"{address} is not the address of a server: it begins with http:// or https://"
            raise UserError(message)
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {self._key}"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310 (checked above)
                following = _NEXT.search(answer.headers.get("Link", ""))
                return answer.read(), following[1] if following else None
        except urllib.error.HTTPError as refused:
            try:
                message = json.loads(refused.read())["detail"]
            except (ValueError, KeyError):
                message = f"{address}: {refused}"
            raise UserError(message) from None
        except OSError as error:
            message = f"{self.url} cannot be reached: {error}"
            raise GeoGridError(message) from None


_HYPHENS = {"bbox_crs", "filter_lang", "filter_crs"}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
