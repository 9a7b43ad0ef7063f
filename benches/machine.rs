//! What a record costs in the delivery machine, with answers put in directly.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use ingest_delivery::machine::Input;

use crate::driven::{CUSTOMERS, Driven, PLENTY, inputs, pipeline};
use crate::messages::Kind;

const RECORDS: u64 = 1_000;
const BACKLOG: u64 = 10_000;

pub(crate) fn all(criterion: &mut Criterion) {
    let pipeline = pipeline();
    let mut group = criterion.benchmark_group("machine");
    group.throughput(Throughput::Elements(RECORDS));
    let skips = inputs(&pipeline, Kind::Browse, 0, RECORDS);
    group.bench_function("skip", |b| {
        let set_up = || (Driven::new(PLENTY), skips.clone());
        b.iter_batched(
            set_up,
            |(driven, inputs)| driven.deliver(inputs),
            BatchSize::LargeInput,
        );
    });
    group.bench_function("skip_recorded", |b| {
        let set_up = || (Driven::new(PLENTY).recorded(), skips.clone());
        b.iter_batched(
            set_up,
            |(driven, inputs)| driven.deliver(inputs),
            BatchSize::LargeInput,
        );
    });
    let tracks = inputs(&pipeline, Kind::Coupon, 0, RECORDS);
    group.bench_function("track_admitted_sent_answered_settled", |b| {
        let set_up = || (Driven::new(PLENTY), tracks.clone());
        b.iter_batched(
            set_up,
            |(driven, inputs)| driven.deliver(inputs),
            BatchSize::LargeInput,
        );
    });
    group.bench_function("track_admitted_sent_answered_settled_recorded", |b| {
        let set_up = || (Driven::new(PLENTY).recorded(), tracks.clone());
        b.iter_batched(
            set_up,
            |(driven, inputs)| driven.deliver(inputs),
            BatchSize::LargeInput,
        );
    });
    let first = inputs(&pipeline, Kind::Coupon, 0, CUSTOMERS);
    let orders = inputs(&pipeline, Kind::Order(3), CUSTOMERS, RECORDS);
    group.bench_function("kobject_in_bulks_of_100_recorded", |b| {
        let set_up = || {
            let driven = Driven::new(PLENTY).deliver(first.clone());
            (driven.recorded(), orders.clone())
        };
        b.iter_batched(
            set_up,
            |(driven, inputs)| driven.deliver(inputs),
            BatchSize::LargeInput,
        );
    });
    group.bench_function("kobject_in_bulks_of_100", |b| {
        let set_up = || {
            // An earlier event has made each customer's id known.
            let driven = Driven::new(PLENTY).deliver(first.clone());
            (driven, orders.clone())
        };
        b.iter_batched(
            set_up,
            |(driven, inputs)| driven.deliver(inputs),
            BatchSize::LargeInput,
        );
    });
    let backlog = inputs(&pipeline, Kind::Coupon, 0, BACKLOG);
    let more = inputs(&pipeline, Kind::Coupon, BACKLOG, RECORDS);
    group.bench_function("track_admitted_behind_10000", |b| {
        let set_up = || (Driven::new(60).admit(backlog.clone()), more.clone());
        b.iter_batched(
            set_up,
            |(driven, inputs)| driven.admit(inputs),
            BatchSize::PerIteration,
        );
    });
    group.throughput(Throughput::Elements(1));
    let mut waiting = Driven::new(60).admit(backlog);
    group.bench_function("wake_with_10000_waiting", |b| {
        b.iter(|| waiting.step(Input::Wake));
    });
    group.bench_function("next_wake_with_10000_waiting", |b| {
        b.iter(|| black_box(waiting.machine.next_wake(waiting.now)));
    });
    group.finish();
}
