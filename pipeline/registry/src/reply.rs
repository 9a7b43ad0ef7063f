//! What a registry answers.

use ingest_encoding::SchemaType;
use serde_json::Value;

use crate::failure::Failure;

/// A schema as a registry gives it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) kind: SchemaType,
    pub(crate) text: String,
    pub(crate) references: Vec<Reference>,
}

/// Another schema that one needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The name in the schema that refers to it.
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) version: i64,
}

/// Registries answer with these codes if there is no such schema, subject or version.
const NOT_FOUND: [i64; 3] = [40_403, 40_401, 40_402];

/// What an answer means.
pub(crate) fn read(status: u16, body: &[u8]) -> Result<Answer, Failure> {
    let json = serde_json::from_slice::<Value>(body).ok();
    let code = json
        .as_ref()
        .and_then(|json| json.get("error_code")?.as_i64());
    match status {
        200 => answer(json.as_ref()),
        404 if code.is_some_and(|code| NOT_FOUND.contains(&code)) => Err(Failure::Unknown(
            "the registry has none of this id".to_owned(),
        )),
        404 => Err(Failure::Down(
            "404 without the error code of a schema registry: is this its address?".to_owned(),
        )),
        401 => Err(Failure::Down(
            "401: it wants other credentials (schema_registry.basic or .bearer)".to_owned(),
        )),
        403 => Err(Failure::Down(
            "403: these credentials may not read this schema".to_owned(),
        )),
        429 => Err(Failure::Down("429: too many requests".to_owned())),
        422 if code.is_some_and(|code| (42_200..42_300).contains(&code)) => {
            Err(Failure::Unusable(format!(
                "the registry refuses to give it: {status}, error code {}",
                code.unwrap_or_default()
            )))
        }
        300..=399 => Err(Failure::Down(format!(
            "{status}: it is somewhere else; give that address"
        ))),
        _ => Err(Failure::Down(format!("it answers {status}"))),
    }
}

fn answer(json: Option<&Value>) -> Result<Answer, Failure> {
    let text = json.and_then(|json| json.get("schema")?.as_str());
    let (Some(json), Some(text)) = (json, text) else {
        return Err(Failure::Down(
            "its answer is not that of a schema registry: is this its address?".to_owned(),
        ));
    };
    let word = json.get("schemaType").and_then(Value::as_str);
    let word = word.unwrap_or("AVRO");
    let Some(kind) = SchemaType::of_registry(word) else {
        return Err(Failure::Unusable(format!(
            "its type is none of AVRO, JSON, PROTOBUF: {}",
            word.chars().take(20).collect::<String>()
        )));
    };
    let references = json.get("references").and_then(Value::as_array);
    let references = references.map(Vec::as_slice).unwrap_or_default();
    let references: Option<Vec<Reference>> = references.iter().map(reference).collect();
    match references {
        Some(references) => Ok(Answer {
            kind,
            text: text.to_owned(),
            references,
        }),
        None => Err(Failure::Unusable(
            "one of its references has no name, subject or version".to_owned(),
        )),
    }
}

fn reference(json: &Value) -> Option<Reference> {
    let text = |name: &str| json.get(name)?.as_str().map(str::to_owned);
    Some(Reference {
        name: text("name")?,
        subject: text("subject")?,
        version: json.get("version")?.as_i64()?,
    })
}
