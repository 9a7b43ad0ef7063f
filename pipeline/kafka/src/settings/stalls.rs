//! Settings with which the client library is known to stand still for a while.

use super::KafkaSettings;
use super::options::group_protocol_is_consumer;

/// The first release of the client library that mends what the consumer protocol stands still for, as its number is written:
/// major, minor and patch in a byte each, and what kind of release it is.
const MENDED: i32 = 0x020f_0000;

/// Something that is known to stand still with these settings. Nothing is lost: what stands goes on by itself, or `/live` ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownStall {
    /// The setting, and what happens.
    pub problem: String,
    /// What to do.
    pub way_out: &'static str,
}

impl KafkaSettings {
    /// What is known to stand still with the client library that this program has.
    #[must_use]
    pub fn known_stalls(&self) -> Vec<KnownStall> {
        let (number, name) = rdkafka::util::get_rdkafka_version();
        stalls(number, &name, self.is_consumer_protocol(), self.is_static())
    }

    fn is_consumer_protocol(&self) -> bool {
        group_protocol_is_consumer(&self.options.properties)
    }

    fn is_static(&self) -> bool {
        self.options.instance_id.is_some()
    }
}

fn stalls(number: i32, name: &str, consumer_protocol: bool, is_static: bool) -> Vec<KnownStall> {
    let mut stalls = Vec::new();
    if consumer_protocol && number < MENDED {
        stalls.push(KnownStall {
            problem: format!(
                "group.protocol: consumer: while replicas come and go, the client library ({name}) may read nothing for minutes, \
                 and commits may fail with a stale member epoch; its releases from 2.15 on mend that"
            ),
            way_out: "leave group.protocol out, unless its rebalances are worth that; nothing is lost either way",
        });
    }
    if consumer_protocol && is_static {
        stalls.push(KnownStall {
            problem: "kafka.instance_id with group.protocol: consumer: after a process was killed, the brokers refuse the next one of \
                      its name until its session has ended"
                .to_owned(),
            way_out: "leave group.protocol out, or expect a restart after a kill to take group.consumer.session.timeout.ms",
        });
    }
    stalls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_still_is_named() {
        let before = 0x020c_01ff;
        assert_eq!(stalls(before, "2.12.1", false, true), []);
        assert_eq!(stalls(before, "2.12.1", true, false).len(), 1);
        assert_eq!(stalls(before, "2.12.1", true, true).len(), 2);
        assert_eq!(stalls(MENDED, "2.15.0", true, false), []);
        assert_eq!(stalls(MENDED, "2.15.0", true, true).len(), 1);
    }
}
