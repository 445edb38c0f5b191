"""torchvision over a CPU build of torch: mended where it is broken, untouched where it is whole."""

import subprocess
import sys

FAKE = """
import torch
if not hasattr(torch.ops.torchvision, "nms"):
    raise RuntimeError("operator torchvision::nms does not exist")
"""


def python(code, path):
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(path)!r})\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def fake_torchvision(tmp_path, source):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(source)
    return tmp_path


def test_missing_operators_are_declared_and_stay(tmp_path):
    code = (
        "import gc, torch\n"
        "from fedlib.compat import import_torchvision, missing_schemas\n"
        "assert missing_schemas() == ['nms', 'qnms']\n"
        "module = import_torchvision(); gc.collect()\n"
        "assert missing_schemas() == []\n"
        "assert import_torchvision() is module\n"
        "print(module.__file__)\n"
    )
    result = python(code, fake_torchvision(tmp_path, FAKE))
    assert result.returncode == 0, result.stderr
    assert str(tmp_path) in result.stdout


def test_a_whole_torchvision_is_left_alone(tmp_path):
    code = (
        "from fedlib import compat\n"
        "compat.import_torchvision()\n"
        "print(compat.missing_schemas(), compat._kept_alive)\n"
    )
    result = python(code, fake_torchvision(tmp_path, "whole = True\n"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "['nms', 'qnms'] []"


def test_another_failure_of_its_import_is_not_hidden(tmp_path):
    source = "raise RuntimeError('something else')\n"
    result = python(
        "from fedlib.compat import import_torchvision; import_torchvision()",
        fake_torchvision(tmp_path, source),
    )
    assert result.returncode == 1
    assert result.stderr.strip().endswith("RuntimeError: something else")


def test_the_installed_torchvision_has_data_sets():
    from fedlib.compat import import_torchvision

    assert import_torchvision().datasets.MNIST.__name__ == "MNIST"
