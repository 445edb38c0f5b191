"""The page of recipes: each of its blocks runs as a reader copies it, and prints what it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "book" / "use_it_elsewhere.md").read_text(encoding="utf-8")


def recipes():
    """The sections of the page: their blocks of Python, what they print, and their commands."""
    for section in PAGE.split("\n## ")[1:]:
        title = section.splitlines()[0]
        blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
        if blocks:
            shown = "".join(re.findall(r"```text\n(.*?)```", section, re.DOTALL))
            yield pytest.param(blocks, shown, section, id=title)


@pytest.mark.parametrize(("blocks", "shown", "section"), list(recipes()))
def test_a_recipe_prints_what_the_page_shows(tmp_path, blocks, shown, section):
    files = [re.match(r"# file: (\S+)\n", block) for block in blocks]
    named = [match.group(1) for match in files if match]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FEDLIB")}
    environment.update(OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT))
    if named:
        (tmp_path / named[0]).write_text(blocks[0])
        (command,) = re.findall(rf"^    torchrun (.*{re.escape(named[0])})$", section, re.MULTILINE)
        # The program beside this Python, whether or not it is on the path.
        arguments = ["-m", "torch.distributed.run", *command.split()]
    else:
        (tmp_path / "recipe.py").write_text("\n".join(blocks))
        arguments = ["recipe.py"]
    result = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert shown and result.stdout == shown


def test_the_page_has_every_recipe_and_what_it_says_of_the_mean_is_true():
    titles = [parameters.id for parameters in recipes()]
    assert titles == [
        "A loop of PyTorch in ten lines",
        "Arrays of NumPy and of other libraries",
        "Processes of torch.distributed",
    ]
    (block,) = next(recipes()).values[0]
    names: dict = {}
    exec(block.replace('["trimmed_mean"](n_byzantine=2)', '["mean"]()'), names)
    assert names["error"] > 1


def test_the_loop_serves_rules_that_remember():
    (block,) = next(recipes()).values[0]
    for rule in ("centered_clipping", "foolsgold", "flair"):
        names: dict = {}
        exec(block.replace('"trimmed_mean"', f'"{rule}"'), names)
        assert names["state"] is not None


def test_every_extra_that_the_page_names_is_one_of_the_project():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(re.findall(r"\.\[(\w+)\]", PAGE)) <= set(project["optional-dependencies"])
    assert {"book", "rl", "bench"} <= set(re.findall(r"\.\[(\w+)\]", PAGE))
