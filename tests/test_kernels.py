"""The compiled kernels: when they are used, and what they compute beside their definitions."""

import subprocess
import sys

import pytest

from fedlib import hardware, kernels
from fedlib.validation import ConfigError


def test_kernels_are_used_unless_the_environment_says_off(monkeypatch):
    monkeypatch.delenv(kernels.SWITCH, raising=False)
    assert kernels.available()
    assert kernels.lack() == ""
    assert "numba" in hardware.versions()
    monkeypatch.setenv(kernels.SWITCH, "off")
    assert not kernels.available()
    assert kernels.SWITCH in kernels.lack()
    assert "numba" not in hardware.versions()


def test_another_word_in_the_environment_is_an_error(monkeypatch):
    monkeypatch.setenv(kernels.SWITCH, "no")
    with pytest.raises(ConfigError, match=r"FEDLIB_KERNELS='no' .* Allowed: off, on"):
        kernels.available()


def test_without_numba_the_definitions_serve():
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "import torch\n"
        "from fedlib import kernels\n"
        "from fedlib.aggregators import AGGREGATORS\n"
        "print(AGGREGATORS['median']().apply(torch.tensor([[1.0], [5.0], [2.0]]))[0].tolist())\n"
        "print(kernels.lack())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[2.0]\nNumba cannot be imported")


def test_importing_the_library_imports_no_numba():
    code = (
        "import fedlib.aggregators, fedlib.attacks, fedlib.engine, fedlib.grids, sys\n"
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
