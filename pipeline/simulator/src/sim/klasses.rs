//! Klasses, metadata of attributes, and the key itself.

use serde_json::{Map, Value, json};

use super::render::Page;
use super::{Answer, Caller, Done, Sim, object_of};
use crate::api::error::ApiError;
use crate::api::request::Request;
use crate::api::route::Call;
use crate::config::MetadataPut;
use crate::organisation::store::Kind;
use crate::validate::{Breach, Checker, KLASS, KLASS_UPDATE, METADATA, Unlisted};

impl Sim {
    fn plain_checker(&self) -> Checker<'_> {
        Checker {
            switches: &self.config.switches,
            configured: None,
        }
    }

    pub(super) fn list_klasses(&self, call: &Call) -> Done {
        let wanted = call.query.get("status").unwrap_or("enabled");
        let klasses = self
            .store
            .klasses
            .iter()
            .filter(|(_, klass)| {
                let status = klass.fields.get("status").and_then(Value::as_str);
                wanted == "existing_only" || status.unwrap_or("enabled") == wanted
            })
            .map(|(position, _)| self.klass_resource(position));
        Done::read(&Page::of(&call.query).envelope("/v1/klasses", klasses))
    }

    pub(super) fn post_klass(&mut self, caller: Caller, request: &Request) -> Answer {
        let mut body = object_of(request)?;
        self.plain_checker()
            .object(KLASS, Unlisted::Refused, &body)
            .map_err(Breach::named)?;
        let name = body
            .shift_remove("name")
            .and_then(|name| name.as_str().map(str::to_owned));
        let name = name.unwrap_or_default();
        if self.store.klasses.find(&name).is_some() {
            return Err(ApiError::conflict("name", "duplicate detected"));
        }
        let position = self
            .store
            .klasses
            .insert(caller.now, name, body)
            .ok_or_else(|| ApiError::bad("name", "too many klasses"))?;
        // a create that answers 200, not 201
        Ok(Done::wrote(
            200,
            &json!({ "data": self.klass_resource(position) }),
        ))
    }

    fn klass_by_id(&self, call: &Call) -> Result<u16, ApiError> {
        self.store
            .ids
            .position(Kind::Klass, &call.id)
            .and_then(|position| u16::try_from(position).ok())
            .filter(|position| self.store.klasses.get(*position).is_some())
            .ok_or_else(|| ApiError::not_found("id"))
    }

    pub(super) fn get_klass(&self, call: &Call) -> Answer {
        let position = self.klass_by_id(call)?;
        Ok(Done::read(
            &json!({ "data": self.klass_resource(position) }),
        ))
    }

    pub(super) fn put_klass(&mut self, caller: Caller, request: &Request, call: &Call) -> Answer {
        let position = self.klass_by_id(call)?;
        let body = object_of(request)?;
        self.plain_checker()
            .object(KLASS_UPDATE, Unlisted::Refused, &body)
            .map_err(Breach::named)?;
        if let Some(klass) = self.store.klasses.get_mut(position) {
            klass.fields.extend(body);
            klass.updated_at = caller.now;
        }
        Ok(Done::wrote(
            200,
            &json!({ "data": self.klass_resource(position) }),
        ))
    }

    pub(super) fn delete_klass(&mut self, call: &Call) -> Answer {
        let position = self.klass_by_id(call)?;
        if self.store.objects.of_klass(position).next().is_some() {
            return Err(ApiError::conflict("id", "the klass has objects"));
        }
        if let Some(klass) = self.store.klasses.get_mut(position) {
            klass.live = false;
        }
        Ok(Done::empty())
    }

    fn check_resource(&self, resource: &str) -> Result<(), ApiError> {
        let standard = ["company", "conversation", "customer", "message"].contains(&resource);
        let klass = resource.strip_prefix("kobject.");
        let known = klass.is_some_and(|name| self.store.klasses.find(name).is_some());
        if standard || known {
            Ok(())
        } else {
            Err(ApiError::not_found("resource"))
        }
    }

    pub(super) fn get_metadata(&self, call: &Call) -> Answer {
        self.check_resource(&call.name)?;
        Ok(Done::read(&self.metadata_document(&call.name)))
    }

    /// By the switch `metadata-put`, keys of `properties` are merged into the existing ones, or what is written is all there is; the
    /// other parts are replaced.
    pub(super) fn put_metadata(&mut self, request: &Request, call: &Call) -> Answer {
        self.check_resource(&call.name)?;
        let mut body = object_of(request)?;
        self.plain_checker()
            .object(METADATA, Unlisted::Refused, &body)
            .map_err(Breach::named)?;
        let added = match body.shift_remove("properties") {
            Some(Value::Object(added)) => added,
            _ => Map::new(),
        };
        let replaces = self.config.switches.metadata_put == MetadataPut::Replace;
        let metadata = self.store.klasses.metadata_mut(&call.name);
        if replaces {
            metadata.clear();
        }
        let properties = metadata.entry("properties").or_insert_with(|| json!({}));
        if let Some(properties) = properties.as_object_mut() {
            for (name, options) in added {
                let options = completed(&name, options);
                properties.insert(name, options);
            }
        }
        metadata.extend(body);
        Ok(Done::wrote(200, &self.metadata_document(&call.name)))
    }

    fn metadata_document(&self, resource: &str) -> Value {
        let mut attributes = self
            .store
            .klasses
            .metadata(resource)
            .cloned()
            .unwrap_or_default();
        attributes.entry("properties").or_insert_with(|| json!({}));
        json!({ "data": {
            "type": "metadata",
            "id": resource,
            "attributes": attributes,
            "links": { "self": format!("/v1/metadata/{resource}") },
        }})
    }

    pub(super) fn current_token(&self, caller: Caller) -> Done {
        let token = self.keys.get(caller.key);
        let tail: String = token.map_or_else(String::new, |token| {
            let skipped = token.chars().count().saturating_sub(4);
            token.chars().skip(skipped).collect()
        });
        let now = caller.now.rfc3339();
        let roles: Vec<&str> = self.config.switches.roles.iter().collect();
        Done::read(&json!({ "data": {
            "type": "auth_token",
            "id": self.store.ids.text(Kind::User, u32::from(caller.key)),
            "attributes": {
                "lastTokenChars": tail,
                "name": format!("key {}", caller.key + 1),
                "roles": roles,
                "createdAt": now,
                "updatedAt": now,
                "lastAccessedAt": now,
            },
            "relationships": { "org": self.org_link() },
        }}))
    }
}

// The type follows from the suffix, the display name from the name.
fn completed(name: &str, options: Value) -> Value {
    let Value::Object(mut options) = options else {
        return options;
    };
    let (stem, kind) = [
        ("Str", "string"),
        ("Txt", "string"),
        ("Num", "number"),
        ("Bool", "boolean"),
        ("Url", "string"),
        ("At", "date"),
        ("Id", "relationship"),
    ]
    .into_iter()
    .find_map(|(suffix, kind)| name.strip_suffix(suffix).map(|stem| (stem, kind)))
    .unwrap_or((name, "string"));
    options.entry("type").or_insert_with(|| json!(kind));
    options
        .entry("displayName")
        .or_insert_with(|| json!(crate::pages::title_case(stem)));
    Value::Object(options)
}
