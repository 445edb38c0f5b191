"""``doctor`` says what fedlib finds on this machine, and how fast it computes here."""

from __future__ import annotations

import argparse
import time

import torch

from fedlib import __version__, hardware, kernels, limits
from fedlib.commands.data import print_data
from fedlib.commands.helps import DEVICE_HELP, sentence
from fedlib.gradients import choose_strategy, gradients
from fedlib.gradients.replay import Graphs
from fedlib.models import make_model
from fedlib.runs.store import results_root

# Networks, with the shape of their images. Residual networks take too long on a CPU for this.
_NETWORKS = {"cnn_4_8": (1, 28, 28), "cnn_20_50": (1, 28, 28)}
_ON_ACCELERATORS = {**_NETWORKS, "resnet20": (3, 32, 32)}


def add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``doctor`` to the parser."""
    text = "show what fedlib finds on this machine (versions, devices, data), and measure its speed"
    doctor = commands.add_parser("doctor", help=text, description=sentence(text))
    doctor.add_argument("--device", default="auto", metavar="D", help=DEVICE_HELP)
    doctor.set_defaults(command=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    """Print versions, device, times of a client step, data and results."""
    device = hardware.check_device(options.device)
    hardware.configure(hardware.cores())
    print(f"fedlib {__version__} ({hardware.commit()})")
    for name, version in hardware.versions().items():
        print(f"  {name} {version}")
    print(f"device: {device} ({hardware.device_name(device)})")
    print(f"cores: {hardware.cores()}, processor: {hardware.cpu_name()}")
    print(f"free memory: {limits.free_memory() / 1e9:.1f} GB")
    print(f"results: {results_root()}")
    print(
        f"time of a client step, for 20 clients with 32 samples each ({hardware.cores()} threads):"
    )
    for model, shape in (_NETWORKS if device.type == "cpu" else _ON_ACCELERATORS).items():
        times = _time_strategies(model, shape, device)
        chosen = choose_strategy(make_model(model, shape, 10, 0), device)
        shown = ", ".join(f"{name} {1000 * seconds:.0f} ms" for name, seconds in times.items())
        print(f"  {model}: {shown}; the engine chooses {chosen}")
    print_data()
    return 0


def _time_strategies(
    model_name: str, shape: tuple[int, int, int], device: torch.device
) -> dict[str, float]:
    """Return the seconds of the fastest of three client steps, by strategy."""
    model = make_model(model_name, shape, 10, 0).to(device)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(20, 32, *shape, generator=generator).to(device)
    y = torch.randint(10, (20, 32), generator=generator).to(device)
    out = torch.empty(20, sum(p.numel() for p in model.parameters()), device=device)
    times, graphs = {}, Graphs()
    here = ("tiled",) if device.type == "cpu" and kernels.available() else ()
    for strategy in ("loop", "merged", *here, "grouped", "vmap"):
        best = float("inf")
        for _ in range(3):
            start = time.perf_counter()
            _, losses = gradients(model, x, y, out=out, strategy=strategy, graphs=graphs)
            float(losses.sum())  # waits for an accelerator
            best = min(best, time.perf_counter() - start)
        times[strategy] = best
    return times
