//! Messages of Protobuf of every shape: what the reader makes of them is what a tree of them says.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "most types are written alike"
)]

use proptest::prelude::*;
use prost_reflect::{Kind, MessageDescriptor};

use super::tree;
use crate::json::Out;
use crate::protobuf::{ProtoMessage, ProtoSchema};

const ALL: &str = r#"
syntax = "proto3";
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/any.proto";
import "google/protobuf/field_mask.proto";
import "google/type/date.proto";
import "confluent/type/decimal.proto";
message All {
  double a = 1; float b = 2; int32 c = 3; int64 d = 4; uint32 e = 5; uint64 f = 6; sint32 g = 7; sint64 h = 8;
  fixed32 i = 9; fixed64 j = 10; sfixed32 k = 11; sfixed64 l = 12; bool m = 13; string n = 14; bytes o = 15;
  enum Colour { RED = 0; BLUE = 5; } Colour p = 16;
  optional int32 q = 17; optional string r = 18;
  repeated int32 la = 19; repeated double lb = 20; repeated string lc = 21; repeated All ld = 22; repeated Colour le = 23;
  repeated sint64 lf = 24 [packed = false]; repeated bool lg = 25;
  map<string, int32> ma = 26; map<sint32, All> mb = 27; map<bool, bytes> mc = 28; map<uint64, Colour> md = 29;
  oneof one { string x = 30; All y = 31; int64 z = 32; Small w = 33; }
  oneof two { bool v = 34; Small u = 35; }
  All self = 36;
  google.protobuf.Timestamp t1 = 37; google.protobuf.Duration t2 = 38; google.protobuf.Struct t3 = 39; google.protobuf.Value t4 = 40;
  google.protobuf.StringValue t5 = 41; google.protobuf.Int64Value t6 = 42; google.protobuf.Any t7 = 43; google.protobuf.FieldMask t8 = 44;
  google.type.Date t9 = 45; confluent.type.Decimal t10 = 46; google.protobuf.ListValue t11 = 47; google.protobuf.BytesValue t12 = 48;
}
message Small { int32 one = 1; string two = 2; }
"#;

const OLD: &str = r#"
syntax = "proto2";
message Old {
  required int32 a = 1; optional string b = 2 [default = "x"]; repeated int32 c = 3; repeated int64 d = 4 [packed = true];
  optional group Box = 5 { optional int32 e = 1; optional Old f = 2; }
  repeated group Row = 6 { optional string g = 1; }
  enum Size { BIG = 3; SMALL = 4; } optional Size h = 7; repeated Size i = 8;
  optional Old j = 9;
}
"#;

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides.max(1)
    }

    fn number(&mut self) -> u64 {
        let bits = self.roll(64);
        self.roll(u64::MAX) >> bits
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.roll(4);
        let text = self.roll(20) > 0;
        let byte = |dice: &mut Self| u8::try_from(dice.roll(if text { 128 } else { 256 }));
        (0..length).map(|_| byte(self).expect("a byte")).collect()
    }
}

fn varint(mut number: u64, to: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits");
        number >>= 7;
        if number == 0 {
            return to.push(low);
        }
        to.push(low | 0x80);
    }
}

fn key(number: u32, wire: u64, to: &mut Vec<u8>) {
    varint(u64::from(number) << 3 | wire, to);
}

fn with_length(bytes: &[u8], to: &mut Vec<u8>) {
    varint(bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}

fn number(kind: &Kind, dice: &mut Dice, to: &mut Vec<u8>) {
    let number = dice.number();
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => to.extend(number.to_le_bytes()),
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => to.extend(&number.to_le_bytes()[..4]),
        Kind::Enum(_) => varint(dice.roll(7), to),
        _ => varint(number, to),
    }
}

/// A message of that type, with fields in any order, some of them twice, some unknown, and sometimes damage.
fn message(of: &MessageDescriptor, dice: &mut Dice, depth: u32) -> Vec<u8> {
    let fields: Vec<_> = of.fields().collect();
    let mut all = Vec::new();
    for _ in 0..dice.roll(8) {
        if dice.roll(30) == 0 {
            // a field that nobody knows
            key(900, 2, &mut all);
            with_length(&dice.bytes(), &mut all);
            continue;
        }
        let chosen = usize::try_from(dice.roll(fields.len() as u64)).expect("small");
        let Some(field) = fields.get(chosen) else {
            continue;
        };
        let kind = field.kind();
        match &kind {
            Kind::Message(inner) => {
                if depth == 0 {
                    continue;
                }
                let content = message(inner, dice, depth - 1);
                if field.is_group() {
                    key(field.number(), 3, &mut all);
                    all.extend_from_slice(&content);
                    key(field.number(), 4, &mut all);
                } else {
                    key(field.number(), 2, &mut all);
                    with_length(&content, &mut all);
                }
            }
            Kind::String | Kind::Bytes => {
                let any = of.full_name() == "google.protobuf.Any" && field.number() == 1;
                let content = if any {
                    b"type/Small".to_vec()
                } else {
                    dice.bytes()
                };
                key(field.number(), 2, &mut all);
                with_length(&content, &mut all);
            }
            kind if field.is_list() && dice.roll(2) == 0 => {
                let mut content = Vec::new();
                for _ in 0..dice.roll(4) {
                    number(kind, dice, &mut content);
                }
                key(field.number(), 2, &mut all);
                with_length(&content, &mut all);
            }
            kind => {
                let wire = match kind {
                    Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => 1,
                    Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => 5,
                    _ => 0,
                };
                key(field.number(), wire, &mut all);
                number(kind, dice, &mut all);
            }
        }
    }
    all
}

fn types() -> [ProtoMessage; 2] {
    [(ALL, "All"), (OLD, "Old")].map(|(text, name)| {
        let schema = ProtoSchema::compile(text, &[]).expect("a schema");
        schema.named(name).expect("a message")
    })
}

/// Both ways agree: on whether it is a message, and on what it says.
fn agree(of: &ProtoMessage, bytes: &[u8]) -> bool {
    let out = || Out::new(1 << 20, 128);
    let ours = of.json(bytes, out()).ok();
    let tree = tree::json(of.descriptor(), bytes, out());
    assert_eq!(ours, tree, "{}: {bytes:?}", of.descriptor().full_name());
    ours.is_some()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_message_is_what_its_tree_is(seed in 1..u64::MAX, damage in 0..6_u64) {
        thread_local! { static TYPES: [ProtoMessage; 2] = types(); }
        TYPES.with(|types| -> Result<(), TestCaseError> {
            let mut dice = Dice(seed);
            for of in types {
                let mut bytes = message(of.descriptor(), &mut dice, 4);
                if damage == 0 && !bytes.is_empty() {
                    let at = usize::try_from(dice.roll(bytes.len() as u64)).expect("small");
                    bytes[at] = u8::try_from(dice.roll(256)).expect("a byte");
                }
                let out = || Out::new(1 << 20, 128);
                let ours = of.json(&bytes, out()).ok();
                let tree = tree::json(of.descriptor(), &bytes, out());
                // of damaged ones, the tree takes a few more: it does not look at the wire type of maps
                if damage > 0 || ours.is_some() {
                    prop_assert_eq!(ours, tree, "{}: {:?}", of.descriptor().full_name(), bytes);
                }
            }
            Ok(())
        })?;
    }
}

#[test]
fn most_messages_of_these_tests_are_some() {
    let types = types();
    let mut dice = Dice(7);
    let made = |dice: &mut Dice| {
        types
            .each_ref()
            .map(|of| (of, message(of.descriptor(), dice, 4)))
    };
    let all = (0..500).flat_map(|_| made(&mut dice));
    let whole = all.filter(|(of, bytes)| agree(of, bytes)).count();
    assert!(whole > 800, "{whole} of 1000");
}

#[test]
fn pieces_and_choices_are_put_together() {
    let [all, old] = types();
    let small = |one: u8| [0x08, one];
    let mut pieces = Vec::new();
    // one of `y`, another choice, and `y` again: only the second is there, in two pieces
    for (number, content) in [
        (31, vec![0x18, 1]),
        (33, small(7).to_vec()),
        (31, vec![0x20, 2]),
        (31, vec![0x18, 3]),
    ] {
        key(number, 2, &mut pieces);
        with_length(&content, &mut pieces);
    }
    assert!(agree(&all, &pieces));
    let text = all.json(&pieces, Out::new(1 << 20, 128)).expect("JSON");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&json["y"]["c"], &json["y"]["d"]), (&3.into(), &2.into()));
    assert!(json.get("w").is_none());
    // a group within a group, and one that ends as another
    assert!(agree(
        &old,
        &[0x08, 1, 0x2b, 0x08, 5, 0x12, 2, 0x08, 6, 0x2c]
    ));
    assert!(!agree(&old, &[0x2b, 0x34]));
    // deeper than a message may be, and as deep as it may be
    for (levels, is) in [(90, true), (101, false)] {
        let mut inner = Vec::new();
        for _ in 0..levels {
            let mut outer = Vec::new();
            key(36, 2, &mut outer);
            with_length(&inner, &mut outer);
            inner = outer;
        }
        assert_eq!(agree(&all, &inner), is, "{levels}");
    }
}

#[test]
fn nested_messages_are_found_by_both_ways_of_counting() {
    let text = r#"syntax = "proto3";
        message A {
          map<string, string> m = 1;
          message B { int64 b = 1; }
          message C { string c = 1; }
          message D { string d = 2; }
        }"#;
    let schema = ProtoSchema::compile(text, &[]).expect("a schema");
    let found = |path: &[usize], content: &[u8]| {
        let message = schema.message(path, content).map(|one| {
            let name = one.descriptor().name().to_owned();
            name.chars().next()
        });
        message.ok().flatten()
    };
    let (number, text, other) = (&[0x08, 1][..], &[0x0a, 1, b'x'][..], &[0x12, 1, b'x'][..]);
    for (path, content, wanted) in [
        // as Java counts: B, C, D; as Python does: the entries of the map, B, C, D
        (&[0, 0][..], number, Some('B')),
        (&[0, 1], text, Some('C')),
        (&[0, 1], number, Some('B')),
        (&[0, 2], other, Some('D')),
        (&[0, 2], text, Some('C')),
        (&[0, 3], other, Some('D')),
        (&[0, 4], other, None),
        // nobody can tell: as Java counts
        (&[0, 1], &[], Some('C')),
        (&[0, 2], number, Some('D')),
        (&[0, 0], text, Some('B')),
        (&[0], other, Some('A')),
    ] {
        assert_eq!(found(path, content), wanted, "{path:?} {content:?}");
    }
}
