"""The Python packages: other programs of the comparison, and the client that writes the records."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from parts.processes import Fault, command, say

PACKAGES = ["mq-bridge==1.2.0", "mq-bridge-connect==0.2.2", "confluent-kafka==2.16.1"]


def python_with_packages(folder: Path) -> Path:
    """A Python with the packages, made once for each set of them."""
    python, marker = folder / "venv/bin/python", folder / "venv/packages"
    if marker.exists() and marker.read_text().split() == PACKAGES:
        return python
    say(f"installing {', '.join(PACKAGES)} (120 MB) into {folder / 'venv'}")
    shutil.rmtree(folder / "venv", ignore_errors=True)
    try:
        command([sys.executable, "-m", "venv", folder / "venv"], 120, "python3 -m venv")
    except Fault as fault:
        raise Fault(f"{fault}\npython3 needs its module venv, for example from apt-get install python3-venv") from fault
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    command([*pip, *PACKAGES], 600, "pip install")
    marker.write_text("\n".join(PACKAGES))
    return python
