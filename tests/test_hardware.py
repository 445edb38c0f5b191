"""The machine: which devices are taken, and by how many threads is computed."""

import pytest
import torch

from fedlib import hardware
from fedlib.validation import ConfigError


def test_auto_takes_no_device_without_float64(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert hardware.check_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match=r"device='mps' has no float64. Allowed: auto, cpu\."):
        hardware.check_device("mps")


def test_auto_takes_the_first_gpu_that_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert hardware.check_device("auto") == torch.device("cuda")
    assert hardware.check_device("cuda:1") == torch.device("cuda:1")


def test_one_thread_is_given_back_whatever_happens():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(ZeroDivisionError), hardware.one_thread():
            assert torch.get_num_threads() == 1
            raise ZeroDivisionError
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
