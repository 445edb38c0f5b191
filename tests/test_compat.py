"""torchvision over a CPU build of torch: mended where it is broken, untouched where it is whole."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from fedlib.compat import EXTRAS

ROOT = Path(__file__).parent.parent
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


@pytest.mark.parametrize(
    ("missing", "module", "told"),
    [
        ("matplotlib", "fedlib.evidence.plots", "pip install 'fedlib[book]'"),
        ("matplotlib", "fedlib.papers.gradient_guard.tables", "pip install 'fedlib[book]'"),
        ("stable_baselines3", "fedlib.agents.two_stage", "pip install 'fedlib[rl]'"),
        ("gymnasium", "fedlib.agents.environment", "pip install 'fedlib[rl]'"),
    ],
)
def test_an_optional_package_that_is_missing_is_named_with_its_extra(
    tmp_path, missing, module, told
):
    code = f"sys.modules[{missing!r}] = None\nimport {module}\n"
    result = python(code, tmp_path)
    last = result.stderr.splitlines()[-1]
    assert last == f"fedlib.compat.MissingExtraError: {missing} is not installed: {told}"


def test_a_command_says_in_one_line_which_extra_it_needs_before_it_computes(tmp_path):
    cells = ["--only", "circle/rl/median", "--scale", "smoke"]
    for missing, extra, command in (
        ("stable_baselines3", "rl", ["run", "two_stage_attack", *cells]),
        ("matplotlib", "book", ["plan"]),
    ):
        code = (
            f"import os\nos.environ['FEDLIB_RESULTS'] = {str(tmp_path)!r}\n"
            f"sys.modules[{missing!r}] = None\nfrom fedlib.__main__ import main\n"
            f"sys.exit(main({command!r}))\n"
        )
        result = python(code, tmp_path)
        assert result.returncode == 2
        lines = [line for line in result.stderr.splitlines() if "warning" not in line]
        install = f"pip install 'fedlib[{extra}]'"
        assert lines == [f"fedlib: error: {missing} is not installed: {install}"]
        assert "to compute" not in result.stdout


def test_every_extra_that_a_message_names_is_one_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for module, extra in EXTRAS.items():
        package = module.replace("_", "-")
        assert any(line.startswith(package) for line in extras[extra]), module
