"""The address of the repository, which is one setting: ``repository.url`` in ``_config.yml``.

Where it is set, the site has buttons that lead to the repository, and chapters have buttons that
open them in Binder and, if the repository is on GitHub, in Colab. Where it is empty, nothing is
shown that would lead nowhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

BINDER = "https://mybinder.org"
COLAB = "https://colab.research.google.com"
GITHUB = "github.com"


class AddressError(Exception):
    """The address cannot be used; the message names it and says what is allowed."""


def with_buttons(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration of the site with the buttons that the address allows.

    Parameters
    ----------
    config
        The configuration as ``_config.yml`` has it. It is not changed.

    Returns
    -------
    dict
        The configuration to render with. It has no ``repository`` if there is no address.

    Raises
    ------
    AddressError
        If the address is not that of a repository.
    """
    repository = config.get("repository") or {}
    rest = {key: value for key, value in config.items() if key != "repository"}
    address = repository.get("url") or ""
    if not address:
        return rest
    parts = urlsplit(str(address))
    if parts.scheme != "https" or len(parts.path.strip("/").split("/")) != 2:
        raise AddressError(
            f"repository.url={address!r} in _config.yml must be empty or have the form "
            "https://github.com/OWNER/NAME."
        )
    launch = {**(config.get("launch_buttons") or {}), "binderhub_url": BINDER}
    if parts.netloc == GITHUB:
        launch["colab_url"] = COLAB
    sphinx = config.get("sphinx") or {}
    settings = sphinx.get("config") or {}
    # jupyter-book drops what it makes of its own keys where the configuration has options of the
    # theme, so the buttons are entered as such options.
    theme = {
        **settings.get("html_theme_options", {}),
        "repository_url": str(address).rstrip("/"),
        "repository_branch": repository.get("branch", "main"),
        "use_repository_button": True,
        "use_issues_button": True,
        "launch_buttons": launch,
    }
    return {**rest, "sphinx": {**sphinx, "config": {**settings, "html_theme_options": theme}}}


def configure(path: Path) -> None:
    """Write the buttons into a copy of ``_config.yml``.

    Parameters
    ----------
    path
        The copy.

    Raises
    ------
    AddressError
        If the address is not that of a repository.
    """
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    text = yaml.safe_dump(with_buttons(config), sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
