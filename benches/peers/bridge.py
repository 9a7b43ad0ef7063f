"""Runs one route of mq-bridge until it is told to stop. Usage: bridge.py ROUTE.yaml

Says `ready` when its modules are loaded, so that their loading is not counted."""

import signal
import sys
from pathlib import Path

import mq_bridge
import mq_bridge_connect


def main() -> None:
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    if "name: connect" in text:
        mq_bridge_connect.register()
    route = mq_bridge.Route.from_str(text, "peers")
    print("ready", flush=True)
    route.start()
    signal.pause()


main()
