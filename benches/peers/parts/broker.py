"""Apache Kafka in a container, for as long as the comparison takes."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from types import TracebackType

from parts.processes import Fault, command, say

IMAGE = "apache/kafka:4.3.1"
WAY_OUT = "as root, .ci/docker-engine starts an engine, and .ci/kafka-image builds the image where no registry has it"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def need_engine() -> None:
    if shutil.which("docker") is None:
        raise Fault(f"docker is missing; {WAY_OUT}")
    try:
        command(["docker", "info"], 30, "docker info")
    except Fault as fault:
        raise Fault(f"no Docker engine answers; {WAY_OUT}") from fault
    try:
        command(["docker", "image", "inspect", IMAGE], 30, IMAGE)
    except Fault:
        say(f"no image {IMAGE} here, pulling it")
        try:
            command(["docker", "pull", IMAGE], 300, f"docker pull {IMAGE}")
        except Fault as fault:
            raise Fault(f"{fault}; {WAY_OUT}") from fault


def environment(port: int) -> dict[str, str]:
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": "HOST://0.0.0.0:9092,INSIDE://0.0.0.0:9094,CONTROLLER://0.0.0.0:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"HOST://127.0.0.1:{port},INSIDE://localhost:9094",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "HOST:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "INSIDE",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        # otherwise each group's first member waits three seconds for others
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }


class Broker:
    """`with Broker() as broker`: a container, removed at the end."""

    def __init__(self) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.container = f"kustomer-ingest-peers-{self.port}"

    def __enter__(self) -> Broker:
        variables = [part for pair in environment(self.port).items() for part in ("--env", "=".join(pair))]
        publish = f"127.0.0.1:{self.port}:9092"
        try:
            command(["docker", "run", "--detach", "--name", self.container, "--publish", publish, *variables, IMAGE], 120, "docker run")
            self.wait(120)
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.remove()

    def wait(self, patience: float) -> None:
        start = time.monotonic()
        said = start
        while time.monotonic() < start + patience:
            shown = subprocess.run(["docker", "logs", self.container], capture_output=True, text=True, timeout=30, check=False)
            if "Kafka Server started" in shown.stdout:
                say(f"broker on {self.address} after {time.monotonic() - start:.0f} s")
                return
            if time.monotonic() > said + 10:
                said = time.monotonic()
                say(f"waiting for the broker, {said - start:.0f} of {patience:.0f} s")
            time.sleep(0.5)
        raise Fault(f"the broker did not start within {patience:.0f} s\n{(shown.stdout + shown.stderr)[-1500:]}")

    def remove(self) -> None:
        # Not stopped by a Ctrl-C in the terminal: its own session.
        subprocess.run(["docker", "rm", "--force", "--volumes", self.container], capture_output=True, check=False, start_new_session=True)
