"""Passwords in files: they are dropped at the door, before anything is stored or shown, and counted."""

import pyarrow as pa

from geo_grid.passwords import HINT, is_secret_name, without_passwords


def without_secrets(table: pa.Table) -> tuple[pa.Table, int]:
    """Drop columns of passwords, and passwords in addresses and texts; return what is left, and how many there were."""
    count = 0
    for place, name in reversed(list(enumerate(table.schema.names))):
        column = table.column(place)
        if is_secret_name(name):
            count += _given(column)
            table = table.remove_column(place)
        elif (kind := _text_of(column.type)) is not None:
            cleaned, found = _cleaned(column.cast(kind))
            if found:
                count += found
                table = table.set_column(place, name, cleaned)
    return table, count


def _text_of(kind: pa.DataType) -> pa.DataType | None:
    """Return the type of the texts in a column; None: it holds none."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return inner if pa.types.is_string(inner) or pa.types.is_large_string(inner) else None


def _cleaned(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, int]:
    from pyarrow import compute  # not at the top: takes a fifth of a second, and a server loads it when it serves

    suspect = compute.indices_nonzero(compute.match_substring_regex(column, HINT))
    if not len(suspect):
        return column, 0
    looked_at = [without_passwords(text) for text in column.take(suspect).to_pylist()]
    found = sum(count for _, count in looked_at)
    if not found:
        return column, 0
    texts = column.to_pylist()
    for row, (text, _) in zip(suspect.to_pylist(), looked_at, strict=True):
        texts[row] = text
    return pa.chunked_array([pa.array(texts, column.type)]), found


def _given(column: pa.ChunkedArray) -> int:
    from pyarrow import compute

    if (kind := _text_of(column.type)) is not None:
        return int(compute.sum(compute.not_equal(column.cast(kind), "")).as_py() or 0)
    return len(column) - int(column.null_count)
