"""Records of runs that nobody made, for tests of what is shown of them."""

from fedlib.runs.store import make_record

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
