//! Planned pauses in a schedule: some scope, for a while, on one replica or on both.

use std::time::Duration;

use ingest_delivery::hold::{Family, Pause, PausedBy, Scope};
use ingest_model::operation::Klass;
use ingest_model::record::Topic;

use super::Dice;
use crate::virtual_time::world::{TOPIC, World, make};

/// Pauses something in half of the turns, and ends all pauses of a scope in some.
pub(super) fn plan(world: &mut World, dice: &mut Dice, replicas: &[usize]) -> u64 {
    let topic = Topic::new(TOPIC);
    let scope = match dice.roll(5) {
        0 => Scope::Destination,
        1 => Scope::Family(Family::Tracking),
        2 => Scope::Family(Family::KObjectWrite(Klass("order".into()))),
        3 => Scope::Route(topic, make::ROUTE.into()),
        _ => Scope::Topic(topic),
    };
    let by = match dice.roll(2) {
        0 => PausedBy::Person,
        _ => PausedBy::Window("night".into()),
    };
    let pause = Pause {
        scope: scope.clone(),
        by,
        lasts: Some(Duration::from_millis(1 + dice.roll(30_000))),
        reason: None,
    };
    let some = usize::try_from(1 + dice.roll(2)).unwrap();
    match dice.roll(4) {
        0 | 1 => {
            for replica in replicas.iter().take(some) {
                world.pause(*replica, pause.clone());
            }
            1
        }
        2 => {
            for replica in replicas {
                world.resume(*replica, scope.clone());
            }
            0
        }
        _ => 0,
    }
}
