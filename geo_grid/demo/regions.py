"""Groups neighbouring cells into connected regions of wanted sizes, by growing from one cell each."""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROUNDS = 30


def distances(borders: csr_matrix, centres: Floats) -> csr_matrix:
    """Give the graph of neighbours with the distance between their centres as weight."""
    graph = borders.tocoo()
    length = np.hypot(*(centres[graph.row] - centres[graph.col]).T)
    return csr_matrix((length, (graph.row, graph.col)), shape=graph.shape)


def spread(centres: Floats, count: int, rng: np.random.Generator) -> Ints:
    """Choose `count` different cells spread over all (centres n x 2): the nearest to k-means centres."""
    if count >= len(centres):
        return np.arange(len(centres))
    means, _ = kmeans2(centres, count, minit="++", seed=rng, iter=8)
    chosen: dict[int, None] = {}
    near = cKDTree(centres).query(means, k=min(8, len(centres)))[1].reshape(count, -1)
    for options in near:
        chosen.update(dict.fromkeys([next((int(o) for o in options if int(o) not in chosen), -1)]))
    chosen.pop(-1, None)
    spare = (int(i) for i in rng.permutation(len(centres)) if int(i) not in chosen)
    while len(chosen) < count:
        chosen[next(spare)] = None
    return np.array(list(chosen), dtype=np.int64)


def grow(graph: csr_matrix, sources: Ints, quotas: Floats | None = None) -> Ints:
    """Assign every cell to the source it is nearest to along the graph.

    Later starts for regions that came out too large bring the sizes towards `quotas`. Adding to a
    start keeps regions connected: every cell on the shortest path to a source belongs to it too.

    Returns
    -------
    For each cell the index of its source in `sources`; -1 where no source can be reached.
    """
    size = graph.shape[0]
    typical = float(graph.data.mean()) if graph.nnz else 1.0
    late = np.full(len(sources), typical)
    started = _started(graph, sources)
    best, best_error = _grow_once(started, sources, late), np.inf
    if quotas is None:
        return best
    for round_number in range(_ROUNDS):
        labels = _grow_once(started, sources, late)
        found = np.bincount(labels[labels >= 0], minlength=len(sources))
        error = float(np.abs(found - quotas).sum()) + size * int((found == 0).sum())
        if error < best_error:
            best, best_error = labels, error
        radius = np.sqrt(np.maximum(found, 0.5)) - np.sqrt(quotas)
        late += typical * radius * (0.6 if round_number < _ROUNDS // 2 else 0.25)
        late -= late.min() - typical
    return best


def _started(graph: csr_matrix, sources: Ints) -> csr_matrix:
    """Return the graph with one more node, its last, from which an edge leads to each source, in the order of their numbers."""
    size, ends = graph.shape[0], graph.indptr[-1]
    return csr_matrix(
        (
            np.concatenate([graph.data, np.ones(len(sources))]),
            np.concatenate([graph.indices, np.sort(sources)]),
            np.concatenate([graph.indptr, [ends + len(sources)]]),
        ),
        shape=(size + 1, size + 1),
    )


def _grow_once(started: csr_matrix, sources: Ints, late: Floats) -> Ints:
    size = started.shape[0] - 1
    started.data[started.indptr[size] :] = late[np.argsort(sources)]
    _, before, _ = dijkstra(started, indices=[size], return_predecessors=True, min_only=True)
    parent = before.astype(np.int64)
    labels = np.full(size + 1, -1, dtype=np.int64)
    first = np.flatnonzero(parent[:size] == size)  # started, not reached from another source
    labels[first] = np.argsort(sources)[np.searchsorted(np.sort(sources), first)]
    pointer = np.where(parent < 0, np.arange(size + 1), parent)
    pointer[first] = first
    for _ in range(64):  # pointer jumping: each step doubles the length of path followed
        ahead = pointer[pointer]
        if (ahead == pointer).all():
            break
        pointer = ahead
    return labels[pointer][:size]
