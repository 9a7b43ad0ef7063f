//! Reading tracking events back: sessions and the events in them.

use indexmap::IndexMap;
use serde_json::json;

use super::render::Page;
use super::{Answer, Done, Sim};
use crate::api::error::ApiError;
use crate::api::route::Call;
use crate::organisation::store::{Event, Kind};

impl Sim {
    fn events_of(&self, call: &Call) -> Result<impl Iterator<Item = (u32, &Event)>, ApiError> {
        let id = call.customer.as_deref().unwrap_or_default();
        let position = self
            .readable_customer(id)
            .ok_or_else(|| ApiError::not_found("id"))?;
        let customer = self.store.customers.get(position);
        let positions = customer.map_or(&[][..], |customer| customer.events.as_slice());
        Ok(positions.iter().filter_map(|position| {
            self.store
                .events
                .get(*position)
                .map(|event| (*position, event))
        }))
    }

    pub(super) fn list_sessions(&self, call: &Call) -> Answer {
        let mut sessions: IndexMap<String, Vec<&Event>> = IndexMap::new();
        for (_, event) in self.events_of(call)? {
            sessions
                .entry(event.session_id(self.store.ids))
                .or_default()
                .push(event);
        }
        let id = call.customer.as_deref().unwrap_or_default();
        let resources = sessions.iter().map(|(session, events)| {
            let time = |event: Option<&&Event>| event.map(|event| event.created_at.rfc3339());
            json!({
                "type": "customer_session",
                "id": session,
                "attributes": {
                    "sessionId": session,
                    "firstEventAt": time(events.first()),
                    "lastEventAt": time(events.last()),
                    "count": events.len(),
                },
                "links": { "self": format!("/v1/customers/{id}/sessions/{session}") },
            })
        });
        let path = format!("/v1/customers/{id}/sessions");
        Ok(Done::read(
            &Page::of(&call.query).envelope(&path, resources),
        ))
    }

    pub(super) fn list_session_events(&self, call: &Call) -> Answer {
        let id = call.customer.as_deref().unwrap_or_default();
        let ids = self.store.ids;
        let events: Vec<(u32, &Event)> = self
            .events_of(call)?
            .filter(|(_, event)| event.session_id(ids) == call.name)
            .collect();
        if events.is_empty() {
            return Err(ApiError::not_found("sessionId"));
        }
        let resources = events
            .into_iter()
            .map(|(position, event)| self.event_resource(position, event));
        let path = format!("/v1/customers/{id}/sessions/{}/events", call.name);
        Ok(Done::read(
            &Page::of(&call.query).envelope(&path, resources),
        ))
    }

    pub(super) fn get_event(&self, call: &Call) -> Answer {
        let wanted = self.store.ids.position(Kind::Event, &call.id);
        let mut events = self.events_of(call)?;
        let (position, event) = events
            .find(|(position, _)| Some(*position) == wanted)
            .ok_or_else(|| ApiError::not_found("id"))?;
        Ok(Done::read(
            &json!({ "data": self.event_resource(position, event) }),
        ))
    }
}
