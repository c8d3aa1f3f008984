"""Batches of points that are handed back: small ones joined, large ones in parts."""

import pyarrow as pa
import pytest

from geo_grid.files.points.batches import BATCH, together

BATCHES = {
    "of one row each": [1] * 500,
    "small ones around a large one": [3, BATCH * 2 + 5, 4],
    "empty ones between": [0, 2, 0, 0, 3],
    "none": [],
}


def batches_of(sizes: list[int]) -> list[pa.RecordBatch]:
    """Make batches of so many rows; the column counts on from batch to batch."""
    begins = [sum(sizes[:place]) for place in range(len(sizes))]
    return [pa.record_batch({"row": range(a, a + n)}) for a, n in zip(begins, sizes, strict=True)]


@pytest.mark.parametrize("sizes", BATCHES.values(), ids=BATCHES)
def test_rows_stay_as_they_are_and_batches_become_few(sizes: list[int]) -> None:
    joined = list(together(batches_of(sizes)))
    assert [row for batch in joined for row in batch.column("row").to_pylist()] == [*range(sum(sizes))]
    assert all(0 < batch.num_rows <= BATCH for batch in joined)
    assert len(joined) <= sum(sizes) // BATCH + 3


def test_texts_that_are_numbered_anew_in_each_batch_are_numbered_together() -> None:
    of_each = [pa.record_batch({"name": pa.array([name]).dictionary_encode()}) for name in ("东门", "西门", "东门")]
    (joined,) = together(of_each)
    assert joined.column("name").to_pylist() == ["东门", "西门", "东门"]


def test_more_texts_than_can_be_numbered_together_stay_apart() -> None:
    kind = pa.dictionary(pa.int8(), pa.string())
    of_each = [pa.record_batch({"name": pa.array([f"{a}-{n}" for n in range(100)], kind)}) for a in range(3)]
    assert [len(batch) for batch in together(of_each)] == [100, 100, 100]
