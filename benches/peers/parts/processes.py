"""Programs that this command starts: each is ended, whatever happens; and what they cost, from /proc."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


class Fault(Exception):
    """Why the comparison, or one run of it, cannot go on; the message says the way out."""


def say(text: str) -> None:
    print(f"peers: {text}", file=sys.stderr, flush=True)


def command(arguments: list[str | Path], patience: float, what: str) -> str:
    """Runs a command to its end and returns what it printed."""
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=patience, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise Fault(f"{what}: no end after {patience:.0f} s") from error
    except OSError as error:
        raise Fault(f"{what}: {error}") from error
    if done.returncode != 0:
        raise Fault(f"{what}: exit code {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


@dataclass(frozen=True)
class Cost:
    """What processes have used so far: seconds of CPU, and their largest resident memory in KiB."""

    cpu: float
    memory: int


class Program:
    """A program in a session of its own, with its output in a file."""

    def __init__(self, name: str, arguments: list[str | Path], folder: Path, environment: dict[str, str] | None = None) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.out = folder / f"{name}.out"
        with self.log.open("wb") as log, self.out.open("wb") as out:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                # A Ctrl-C reaches this command only, which then ends its programs.
                start_new_session=True,
            )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def check(self) -> None:
        """Raises if it has ended, which no program of the comparison does by itself."""
        code = self.process.poll()
        if code is not None:
            raise Fault(f"{self.name} ended with exit code {code}\n{self.last_words()}")

    def last_words(self) -> str:
        text = self.log.read_text(errors="replace") + self.out.read_text(errors="replace")
        return text[-1500:].strip()

    def first_line(self, patience: float) -> str:
        """The first whole line of its output, waited for."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            line, end, _ = self.out.read_text(errors="replace").partition("\n")
            if end:
                return line
            self.check()
            time.sleep(0.01)
        raise Fault(f"{self.name} said nothing within {patience:.0f} s\n{self.last_words()}")

    def cost(self) -> Cost:
        """Of the process and all below it, those that have ended included."""
        cpu, memory = 0.0, 0
        for pid in family(self.process.pid):
            used, peak = spent(pid)
            cpu += used
            memory += peak
        return Cost(cpu, memory)

    def end(self) -> None:
        for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            try:
                # Its number is not used again before it is waited for, and its session is its own.
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass
            try:
                self.process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                continue


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


def spent(pid: int) -> tuple[float, int]:
    """Seconds of CPU of a process and its ended children, and its largest resident memory in KiB."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0, 0
    # utime, stime, cutime, cstime: fields 14 to 17, counted behind the name in brackets, which may hold spaces
    fields = stat.rpartition(")")[2].split()
    ticks = sum(int(field) for field in fields[11:15])
    peak = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
    return ticks / TICK, peak
