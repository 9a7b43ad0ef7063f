"""One run of one contender."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import asdict, dataclass
from typing import Any

from parts.contenders import Contender, Place, start_line
from parts.processes import Cost, Fault, Program, say
from parts.stub import Stub

Times = tuple[float, float, float]


@dataclass(frozen=True)
class Run:
    """What one run showed."""

    records_per_second: float
    # the same for the second half of the records, which starting no longer touches
    second_half: float
    cpu_us: float
    memory_kib: int
    requests: int
    bulks: int
    repeated: int
    # seconds from the start of the program to its first record
    start: float
    # the share of one core that the stub used
    stub_busy: float
    # the beginning of the first body with records
    sample: str | None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def measure(contender: Contender, place: Place, stub: Stub, number: int, patience: float) -> Run:
    """Starts it with a consumer group of its own, waits for its last record, and ends it."""
    stub.reset(place.records)
    arguments, environment = start_line(contender, place, f"{contender.name}-{number}")
    started = time.time()
    with Program(contender.name, arguments, place.folder, environment) as program:
        before = Cost(0.0, 0)
        if contender.python:
            program.first_line(60)
            before = program.cost()
        stub_before, stub_since = stub.cost(), time.time()
        times = WAYS[contender.counted](program, place, stub, patience)
        after = program.cost()
        busy = (stub.cost().cpu - stub_before.cpu) / max(time.time() - stub_since, 0.001)
        figures = stub.figures()
    return run_of(contender.name, place.records, contender.maps, figures, times, before, after, started, busy)


def run_of(
    name: str, records: int, maps: bool, figures: dict[str, Any], times: Times, before: Cost, after: Cost, started: float, busy: float
) -> Run:
    """What a run showed, if the stub understood everything."""
    first, half, last = times
    mapped = records + figures["repeated"] if maps else 0
    if figures["faults"] or figures["foreign"] or figures["mapped"] < mapped or not maps and figures["mapped"]:
        raise Fault(f"the stub did not understand what {name} sent: {json.dumps(figures)}")
    return Run(
        records_per_second=pace(records, first, last),
        second_half=pace(records / 2, half, last),
        cpu_us=(after.cpu - before.cpu) * 1e6 / records,
        memory_kib=after.memory,
        requests=int(figures["requests"]),
        bulks=int(figures["bulks"]),
        repeated=int(figures["repeated"]),
        start=first / 1000 - started,
        stub_busy=busy,
        sample=figures["sample"],
    )


def pace(records: float, since: float, until: float) -> float:
    """Records a second between two times in milliseconds."""
    return records / max((until - since) / 1000, 0.001)


def counted(program: Program, place: Place, stub: Stub, patience: float) -> Times:
    """When the stub had the first record, and when it had answered for half of them and for the last."""
    start = said = time.monotonic()
    while True:
        program.check()
        figures = stub.figures()
        if figures["distinct"] >= place.records:
            return figures["first"], figures["half"], figures["last"]
        now = time.monotonic()
        if now > start + patience:
            raise Fault(f"{program.name}: {figures['distinct']:.0f} of {place.records} after {patience:.0f} s\n{program.last_words()}")
        if now > said + 10:
            said = now
            say(f"  {program.name}: {figures['distinct']:.0f} of {place.records} after {now - start:.0f} s")
        # seldom enough to cost nothing, often enough that idling afterwards does not count
        time.sleep(0.05)


def skipped(program: Program, place: Place, _stub: Stub, patience: float) -> Times:
    """When the worker had settled its first record, half of them and the last, by its metrics, to a twentieth of a second."""
    start = time.monotonic()
    first = half = 0.0
    while True:
        program.check()
        settled, now = settled_records(place.admin), 1000 * time.time()
        if settled > 0 and first == 0:
            # what is settled by then is not counted either
            first, ahead = now, settled
        if settled >= place.records / 2 and half == 0:
            half = now - (settled - place.records / 2) * (now - first) / max(settled - ahead, 1)
        if settled >= place.records:
            return first - ahead * (now - first) / max(settled - ahead, 1), half, now
        if time.monotonic() > start + patience:
            raise Fault(f"{program.name}: {settled} of {place.records} after {patience:.0f} s\n{program.last_words()}")
        time.sleep(0.05)


def settled_records(admin: str) -> int:
    """`records_total` over all verdicts; 0 while the worker starts."""
    try:
        with urllib.request.urlopen(f"http://{admin}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines if line.startswith("kustomer_ingest_records_total{"))


def own_word(program: Program, _place: Place, _stub: Stub, patience: float) -> Times:
    first, half, last = (float(time) for time in program.first_line(patience).split())
    return first, half, last


WAYS = {"stub": counted, "itself": own_word, "metrics": skipped}
