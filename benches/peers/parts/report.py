"""Medians with ranges, as a table and as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from statistics import median

from parts.contenders import ALL, WORKER, Contender
from parts.measure import Run

Runs = dict[str, list[Run]]


def spread(values: list[float], form: str) -> str:
    """`median (least to most)`; the median alone if that is all there is."""
    middle = format(median(values), form)
    return middle if len(values) == 1 else f"{middle} ({format(min(values), form)} to {format(max(values), form)})"


# what is compared, and how it is shown
FIGURES: list[tuple[str, Callable[[Run], float], str]] = [
    ("records/s", lambda run: run.records_per_second, ",.0f"),
    ("records/s, second half", lambda run: run.second_half, ",.0f"),
    ("CPU a record, µs", lambda run: run.cpu_us, ".1f"),
    ("peak memory, MiB", lambda run: run.memory_kib / 1024, ".0f"),
]


def figures_of(contender: Contender, runs: list[Run]) -> list[str]:
    shown = [spread([pick(run) for run in runs], form) for _, pick, form in FIGURES]
    requests = f"{median(run.requests for run in runs):,.0f}" if contender.counted == "stub" else "none"
    return [contender.name, contender.does, *shown, requests, f"{100 * median(run.stub_busy for run in runs):.0f} %"]


def ratios_of(contender: Contender, runs: list[Run], worker: list[Run]) -> list[str]:
    return [contender.name, *(f"{median(map(pick, runs)) / median(map(pick, worker)):.2f}" for _, pick, _ in FIGURES)]


def table(headings: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [headings, ["---"] * len(headings), *rows])


def tables(results: Runs) -> str:
    """The figures of each program; below them, if the worker ran, their ratios to the worker's."""
    names = [name for name, _, _ in FIGURES]
    ran = [(contender, results[contender.name]) for contender in ALL if results.get(contender.name)]
    text = table(["program", "does", *names, "requests", "stub busy"], [figures_of(*one) for one in ran])
    worker = results.get(WORKER)
    if not worker:
        return text
    return text + "\n\n" + table(["program, worker = 1", *names], [ratios_of(*one, worker) for one in ran])


def machine() -> str:
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{len(os.sched_getaffinity(0))} cores ({model or platform.machine()}), load {load}"


def write(file: Path, facts: dict[str, object], results: Runs, failed: list[str]) -> None:
    runs = {name: [run.as_json() for run in of] for name, of in results.items()}
    file.write_text(json.dumps({**facts, "runs": runs, "failed": failed}, indent=2) + "\n", encoding="utf-8")
