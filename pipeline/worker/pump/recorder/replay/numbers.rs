//! Requests, letters and batches by their numbers in the recording, where the machine that replays it has other numbers for them.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

/// The numbers that belong together, found by what is asked for.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// By sort and recorded number.
    here: HashMap<(&'static str, u64), Value>,
    /// Names of items in the results of jobs.
    references: HashMap<String, String>,
    recorded: HashMap<String, VecDeque<Named>>,
    decided: HashMap<String, VecDeque<Named>>,
}

/// What is asked for, under a number.
#[derive(Debug)]
struct Named {
    sort: &'static str,
    number: Value,
    references: Vec<String>,
}

/// The effects that are answered, and where their numbers stand.
const ASKED: [(&str, &str); 4] = [
    ("send", "request"),
    ("dead_letter", "letter"),
    ("divert", "letter"),
    ("write_state", "write"),
];
/// The answers.
const ANSWERS: [(&str, &str); 3] = [
    ("Replied", "request"),
    ("DeadLettered", "letter"),
    ("StateWritten", "write"),
];

impl Numbers {
    /// Puts the numbers of this machine into an answer. `false` if it has not asked.
    pub(super) fn translate(&self, input: &mut Value) -> bool {
        for (answer, sort) in ANSWERS {
            let Some(answer) = input.get_mut(answer) else {
                continue;
            };
            let number = answer.get(sort).and_then(Value::as_u64).unwrap_or_default();
            let Some(here) = self.here.get(&(sort, number)) else {
                return false;
            };
            if let Some(place) = answer.get_mut(sort) {
                *place = here.clone();
            }
            let items = answer.pointer_mut("/reply/result/Job/Delivered/items");
            for item in items.and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(Value::String(reference)) = item.get_mut("reference")
                    && let Some(here) = self.references.get(reference)
                {
                    reference.clone_from(here);
                }
            }
        }
        true
    }

    /// Whether two lists of effects say the same but for numbers; what was asked for in both is one thing from now on.
    pub(super) fn compare(&mut self, recorded: &[Value], decided: &[Value]) -> bool {
        let (there, asked_there): (Vec<Value>, Vec<Option<Named>>) =
            recorded.iter().map(stripped).unzip();
        let (here, asked_here): (Vec<Value>, Vec<Option<Named>>) =
            decided.iter().map(stripped).unzip();
        for (view, named) in there.iter().zip(asked_there) {
            if let Some(named) = named {
                self.recorded
                    .entry(view.to_string())
                    .or_default()
                    .push_back(named);
            }
        }
        for (view, named) in here.iter().zip(asked_here) {
            if let Some(named) = named {
                self.decided
                    .entry(view.to_string())
                    .or_default()
                    .push_back(named);
            }
        }
        for view in there.iter().chain(&here).map(Value::to_string) {
            self.pair(&view);
        }
        there == here
    }

    fn pair(&mut self, view: &str) {
        let (Some(there), Some(here)) = (self.recorded.get_mut(view), self.decided.get_mut(view))
        else {
            return;
        };
        while !there.is_empty() && !here.is_empty() {
            let (Some(there), Some(here)) = (there.pop_front(), here.pop_front()) else {
                return;
            };
            let number = there.number.as_u64().unwrap_or_default();
            self.here.insert((there.sort, number), here.number);
            self.references
                .extend(there.references.into_iter().zip(here.references));
        }
    }
}

/// An effect without its numbers, and what it asks for.
fn stripped(effect: &Value) -> (Value, Option<Named>) {
    let mut view = effect.clone();
    let asked = ASKED.iter().find_map(|(name, sort)| {
        let inner = view.get_mut(*name)?.as_object_mut()?;
        let number = inner.shift_remove(*sort)?;
        let items = inner.get_mut("items").and_then(Value::as_array_mut);
        let references = items.into_iter().flatten().filter_map(|item| {
            match item.as_object_mut()?.shift_remove("reference")? {
                Value::String(reference) => Some(reference),
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Array(_)
                | Value::Object(_) => None,
            }
        });
        Some(Named {
            sort,
            number,
            references: references.collect(),
        })
    });
    (view, asked)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_find_their_questions_under_other_numbers() {
        let mut numbers = Numbers::default();
        let asked = |request: u64, reference: &str| json!({"send": {"request": request, "call": "create_kobjects", "items": [{"reference": reference, "body": {"bytes": 9}}]}});
        assert!(
            !numbers.compare(&[asked(70, "61")], &[]),
            "only the recording asks"
        );
        assert!(
            !numbers.compare(&[], &[asked(8, "5")]),
            "a step later here, too"
        );
        let mut answer = json!({"Replied": {"request": 70, "reply": {"result": {"Job": {"Delivered": {"items": [{"reference": "61"}]}}}}}});
        assert!(numbers.translate(&mut answer));
        let expected = json!({"Replied": {"request": 8, "reply": {"result": {"Job": {"Delivered": {"items": [{"reference": "5"}]}}}}}});
        assert_eq!(answer, expected);
        let mut unknown = json!({"Replied": {"request": 71, "reply": {}}});
        assert!(!numbers.translate(&mut unknown));
        assert!(
            numbers.translate(&mut json!("Wake")),
            "asks nothing, answers nothing"
        );
    }
}
