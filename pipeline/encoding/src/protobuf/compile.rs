//! Compiles the text of a `.proto` file, with what it imports.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::FileDescriptor;
use protox::file::{File, FileResolver, GoogleFileResolver};
use protox::{Compiler, Error};

use crate::fault::SchemaFault;
use crate::source::Source;

/// The name of the file itself, which its own text does not have.
const MAIN: &str = "this-schema.proto";
/// Files that serializers import without a reference.
const KNOWN: &[(&str, &str)] = &[
    (
        "confluent/meta.proto",
        r#"syntax = "proto3"; package confluent; import "google/protobuf/descriptor.proto";
message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }"#,
    ),
    (
        "confluent/type/decimal.proto",
        r#"syntax = "proto3"; package confluent.type;
message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }"#,
    ),
    (
        "google/type/date.proto",
        r#"syntax = "proto3"; package google.type;
message Date { int32 year = 1; int32 month = 2; int32 day = 3; }"#,
    ),
    (
        "google/type/timeofday.proto",
        r#"syntax = "proto3"; package google.type;
message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }"#,
    ),
    (
        "google/type/money.proto",
        r#"syntax = "proto3"; package google.type;
message Money { string currency_code = 1; int64 units = 2; int32 nanos = 3; }"#,
    ),
];

/// Finds the files of one schema.
struct Files {
    main: File,
    references: Vec<Source>,
    google: GoogleFileResolver,
}

impl FileResolver for Files {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        if name == MAIN {
            return Ok(self.main.clone());
        }
        if let Some(found) = self.references.iter().find(|one| one.name == name) {
            return parsed(name, &found.text);
        }
        let known = KNOWN.iter().find(|(known, _)| *known == name);
        match known {
            Some((_, text)) => File::from_source(name, text),
            None => self.google.open_file(name),
        }
    }
}

/// Brackets within brackets.
const DEEPEST: usize = 100;
/// Points between two `;`, `=` or quotes. A comment may have some.
const MOST_PARTS: usize = 1_000;

/// The compiled file.
pub(super) fn file(text: &str, references: &[Source]) -> Result<FileDescriptor, SchemaFault> {
    let broken = |error: Error| SchemaFault(format!("it is not a .proto file: {error}"));
    let files = Files {
        main: parsed(MAIN, text).map_err(broken)?,
        references: references.to_vec(),
        google: GoogleFileResolver::new(),
    };
    let mut compiler = Compiler::with_file_resolver(files);
    compiler.include_imports(true);
    compiler.open_file(MAIN).map_err(broken)?;
    let pool = compiler.descriptor_pool();
    let file = pool.get_file_by_name(MAIN);
    file.ok_or_else(|| SchemaFault("it is not a .proto file".to_owned()))
}

/// A file from its text, or from its descriptor in base64, as some serializers register it.
fn parsed(name: &str, text: &str) -> Result<File, Error> {
    let descriptor = STANDARD
        .decode(text.trim())
        .ok()
        .and_then(|bytes| File::decode_file_descriptor_proto(bytes.as_slice()).ok());
    match descriptor {
        Some(file) => {
            let mut proto = file.file_descriptor_proto().clone();
            proto.name = Some(name.to_owned());
            Ok(File::from_file_descriptor_proto(proto))
        }
        None => {
            shallow(text).map_err(Error::new)?;
            File::from_source(name, text)
        }
    }
}

/// Refuses a text so deep that the compiler, which follows it by recursion, would run out of stack and end the process: brackets
/// within brackets, and the parts of an option's name.
fn shallow(text: &str) -> Result<(), SchemaFault> {
    let (mut depth, mut parts) = (0_usize, 0_usize);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        // A bracket in a text or a comment closes none.
        match c {
            '"' | '\'' => {
                pass_text(&mut rest, c);
                parts = 0;
            }
            '/' if rest.as_str().starts_with('/') => {
                rest = after(rest.as_str(), "\n").chars();
            }
            '/' if rest.as_str().starts_with('*') => {
                rest = after(rest.as_str().get(1..).unwrap_or_default(), "*/").chars();
            }
            '{' | '[' | '(' | '<' => depth += 1,
            '}' | ']' | ')' | '>' => depth = depth.saturating_sub(1),
            '.' => parts += 1,
            ';' | '=' => parts = 0,
            _ => {}
        }
        if depth > DEEPEST || parts > MOST_PARTS {
            return Err(SchemaFault(format!(
                "it has brackets more than {DEEPEST} deep, or a name of more than {MOST_PARTS} parts"
            )));
        }
    }
    Ok(())
}

/// Passes over a text up to its closing quote, or to the end of the line, where the compiler ends it, too.
fn pass_text(rest: &mut std::str::Chars<'_>, quote: char) {
    while let Some(c) = rest.next() {
        match c {
            '\\' => drop(rest.next()),
            '\n' => return,
            c if c == quote => return,
            _ => {}
        }
    }
}

/// What follows the first of these marks.
fn after<'t>(text: &'t str, mark: &str) -> &'t str {
    text.split_once(mark).map_or("", |(_, rest)| rest)
}
