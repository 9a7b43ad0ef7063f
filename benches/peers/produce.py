"""Makes the topics and writes the records. Usage: produce.py BROKERS TOPIC DEAD_LETTER_TOPIC RECORDS PARTITIONS [BYTES]

A record has 600 bytes unless BYTES says otherwise, and its key is one of 5,000 customers."""

import sys

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

CUSTOMERS = 5000
RECORD = (
    '{"id":"scan-%09d","type":"parcel.scanned","time":"2026-03-04T05:06:07Z","seq":%d,"customer":"c-%d","parcel":{"number":"NP%09d",'
    '"carrier":"NordPost","service":"%s","depot":"HAM-%d","status":"in transit","weight":%d.4,"pieces":%d,"fee":6.9,"fragile":%s},"note":"'
)
SERVICES = ("express", "standard", "pallet")


def record(number: int, size: int) -> bytes:
    fragile = "true" if number % 7 == 0 else "false"
    values = (number, number, number % CUSTOMERS, number, SERVICES[number % 3], number % 40, number % 30, number % 5 + 1, fragile)
    text = RECORD % values
    return (text + "." * (size - len(text) - 2) + '"}').encode()


def create(brokers: str, topics: list[NewTopic]) -> None:
    # held until the end: its answers end with it
    admin = AdminClient({"bootstrap.servers": brokers})
    for name, future in admin.create_topics(topics, operation_timeout=60).items():
        future.result(90)
        print(f"topic {name}", flush=True)


def write(brokers: str, topic: str, records: int, size: int) -> None:
    failed: list[str] = []
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20, "acks": "all", "queue.buffering.max.messages": 1_000_000})

    def answered(error: object, _message: object) -> None:
        if error is not None:
            failed.append(str(error))

    for number in range(records):
        while True:
            try:
                producer.produce(topic, record(number, size), key=f"c-{number % CUSTOMERS}", on_delivery=answered)
                break
            except BufferError:
                producer.poll(0.05)
        if number % 1000 == 0:
            producer.poll(0)
    left = producer.flush(120)
    if left or failed:
        sys.exit(f"{left} records were not written, {len(failed)} were refused: {failed[:1]}")


def main() -> None:
    brokers, topic, dead_letters, records, partitions, *size = sys.argv[1:]
    create(brokers, [NewTopic(topic, int(partitions), 1), NewTopic(dead_letters, 1, 1)])
    write(brokers, topic, int(records), int(size[0]) if size else 600)


main()
