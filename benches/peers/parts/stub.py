"""The HTTP endpoint, as its figures are asked for."""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any

from parts.contenders import HERE
from parts.processes import Fault, Program

WAY_OUT = "install Node.js 18 or later, for example with apt-get install nodejs"


def need_node() -> None:
    if shutil.which("node") is None:
        raise Fault(f"node is missing; {WAY_OUT}")


class Stub(Program):
    def __init__(self, folder: Path) -> None:
        super().__init__("stub", ["node", HERE / "stub.js"], folder)
        try:
            self.address = f"127.0.0.1:{int(self.first_line(20))}"
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Stub:
        return self

    def figures(self) -> dict[str, Any]:
        return self.ask(urllib.request.Request(f"http://{self.address}/stats"))

    def reset(self, records: int) -> None:
        self.ask(urllib.request.Request(f"http://{self.address}/reset?records={records}", method="POST"))

    def ask(self, request: urllib.request.Request) -> dict[str, Any]:
        self.check()
        with urllib.request.urlopen(request, timeout=20) as answer:
            return dict(json.load(answer))
