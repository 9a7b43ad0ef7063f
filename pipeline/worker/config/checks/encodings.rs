//! How values are encoded, the files of their schemas, and the registry.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ingest_encoding::{Compression, Encoding, Kind, Source};
use ingest_mapping::decode::Format;
use ingest_registry::{CacheLimit, RegistrySettings};
use url::Url;

use super::checker::Checker;
use crate::config::raw::{At, Leaf, RawEncoding, RawRegistry, Scalar};
use crate::config::registry::{Login, RegistryPlace};

/// The most files that a `.proto` file may import, directly and through others.
const MAX_IMPORTS: usize = 200;

impl Checker<'_> {
    /// The encoding of a topic's values and keys.
    pub(in crate::config) fn encoding(
        &mut self,
        raw: &RawEncoding,
        format: Option<Format>,
        has_registry: bool,
    ) -> Option<Encoding> {
        let kind = match &raw.encoding {
            None => Some(Kind::Json),
            Some(leaf) => {
                let words: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
                let word = self.one_of(leaf, &words);
                word.and_then(|word| Kind::ALL.iter().copied().find(|one| one.as_str() == word))
            }
        };
        let compression = match &raw.compression {
            None => Some(None),
            Some(leaf) => {
                let all = Compression::ALL;
                let words: Vec<&str> = all.iter().map(|one| one.as_str()).collect();
                let word = self.one_of(leaf, &words);
                word.map(|word| all.iter().copied().find(|one| one.as_str() == word))
            }
        };
        let asks = kind == Some(Kind::Registry);
        let keys = match &raw.key_encoding {
            // what a key says matters to rows of a database, whose converter writes both alike
            None => Some(asks && format == Some(Format::Debezium)),
            Some(leaf) => self
                .one_of(leaf, &["text", "registry"])
                .map(|word| word == "registry"),
        };
        let (kind, compression, keys) = (kind?, compression?, keys?);
        if (asks || keys) && !has_registry {
            let leaf = if asks {
                &raw.encoding
            } else {
                &raw.key_encoding
            };
            if let Some(leaf) = leaf {
                let way_out = "say where it is: schema_registry: { url: https://registry.example }";
                self.at(
                    leaf,
                    "needs a schema registry, and none is configured",
                    way_out,
                );
            }
            return None;
        }
        self.unused(raw, kind)?;
        let encoding = match kind {
            Kind::Json => Encoding::default(),
            Kind::Registry => Encoding::registry(),
            Kind::Avro => self.avro(raw)?,
            Kind::Protobuf => self.protobuf(raw)?,
            Kind::AvroSingleObject | Kind::Auto => self.fingerprints(raw, kind)?,
        };
        let encoding = encoding.with_keys(keys);
        Some(match compression {
            Some(compression) => encoding.compressed(compression),
            None => encoding,
        })
    }

    /// Keys that the encoding has no use for: somebody meant another one.
    fn unused(&mut self, raw: &RawEncoding, kind: Kind) -> Option<()> {
        let mut good = true;
        let mut unused = |leaf: &Leaf, of: &[Kind], way_out: &str| {
            if let Some(leaf) = leaf.as_ref().filter(|_| !of.contains(&kind)) {
                let problem = format!("is not used with encoding {}", kind.as_str());
                self.at(leaf, &problem, way_out);
                good = false;
            }
        };
        let with = &[Kind::Avro, Kind::Protobuf];
        let way_out = "it is for encoding: avro or protobuf; leave it out, or name the encoding";
        unused(&raw.schema, with, way_out);
        let way_out = "it is for encoding: protobuf; leave it out, or name the encoding";
        unused(&raw.message, &[Kind::Protobuf], way_out);
        let first = raw.schemas.as_ref().and_then(|all| all.first()).cloned();
        let way_out = "it is for encoding: avro-single-object or auto; leave it out";
        unused(&first, &[Kind::AvroSingleObject, Kind::Auto], way_out);
        good.then_some(())
    }

    fn avro(&mut self, raw: &RawEncoding) -> Option<Encoding> {
        let (leaf, _, text) = self.schema(raw, "schemas/order.avsc")?;
        match Encoding::avro(&text) {
            Ok(encoding) => Some(encoding),
            Err(fault) => {
                let way_out = "give a file with one Avro schema (.avsc)";
                self.at(leaf, &format!("cannot be used: {fault}"), way_out);
                None
            }
        }
    }

    fn protobuf(&mut self, raw: &RawEncoding) -> Option<Encoding> {
        let found = self.schema(raw, "protos/order.proto");
        let Some(message) = &raw.message else {
            let way_out = "name the message with its package, such as shop.Order";
            self.missing(&raw.place, "message", way_out);
            return None;
        };
        let message = self.text(message)?;
        let (leaf, path, text) = found?;
        let imports = imports(&path, &text);
        match Encoding::protobuf(&text, &imports, &message) {
            Ok(encoding) => Some(encoding),
            Err(fault) => {
                let way_out = "imports are looked for beside the file: give paths from its folder";
                self.at(leaf, &format!("cannot be used: {fault}"), way_out);
                None
            }
        }
    }

    fn fingerprints(&mut self, raw: &RawEncoding, kind: Kind) -> Option<Encoding> {
        let leaves = raw.schemas.as_deref().unwrap_or_default();
        if leaves.is_empty() && kind == Kind::AvroSingleObject {
            let way_out =
                "list the files of all schemas that records may have: [schemas/order.avsc]";
            self.missing(&raw.place, "schemas", way_out);
            return None;
        }
        let mut sources = Vec::new();
        let mut good = true;
        for leaf in leaves {
            let Some((_, text)) = self.file(leaf) else {
                good = false;
                continue;
            };
            let name = leaf.value.to_string();
            sources.push((leaf, Source { name, text }));
        }
        if !good {
            return None;
        }
        let all: Vec<Source> = sources.iter().map(|(_, source)| source.clone()).collect();
        let made = match kind {
            Kind::AvroSingleObject => Encoding::single_object(&all),
            Kind::Json | Kind::Registry | Kind::Avro | Kind::Protobuf | Kind::Auto => {
                Encoding::auto(&all)
            }
        };
        match made {
            Ok(encoding) => Some(encoding),
            Err((name, fault)) => {
                let leaf = sources.iter().find(|(_, source)| source.name == name);
                if let Some((leaf, _)) = leaf {
                    let way_out = "give files with one Avro schema each (.avsc)";
                    self.at(leaf, &format!("cannot be used: {fault}"), way_out);
                }
                None
            }
        }
    }

    /// The file of the schema.
    fn schema<'r>(
        &mut self,
        raw: &'r RawEncoding,
        example: &str,
    ) -> Option<(&'r At<Scalar>, PathBuf, String)> {
        let Some(leaf) = &raw.schema else {
            let way_out = format!("give the file of the schema, such as {example}");
            self.missing(&raw.place, "schema", &way_out);
            return None;
        };
        let (path, text) = self.file(leaf)?;
        Some((leaf, path, text))
    }

    fn file(&mut self, leaf: &At<Scalar>) -> Option<(PathBuf, String)> {
        let path = self.text(leaf)?;
        let path = self.path(&path);
        match std::fs::read_to_string(&path) {
            Ok(text) => Some((path, text)),
            Err(error) => {
                let problem = format!("cannot read {}: {error}", path.display());
                self.at(
                    leaf,
                    &problem,
                    "paths are relative to the configuration file",
                );
                None
            }
        }
    }

    /// `schema_registry`.
    pub(in crate::config) fn registry(&mut self, raw: &RawRegistry) -> Option<RegistryPlace> {
        let example = "give the address of the registry, such as https://registry.example:8081";
        let url = match &raw.url {
            None => {
                self.missing(&raw.place, "url", example);
                None
            }
            Some(leaf) => self.registry_url(leaf, example),
        };
        let login = match (&raw.basic, &raw.bearer) {
            (None, None) => Some(Login::None),
            (None, Some(token)) => self.secret(token).map(Login::Bearer),
            (Some(basic), None) => {
                let user = match &basic.user {
                    Some(leaf) => self.text(leaf),
                    None => {
                        let way_out = "name the user, or the API key";
                        self.missing(&basic.place, "user", way_out);
                        None
                    }
                };
                let password = match &basic.password {
                    Some(secret) => self.secret(secret),
                    None => {
                        let way_out =
                            "name its place: { file: /path/of/it } or { env: A_VARIABLE }";
                        self.missing(&basic.place, "password", way_out);
                        None
                    }
                };
                match (user, password) {
                    (Some(user), Some(password)) => Some(Login::Basic { user, password }),
                    _ => None,
                }
            }
            (Some(basic), Some(_)) => {
                let (spot, key) = (basic.place.spot, basic.place.key.clone());
                self.fault(spot, &key, "stands beside bearer", "keep one of the two");
                None
            }
        };
        let ca = match &raw.ca {
            None => Some(None),
            Some(leaf) => self.text(leaf).map(|path| Some(self.path(&path))),
        };
        let range = Duration::from_millis(100)..=Duration::from_secs(120);
        let timeout = self.duration(&raw.timeout, RegistrySettings::TIMEOUT, range);
        let usual = RegistrySettings::CACHE;
        let number = |usual: usize| u64::try_from(usual).unwrap_or(u64::MAX);
        let schemas = self.whole(&raw.cache, number(usual.schemas), 10..=100_000);
        let bytes = self.size(&raw.cache_bytes, number(usual.bytes), 4 << 20..=4 << 30);
        Some(RegistryPlace {
            url: url?,
            login: login?,
            ca: ca?,
            timeout: timeout?,
            cache: CacheLimit::of(schemas?, bytes?),
        })
    }

    fn registry_url(&mut self, leaf: &At<Scalar>, example: &str) -> Option<Url> {
        let text = self.text(leaf)?;
        // the text may have a password, so it is not shown
        let Ok(url) = Url::parse(&text) else {
            self.at(leaf, "is not an address", example);
            return None;
        };
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            self.at(leaf, "is no address of http or https", example);
            return None;
        }
        if !url.username().is_empty() || url.password().is_some() {
            let way_out = "use schema_registry.basic: { user: …, password: { env: A_VARIABLE } }";
            self.at(leaf, "has a user or a password in it", way_out);
            return None;
        }
        if url.query().is_some() || url.fragment().is_some() {
            self.at(leaf, "has a query or a fragment", example);
            return None;
        }
        Some(url)
    }
}

/// The files that a `.proto` file imports, as far as they are beside it. Those that are not may be known all the same.
fn imports(path: &Path, text: &str) -> Vec<Source> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let mut found: Vec<Source> = Vec::new();
    let mut names = imported(text);
    while let Some(name) = names.pop() {
        let known = found.iter().any(|one| one.name == name) || found.len() >= MAX_IMPORTS;
        let inside = !name.split('/').any(|part| part == "..") && !name.starts_with('/');
        if known || !inside {
            continue;
        }
        if let Ok(text) = std::fs::read_to_string(folder.join(&name)) {
            names.extend(imported(&text));
            found.push(Source { name, text });
        }
    }
    found
}

/// The names in the import statements of a `.proto` file.
fn imported(text: &str) -> Vec<String> {
    let statements = text.split([';', '\n']).map(str::trim);
    let named = statements.filter_map(|statement| {
        let rest = statement.strip_prefix("import")?.trim_start();
        let rest = ["public", "weak"]
            .iter()
            .find_map(|word| rest.strip_prefix(word))
            .unwrap_or(rest);
        let name = rest.trim().trim_matches(['"', '\'']);
        (!name.is_empty()).then(|| name.to_owned())
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The faults of a topic with these keys, beside files of schemas.
    fn check(topic: &str, registry: &str) -> Result<Encoding, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        file("order.avsc", r#"{"type":"record","name":"O","fields":[]}"#);
        file("bad.avsc", r#"{"type":"recor"}"#);
        let import = "import \"money.proto\";";
        file(
            "order.proto",
            &format!(
                "syntax = \"proto3\"; package shop; {import} message Order {{ Money total = 1; }}"
            ),
        );
        file(
            "money.proto",
            "syntax = \"proto3\"; package shop; message Money { int64 cents = 1; }",
        );
        file(
            "lost.proto",
            "syntax = \"proto3\"; import \"gone.proto\"; message Lost {}",
        );
        let mapping = "{ routes: [ { name: r, on: x, do: [ { track: .event } ] } ] }";
        let text = format!(
            "kafka:\n  brokers: b:1\n  group: g\n  dead_letter_topic: d\n  topics:\n    - {{ name: t, mapping: {mapping}, {topic} }}\n\
             {registry}\nkustomer: {{ base_url: 'http://127.0.0.1:1', limit: 100, token: {{ env: T }} }}\n"
        );
        let parsed = crate::config::parse(&folder.path().join("w.yaml"), &text);
        let place = folder.path().display().to_string();
        match parsed {
            Ok(settings) => Ok(settings.kafka.topics[0].encoding.clone()),
            Err(faults) => Err(faults.to_string().replace(&place, "")),
        }
    }

    const REGISTRY: &str = "schema_registry: { url: 'https://registry' }";

    #[test]
    fn encodings_are_ready_to_be_used() {
        for (topic, registry, wanted) in [
            ("encoding: json", "", Kind::Json),
            (
                "encoding: registry, compression: gzip",
                REGISTRY,
                Kind::Registry,
            ),
            ("encoding: avro, schema: order.avsc", "", Kind::Avro),
            (
                "encoding: avro-single-object, schemas: [order.avsc]",
                "",
                Kind::AvroSingleObject,
            ),
            (
                "encoding: protobuf, schema: order.proto, message: shop.Order",
                "",
                Kind::Protobuf,
            ),
            ("encoding: auto", "", Kind::Auto),
            (
                "encoding: auto, schemas: [order.avsc], key_encoding: registry",
                REGISTRY,
                Kind::Auto,
            ),
        ] {
            let encoding = check(topic, registry).unwrap_or_else(|faults| panic!("{faults}"));
            assert_eq!(encoding.kind(), wanted, "{topic}");
        }
    }

    #[test]
    fn faults_have_a_place_a_reason_and_a_way_out() {
        for (topic, registry, wanted) in [
            ("encoding: registry", "", "w.yaml:6:"),
            ("encoding: registry", "", "schema_registry: { url:"),
            ("key_encoding: registry", "", "needs a schema registry"),
            ("encoding: avor", "", "did you mean avro?"),
            ("compression: snappy", "", "auto"),
            ("encoding: avro", "", "topics[0].schema: is missing"),
            (
                "encoding: avro, schema: gone.avsc",
                "",
                "cannot read /gone.avsc",
            ),
            (
                "encoding: avro, schema: bad.avsc",
                "",
                "the type recor is not defined",
            ),
            (
                "encoding: protobuf, schema: order.proto",
                "",
                "topics[0].message: is missing",
            ),
            (
                "encoding: protobuf, schema: order.proto, message: Order",
                "",
                "it has shop.Order",
            ),
            (
                "encoding: protobuf, schema: lost.proto, message: Lost",
                "",
                "gone.proto",
            ),
            (
                "encoding: avro-single-object",
                "",
                "topics[0].schemas: is missing",
            ),
            (
                "encoding: avro-single-object, schemas: [bad.avsc]",
                "",
                "topics[0].schemas[0]: cannot be used",
            ),
            ("schema: order.avsc", "", "is not used with encoding json"),
            (
                "encoding: avro, schema: order.avsc, message: O",
                "",
                "is not used with encoding avro",
            ),
            (
                "encoding: registry, schemas: [order.avsc]",
                REGISTRY,
                "is not used with encoding registry",
            ),
            (
                "format: json",
                "schema_registry: { cache: 10 }",
                "schema_registry.url: is missing",
            ),
            (
                "encoding: registry",
                "schema_registry: { url: 'http://x', cache_bytes: 1MiB }",
                "schema_registry.cache_bytes: 1MiB is out of range",
            ),
            (
                "format: json",
                "schema_registry: { url: 'ftp://x' }",
                "no address of http",
            ),
            (
                "format: json",
                "schema_registry: { url: 'https://u:pw@x' }",
                "has a user or a password in it",
            ),
            (
                "format: json",
                "schema_registry: { url: 'https://x', bearer: abc }",
                "a secret must not be",
            ),
            (
                "format: json",
                "schema_registry: { url: 'https://x', basic: { user: u } }",
                "basic.password: is missing",
            ),
            (
                "format: json",
                "schema_registry: { url: 'https://x', basic: { user: u, password: { env: P } }, bearer: { env: B } }",
                "stands beside bearer",
            ),
        ] {
            let faults = check(topic, registry).expect_err(topic);
            assert!(faults.contains(wanted), "{topic}, {registry}: {faults}");
            assert!(!faults.contains("pw"), "{faults}");
        }
    }
}
