//! Records that the cases change.

use bytes::Bytes;
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};
use serde_json::Value;

use super::NOW_MS;
use super::forms::{Form, Place};

/// A record that a case can change.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) value: Value,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Draft {
    pub(crate) fn of(form: &Form) -> Self {
        let headers = form.headers.iter();
        Self {
            value: serde_json::from_str(form.value).unwrap(),
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), Some(value.as_bytes().to_vec())))
                .collect(),
        }
    }

    /// With something else at a place.
    pub(crate) fn with(mut self, place: &Place, value: Value) -> Self {
        match place {
            Place::Field(pointer) => {
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                let parent = self.value.pointer_mut(parent).unwrap();
                parent
                    .as_object_mut()
                    .unwrap()
                    .insert(name.to_owned(), value);
            }
            Place::Header(name) => {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                self.headers.retain(|(known, _)| known != name);
                self.headers
                    .push(((*name).to_owned(), Some(text.into_bytes())));
            }
        }
        self
    }

    pub(crate) fn without(mut self, place: &Place) -> Self {
        match place {
            Place::Field(pointer) => {
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                let parent = self.value.pointer_mut(parent).unwrap();
                parent.as_object_mut().unwrap().remove(name);
            }
            Place::Header(name) => self.headers.retain(|(known, _)| known != name),
        }
        self
    }

    /// With a field in the content.
    pub(crate) fn saying(mut self, form: &Form, name: &str, value: Value) -> Self {
        let content = self.value.pointer_mut(form.content).unwrap();
        content
            .as_object_mut()
            .unwrap()
            .insert(name.to_owned(), value);
        self
    }

    pub(crate) fn record(&self) -> Record {
        self.of_bytes(Some(self.value.to_string().into_bytes()))
    }

    /// The record whose value has this JSON in the place of [`RAW`].
    pub(crate) fn raw(&self, json: &str) -> Record {
        let text = self.value.to_string();
        assert!(text.contains(RAW), "{text}");
        self.of_bytes(Some(text.replace(&format!("\"{RAW}\""), json).into_bytes()))
    }

    /// The same headers around other bytes.
    pub(crate) fn of_bytes(&self, value: Option<Vec<u8>>) -> Record {
        let header = |(name, value): &(String, Option<Vec<u8>>)| Header {
            name: name.clone(),
            value: value.clone().map(Bytes::from),
        };
        Record {
            position: Position {
                partition: TopicPartition::new("shop.public.orders", 0),
                offset: Offset(7),
            },
            key: None,
            value: value.map(Bytes::from),
            headers: self.headers.iter().map(header).collect(),
            timestamp_ms: Some(NOW_MS),
        }
    }
}

/// Stands where JSON goes that the library would not write.
pub(crate) const RAW: &str = "@raw@";
