"""Networks of the papers, by name, as plain ``torch.nn`` modules.

Every function of ``MODELS`` takes the ``shape`` of a sample, ``(C, H, W)``, and the number of
classes. The network that it returns maps samples ``(n, C, H, W)`` to logits ``(n, n_classes)``.

A pooling layer stands before its ReLU: the two commute, and the ReLU sees a quarter of the values.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from fedlib.data.tables import VOCABULARY
from fedlib.models.residual import ResidualBlock as ResidualBlock
from fedlib.models.residual import resnet9, resnet18, resnet20, resnet20_code
from fedlib.validation import ConfigError, check_int, check_name


@dataclass(frozen=True)
class ParameterLayout:
    """Where each parameter of a model lies in its flat vector of ``size`` values.

    Each parameter begins at its offset, and is flattened row by row.

    Examples
    --------
    >>> import torch
    >>> layout = ParameterLayout.of(torch.nn.Linear(3, 2))
    >>> layout.names, layout.offsets, layout.size
    (('weight', 'bias'), (0, 6), 8)
    >>> layout.views(torch.arange(8.0))["bias"]
    tensor([6., 7.])
    """

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    offsets: tuple[int, ...]
    size: int

    @classmethod
    def of(cls, model: nn.Module) -> ParameterLayout:
        """Return the layout of ``model``, in the order of ``named_parameters``."""
        names, shapes, offsets, size = [], [], [], 0
        for name, parameter in model.named_parameters():
            names.append(name)
            shapes.append(parameter.shape)
            offsets.append(size)
            size += parameter.numel()
        return cls(tuple(names), tuple(shapes), tuple(offsets), size)

    def views(self, flat: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return views into flat vectors ``(..., size)``, by the name of the parameter.

        A view has the shape ``(..., *shape)``: it keeps the leading axes.
        """
        lead = flat.shape[:-1]
        return {
            name: flat[..., start : start + shape.numel()].view(*lead, *shape)
            for name, shape, start in zip(self.names, self.shapes, self.offsets, strict=True)
        }


def flatten_parameters(model: nn.Module) -> torch.Tensor:
    """Move a model's parameters into one flat vector ``(n_parameters,)``, and return it.

    The parameters become views of the vector, so a change of one is a change of the other.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Linear(3, 2)
    >>> flat = flatten_parameters(model)
    >>> flat.zero_()
    tensor([0., 0., 0., 0., 0., 0., 0., 0.])
    >>> model(torch.ones(1, 3)).tolist()
    [[0.0, 0.0]]
    """
    layout = ParameterLayout.of(model)
    first = next(model.parameters())
    flat = torch.empty(layout.size, dtype=first.dtype, device=first.device)
    views = layout.views(flat)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            views[name].copy_(parameter)
            parameter.data = views[name]
    return flat


def batch_norms(model: nn.Module) -> list[nn.Module]:
    """Return the batch-norm layers of a model.

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    >>> [type(layer).__name__ for layer in batch_norms(model)]
    ['BatchNorm2d']
    """
    return [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


def critical_parameters(model: nn.Module) -> torch.Tensor:
    """Mark the parameters that sparse attacks aim at (centered_clipping, section V-A).

    The mask ``(n_parameters,)`` of bool marks the first and the last layer, normalisations and all
    biases.

    Examples
    --------
    In the middle layer only the bias is marked:

    >>> model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1))
    >>> critical_parameters(model).tolist()
    [True, True, False, True, True, True]
    """
    layers = [
        layer
        for layer in model.modules()
        if next(layer.parameters(recurse=False), None) is not None
    ]
    ends = {id(p) for layer in (layers[0], layers[-1]) for p in layer.parameters(recurse=False)}
    # A bias or the scale of a normalisation is the only kind of parameter with one dimension.
    parts = [torch.full((p.numel(),), p.dim() == 1 or id(p) in ends) for p in model.parameters()]
    return torch.cat(parts)


def output_bias(model: nn.Module) -> torch.Tensor:
    """Mark the bias of the last layer, in a mask ``(n_parameters,)`` of bool.

    Nothing is marked if the last layer has no bias.

    Examples
    --------
    >>> output_bias(nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1))).int().tolist()
    [0, 0, 0, 0, 0, 0, 1]
    """
    parts = [torch.zeros(p.numel(), dtype=torch.bool) for p in model.parameters()]
    if list(model.parameters())[-1].dim() == 1:
        parts[-1].fill_(True)
    return torch.cat(parts)


def output_weights(model: nn.Module) -> torch.Tensor:
    """Mark the weights of the last layer, not its bias, in a mask ``(n_parameters,)`` of bool.

    Examples
    --------
    >>> output_weights(nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1))).int().tolist()
    [0, 0, 0, 0, 1, 1, 0]
    """
    parts = [torch.zeros(p.numel(), dtype=torch.bool) for p in model.parameters()]
    last = max(i for i, p in enumerate(model.parameters()) if p.dim() > 1)
    parts[last].fill_(True)
    return torch.cat(parts)


def _cnn(channels: int, size: int, widths: tuple[int, int], hidden: int, classes: int) -> nn.Module:
    """Build two 5x5 convolutions with max pooling, and a hidden layer unless ``hidden`` is 0."""
    first, second = widths
    side = ((size - 4) // 2 - 4) // 2
    head: list[nn.Module] = [nn.Flatten()]
    features = second * side * side
    if hidden:
        head += [nn.Linear(features, hidden), nn.ReLU()]
    head.append(nn.Linear(hidden or features, classes))
    return nn.Sequential(
        nn.Conv2d(channels, first, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(first, second, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        *head,
    )


def cnn_20_50(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """Two-layer CNN with 20 and 50 channels and a hidden layer of 500.

    It has 431,080 parameters on 28x28 grey images with 10 classes. The paper's text says "2-layer
    CNN" (centered_clipping, section VI-A). The widths are those of the authors' code.
    """
    return _cnn(shape[0], shape[1], (20, 50), 500, n_classes)


def cnn_4_8(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """Small CNN with 4 and 8 channels and a hidden layer of 16 (residual_reweighting, Table 5).

    It has 3,146 parameters on 28x28 grey images with 10 classes.
    """
    return _cnn(shape[0], shape[1], (4, 8), 16, n_classes)


def cnn_32_64(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """CNN with 32 and 64 channels and no hidden layer.

    It is that of the authors' code (clustering_with_outliers), and has 115,646 parameters on 28x28
    grey images with 62 classes.
    """
    return _cnn(shape[0], shape[1], (32, 64), 0, n_classes)


class _MeanEmbedding(nn.Module):
    """The mean of the embeddings of a text's words, where the number 0 stands for no word."""

    def __init__(self, vocabulary: int, dimension: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(vocabulary, dimension) / 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        words = x.flatten(1).long()
        # Words are numbered by frequency: those beyond the vocabulary are rare ones, 1.
        words = torch.where(words < len(self.weight), words, 1)
        there = (words > 0).to(self.weight.dtype)
        total = torch.einsum("nwd,nw->nd", F.embedding(words, self.weight), there)
        return total / there.sum(1, keepdim=True).clamp(min=1)


class _BinaryScore(nn.Linear):
    """A linear layer that gives one score z as the logits (0, z).

    The cross-entropy of these logits is the binary cross-entropy of z.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__(inputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pad(super().forward(x), (1, 0))


def fasttext(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """FastText: the mean of word embeddings and one linear layer, for data with two classes.

    It knows 25,000 words, with embeddings of dimension 100 and one output: 2,500,101 parameters
    (residual_reweighting, appendix A.2).
    """
    return _fasttext(VOCABULARY, n_classes)


def fasttext_1000(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """FastText that knows only the thousand most frequent words: 100,101 parameters."""
    return _fasttext(1000, n_classes)


def _fasttext(vocabulary: int, n_classes: int) -> nn.Module:
    if n_classes != 2:
        raise ConfigError(f"model='fasttext' is for data with 2 classes, not {n_classes}.")
    return nn.Sequential(_MeanEmbedding(vocabulary, 100), _BinaryScore(100))


def mlp_46_23(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """Three fully connected layers of 46, 23 and ``n_classes`` units.

    It has 5,529 parameters for 91 features and 9 classes (residual_reweighting, appendix A.2).
    """
    features = shape[0] * shape[1] * shape[2]
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(features, 46),
        nn.ReLU(),
        nn.Linear(46, 23),
        nn.ReLU(),
        nn.Linear(23, n_classes),
    )


def mlp_100(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """Feed-forward network with 100 hidden units (gradient_guard, section 4).

    The paper names no size. There are 79,510 parameters on 28x28 grey images with 10 classes.
    """
    features = shape[0] * shape[1] * shape[2]
    return nn.Sequential(
        nn.Flatten(), nn.Linear(features, 100), nn.ReLU(), nn.Linear(100, n_classes)
    )


def elu_4_2(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """Hidden layers of four and two ELU units (two_stage_attack, section 4; Sinha et al., 2018).

    It has 28 parameters for two features and two classes.
    """
    features = shape[0] * shape[1] * shape[2]
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(features, 4),
        nn.ELU(),
        nn.Linear(4, 2),
        nn.ELU(),
        nn.Linear(2, n_classes),
    )


def elu_cnn(
    shape: tuple[int, int, int], n_classes: int, channels: tuple[int, int, int] = (64, 128, 128)
) -> nn.Module:
    """Convolutions of 8x8, 6x6 and 5x5 with ELU, and one linear layer, for images of 28x28.

    It is the network of two_stage_attack, section 4, with the widths, strides and padding of Sinha
    et al. (2018). The last layer has 1,290 parameters. ``elu_cnn_small`` has an eighth of the
    ``channels``, and 11,730 parameters on grey images with 10 classes.
    """
    if shape[1:] != (28, 28):
        raise ConfigError(f"model='elu_cnn' is for images of 28x28, not {shape[1]}x{shape[2]}.")
    widths, layers = (shape[0], *channels), list[nn.Module]()
    for place, (size, stride, padding) in enumerate(((8, 2, 3), (6, 2, 0), (5, 1, 0))):
        layers += [nn.Conv2d(widths[place], widths[place + 1], size, stride, padding), nn.ELU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1], n_classes))


def softmax_regression(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """Multinomial logistic regression, the smallest model, for examples and tests."""
    return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], n_classes))


MODELS: dict[str, Callable[[tuple[int, int, int], int], nn.Module]] = {
    "cnn_20_50": cnn_20_50,
    "cnn_4_8": cnn_4_8,
    "cnn_32_64": cnn_32_64,
    "resnet20": resnet20,
    "resnet20_code": resnet20_code,
    "resnet9": resnet9,
    "resnet18": resnet18,
    "fasttext": fasttext,
    "fasttext_1000": fasttext_1000,
    "mlp_46_23": mlp_46_23,
    "mlp_100": mlp_100,
    "elu_4_2": elu_4_2,
    "elu_cnn": elu_cnn,
    "elu_cnn_small": partial(elu_cnn, channels=(8, 16, 16)),
    "softmax_regression": softmax_regression,
}


_GLOBAL_GENERATOR = threading.Lock()  # layers draw from it, one thread at a time


def make_model(name: str, shape: tuple[int, int, int], n_classes: int, seed: int) -> nn.Module:
    """Build a model and initialise it from a seed.

    The parameters have torch's default initialisation. The global random state is left as it was.

    Parameters
    ----------
    name
        One of ``MODELS``.
    shape, n_classes
        The shape of a sample, ``(C, H, W)``, and the number of classes.
    seed
        The seed of the initialisation.

    Raises
    ------
    ConfigError
        If ``name`` is unknown, if a number is out of range, or if the model is made for other data.
        Samples that are too small for a convolution are noticed when the model is called.

    Examples
    --------
    >>> import torch
    >>> model = make_model("cnn_4_8", (1, 28, 28), 10, seed=1)
    >>> sum(parameter.numel() for parameter in model.parameters())
    3146
    >>> tuple(model(torch.zeros(5, 1, 28, 28)).shape)
    (5, 10)
    """
    check_name("model", name, MODELS)
    check_int("n_classes", n_classes, 2)
    check_int("seed", seed, 0)
    with _GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
        # torch.manual_seed would seed the accelerators' generators too.
        torch.default_generator.manual_seed(seed)
        return MODELS[name](shape, n_classes)
