"""Records of runs that nobody made, for tests of what is shown of them."""

from fedlib.data import DataConfig
from fedlib.grids import load_grid
from fedlib.runs.store import Store, make_record

COSINES = ("benign_to_last_aggregate", "byzantine_to_last_aggregate", "consecutive_perturbations")


def put(store, cell, scale, accuracy, provenance=None, **metrics):
    tracked = COSINES if "cosines" in cell.config.track else ()
    store.append(
        scale,
        make_record(
            cell.config,
            slug=store.slug,
            scale=scale,
            cell=cell.key,
            metrics={
                "rounds": [1, 2],
                "test_accuracy": [0.1, accuracy],
                "test_loss": [2.0, None],
                "train_loss": [2.0, 1.0],
                **{f"cosine_{name}": [None, None] for name in tracked},
                **metrics,
            },
            provenance={
                "data": "MNIST",
                "commit": "c",
                "device_name": "d",
                "versions": {"torch": "2"},
                "wall_time_s": 36.0,
                **(provenance or {}),
            },
        ),
    )


def put_one_real_cell(root, accuracy=0.98):
    """Store a paper run of centered clipping under ROP on real MNIST."""
    cell = next(
        cell
        for cell in load_grid("centered_clipping").cells("paper", 1, real)
        if cell.key == "table_iv/mnist_noniid/rop/cc_tau1/0.99"
    )
    put(Store("centered_clipping", root), cell, "paper", accuracy)


def real(name):
    """Where the real data set called ``name`` comes from."""
    return DataConfig(name, "real", "canonical")
