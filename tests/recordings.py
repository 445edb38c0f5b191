"""What runs and grids gave when they were recorded: identities, and the metrics of small runs.

A change that is not meant to change numbers must leave both as they are. ``python
tests/recordings.py`` records them anew, which only a change that is meant to may do.
"""

import hashlib
import json
import platform
from collections import defaultdict
from pathlib import Path

import torch

from fedlib import hardware
from fedlib.aggregators import AGGREGATORS
from fedlib.arenas.arena_1 import grid as arena_1
from fedlib.arenas.arena_1.keys import Bout
from fedlib.attacks import ATTACKS
from fedlib.clients import LocalSGD, MomentumSGD, RobustSGD
from fedlib.data import PARTITIONS, DataConfig, load_dataset
from fedlib.data.datasets import EMBEDDED_VARIANT
from fedlib.grids import compute_metrics, grid_slugs, load_grid, paper_slugs
from fedlib.runs import RunConfig

RECORDED = Path(__file__).parent / "recorded"
IDENTITIES = RECORDED / "identities.json"
RUNS = RECORDED / "runs.json"
SCALES = ("smoke", "quick", "paper")


def identities(played=None):
    """A digest of the cells' keys and identities, by grid, scale, source and first part of key.

    Rules and attacks that enter the catalogue enter the arena too, and change nothing that is
    stored. ``played`` are the rules and attacks of the arena that count; None takes all.
    """
    played = played or [arena_1.row_names(), arena_1.column_names()]
    found = {"played": played}
    papers = set(paper_slugs())
    for slug in grid_slugs():
        grid = load_grid(slug)
        for scale in SCALES:
            for source, variant in (("real", "canonical"), ("embedded", EMBEDDED_VARIANT)):
                groups = defaultdict(list)
                for seed in range(1, grid.seeds[scale] + 1):

                    def data(name, source=source, variant=variant):
                        return DataConfig(name, source, variant)

                    for cell in grid.cells(scale, seed, data):
                        if slug not in papers:
                            key = Bout.parse(cell.key)
                            if key.rule not in played[0] or key.attack not in played[1]:
                                continue
                        lines = groups[cell.key.split("/")[0]]
                        lines.append(f"{cell.key} {seed} {cell.config.id}")
                for part, lines in sorted(groups.items()):
                    digest = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]
                    found[f"{slug} {scale} {source} {part}"] = [len(lines), digest]
    return found


def embedded(name, train=600, test=200, **more):
    """Where the data set called ``name`` is generated."""
    return DataConfig(name, "embedded", EMBEDDED_VARIANT, train, test, **more)


def small(**changes):
    """A run of six rounds with eight clients, two of them Byzantine unless said otherwise."""
    values = {
        "data": embedded("mnist"),
        "n_clients": 8,
        "n_byzantine": 2,
        "client": MomentumSGD(8, momentum=0.9),
        "aggregator": AGGREGATORS["mean"](n_byzantine=2),
        "attack": ATTACKS["none"](n_byzantine=2),
        "rounds": 6,
        "eval_every": 3,
        "seed": 3,
    }
    return RunConfig(**{**values, **changes})


def rule(name, **fields):
    return AGGREGATORS[name](n_byzantine=2, **fields)


def attack(name, **fields):
    return ATTACKS[name](n_byzantine=2, **fields)


def runs():
    """Runs that together pass every client, tracker, kind of data, fact and agent."""
    voting = rule("center_with_outliers", side="vote")
    local = LocalSGD(8, 0.05, 0.5, 2)
    dirichlet = PARTITIONS["dirichlet"](alpha=0.5)
    return {
        "clipping": small(
            aggregator=rule("centered_clipping"), attack=attack("rop"), partition=dirichlet,
            track=("cosines", "average_iterate"), milestones=(3,),
        ),
        "training_attack": small(
            client=MomentumSGD(8, sampling="fresh"), aggregator=rule("trimmed_mean"),
            attack=attack("label_flip"), track=("cosines",),
        ),
        "shared_buffer": small(
            client=MomentumSGD(8, 0.9, "replacement", "shared"), aggregator=rule("krum"),
            attack=attack("sign_flip"),
        ),
        "augmented": small(
            data=embedded("cifar10", 200, 100), model="resnet20_code",
            client=MomentumSGD(4, 0.9, augment="crop_flip"), aggregator=rule("median"),
            attack=attack("alie"), rounds=2, eval_every=2,
        ),
        "elected": small(
            data=embedded("emnist_byclass", per_pixel=True), aggregator=voting,
            attack=attack("camouflage", aim="elected"), vote_samples=5, test_set="clients",
            partition=PARTITIONS["dirichlet_per_client"](alpha=0.5),
        ),
        "tried": small(
            aggregator=rule("nearest_neighbour_mixing", rule=voting), attack=attack("pga"),
        ),
        "reputation": small(
            aggregator=rule("flair"), attack=attack("full_trim"), track=("reputation",),
            client=MomentumSGD(8),
        ),
        "watched": small(
            aggregator=rule("gradient_guard"), attack=attack("saliency_matching"),
            server_samples=6, server_step="honest_mean", track=("reputation", "cosines"),
        ),
        "trusted": small(
            aggregator=rule("gradient_guard", map_of="spectral", reference="server"),
            attack=attack("full_krum"), server_samples=6,
        ),
        "probed": small(
            aggregator=rule("gradient_guard", inputs="clients", score="probability"),
            attack=attack("saliency_matching"),
        ),
        "local": small(
            client=local, learning_rate=1.0, partition=dirichlet,
            aggregator=rule("residual_reweighting"), attack=attack("pixel_backdoor"),
        ),
        "replaced": small(
            client=local, learning_rate=1.0, aggregator=rule("mean", weights="samples"),
            # A larger scale would enlarge rounding beyond what two machines may differ by.
            attack=attack("model_replacement", scale=2.0),
            partition=PARTITIONS["classes_per_client"](n_classes=4),
        ),
        "trusted_local": small(
            client=local, learning_rate=1.0, aggregator=rule("fltrust"), server_samples=10,
            attack=attack("bit_flip"),
        ),
        "reviews": small(
            data=embedded("amazon_reviews", 200, 100), model="fasttext_1000",
            client=LocalSGD(16, 0.01, optimizer="adam"), learning_rate=1.0,
            aggregator=rule("foolsgold", features="last_layer"), attack=attack("label_flip"),
            rounds=2, eval_every=1,
        ),
        "loans": small(
            data=embedded("lending_club", 400, 100), model="mlp_46_23", client=local,
            learning_rate=1.0, aggregator=rule("repeated_median"), attack=attack("none"),
        ),
        "robust": small(
            data=embedded("circle", 200, 100), model="elu_4_2",
            client=RobustSGD(8, momentum=0.5, gamma=0.5, gamma_unit="norm", ascent_steps=3),
            attack=attack("gaussian_noise"), track=("robustness", "decision"),
        ),
        "agent": small(
            data=embedded("circle", 200, 100), model="elu_4_2", client=RobustSGD(8, ascent_steps=2),
            track=("robustness",), rounds=8, eval_every=4, milestones=(3,),
            attack=attack(
                "two_stage", n_samples=10, n_iterations=2, pooled=2, episode=3, policy_steps=101,
                epoch=2, most_epochs=2,
            ),
        ),
        "network": small(
            data=embedded("mnist"), model="mlp_100", test_set="benign_clients",
            aggregator=AGGREGATORS["bucketing"](1, rule=AGGREGATORS["median"](n_byzantine=1)),
            attack=attack("ipm"),
        ),
    }  # fmt: skip


def metrics(config):
    """What a grid would store of a run."""
    found = compute_metrics(config, load_dataset(config.data))
    return {name: found[name] for name in found if name not in ("seconds", "files")}


def machine():
    """What two computations must share if they are to agree to the last bit."""
    numba = hardware.versions().get("numba", "")
    return [hardware.cpu_name(), platform.platform(), str(torch.__version__), numba]


def main():
    RECORDED.mkdir(exist_ok=True)
    IDENTITIES.write_text(json.dumps(identities(), indent=0) + "\n")
    found = {name: {"id": config.id, "metrics": metrics(config)} for name, config in runs().items()}
    RUNS.write_text(json.dumps({"machine": machine(), "runs": found}, indent=0) + "\n")


if __name__ == "__main__":
    main()
