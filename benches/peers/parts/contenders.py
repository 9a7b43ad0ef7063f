"""Who is compared: the program, its configuration, and what it does with a record."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from parts.processes import Fault

HERE = Path(__file__).resolve().parent.parent
CONFIGS = HERE / "configs"
TOPIC = "peers-topic"
DEAD_LETTERS = "peers-dead"
GROUP = "peers-group"


@dataclass(frozen=True)
class Contender:
    name: str
    # what it does with a record, for the table
    does: str
    # whether it maps the nine attributes; otherwise it sends a record as it is
    maps: bool
    # its configuration below configs/, or none
    config: str | None
    # the option that names its program, for those that cannot be installed here
    option: str | None = None
    # whether it runs in Python and says when its modules are loaded
    python: bool = False
    # who counts its records: the stub, its own first line (when it had the first and the last), or its metrics
    counted: str = "stub"


WORKER = "worker"
SKIPS = "worker-skips"
ALL = (
    Contender("librdkafka", "reads", False, None, counted="itself"),
    Contender(SKIPS, "reads, finds no route", False, "worker.yaml", option="--worker", counted="metrics"),
    Contender("mq-bridge", "reads, sends", False, "mq-bridge.yaml", python=True),
    Contender("mq-bridge-mapped", "reads, maps, sends", True, "mq-bridge-mapped.yaml", python=True),
    Contender("mq-bridge-jobs", "reads, maps, sends, waits for each job", True, "mq-bridge-jobs.yaml", python=True),
    Contender("connect-output", "reads, sends", False, "connect-output.yaml", python=True),
    Contender("connect-output-mapped", "reads, maps, sends", True, "connect-output-mapped.yaml", python=True),
    Contender("connect", "reads, maps, sends", True, "connect.yaml", option="--connect"),
    Contender("vector", "reads, maps, sends", True, "vector.yaml", option="--vector"),
    Contender(WORKER, "reads, maps, sends, reads each result", True, "worker.yaml", option="--worker"),
)


@dataclass(frozen=True)
class Place:
    """What a run uses."""

    folder: Path
    python: Path
    bare: Path
    programs: dict[str, Path]
    broker: str
    stub: str
    admin: str
    records: int


def filled(name: str, values: dict[str, str]) -> str:
    """A configuration with these words in the place of its own; all of them occur in it."""
    text = (CONFIGS / name).read_text(encoding="utf-8")
    for old, new in values.items():
        if old not in text:
            raise Fault(f"{name} does not mention {old}")
        text = text.replace(old, new)
    return text


def configured(contender: Contender, place: Place, group: str) -> Path | None:
    """Writes the configuration of one run."""
    if contender.config is None:
        return None
    values = {"127.0.0.1:9092": place.broker, "127.0.0.1:8080": place.stub, GROUP: group}
    if contender.option == "--worker":
        values["127.0.0.1:9464"] = place.admin
        other = {"on: parcel.scanned": "on: parcel.lost"} if contender.name == SKIPS else {}
        (place.folder / "mapping.yaml").write_text(filled("mapping.yaml", other), encoding="utf-8")
    if contender.name == "vector":
        (place.folder / "peers-data").mkdir(exist_ok=True)
    file = place.folder / contender.config
    file.write_text(filled(contender.config, values), encoding="utf-8")
    return file


def start_line(contender: Contender, place: Place, group: str) -> tuple[list[str | Path], dict[str, str]]:
    """The command that starts it, and its environment."""
    file = configured(contender, place, group)
    if file is None:
        return [place.bare, place.broker, TOPIC, group, str(place.records)], {}
    if contender.python:
        return [place.python, HERE / "bridge.py", file], {}
    program = place.programs[WORKER if contender.option == "--worker" else contender.name]
    if contender.option == "--worker":
        return [program, "run", "--config", file], {"KUSTOMER_TOKEN": "peers", "TMPDIR": os.fspath(place.folder)}
    if contender.name == "connect":
        return [program, "run", file], {}
    return [program, "--config", file], {}
