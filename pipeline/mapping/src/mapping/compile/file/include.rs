//! `include`: the other files that belong to a mapping.

use std::sync::Arc;

use super::super::super::node::{Content, Node};
use super::super::super::yaml::yaml_fault;
use super::super::reader::Reader;

/// The most files of one mapping.
const MOST: usize = 32;

/// A file of a mapping.
pub(in crate::mapping::compile) struct Document<'n> {
    pub(in crate::mapping::compile) file: Arc<str>,
    pub(in crate::mapping::compile) node: std::borrow::Cow<'n, Node>,
}

/// A mapping's files: itself, then those that it includes, each before those that it includes in turn. A file that several
/// include is there once.
pub(in crate::mapping::compile) fn documents<'n>(
    reader: &mut Reader<'_>,
    root: &'n Node,
) -> Vec<Document<'n>> {
    let mut found = vec![Document {
        file: reader.file_name(),
        node: std::borrow::Cow::Borrowed(root),
    }];
    let file = reader.file_name();
    follow(reader, root, &mut vec![Arc::clone(&file)], &mut found);
    reader.turn_to(&file);
    found
}

fn follow<'n>(
    reader: &mut Reader<'_>,
    node: &Node,
    open: &mut Vec<Arc<str>>,
    found: &mut Vec<Document<'n>>,
) {
    let Content::Map(entries) = &node.content else {
        return;
    };
    let Some((_, list)) = entries.iter().find(|(key, _)| key.name == "include") else {
        return;
    };
    let here = reader.file_name();
    let paths = match &list.content {
        Content::List(items) => items.as_slice(),
        Content::Null
        | Content::Bool(_)
        | Content::Number(_)
        | Content::Text(_)
        | Content::Map(_) => std::slice::from_ref(list),
    };
    for path in paths {
        let Some(text) = reader.text(path, "include") else {
            continue;
        };
        let Some(read) = reader.read_beside(path.place, "include", text) else {
            continue;
        };
        let name: Arc<str> = Arc::from(read.name);
        if open.contains(&name) {
            let way: Vec<&str> = open.iter().chain([&name]).map(|file| &**file).collect();
            let problem = format!("includes itself: {}", way.join(" includes "));
            reader.error(path.place, "include", problem, None);
            continue;
        }
        if found.iter().any(|known| known.file == name) {
            continue;
        }
        if found.len() >= MOST {
            let problem = format!("a mapping has at most {MOST} files");
            reader.error(path.place, "include", problem, None);
            return;
        }
        match Node::from_yaml(&read.text) {
            Ok(node) => {
                found.push(Document {
                    file: Arc::clone(&name),
                    node: std::borrow::Cow::Owned(node.clone()),
                });
                reader.turn_to(&name);
                open.push(name);
                follow(reader, &node, open, found);
                open.pop();
                reader.turn_to(&here);
            }
            Err(error) => {
                let fault = yaml_fault(&read.text, &error);
                reader.turn_to(&name);
                reader.error(fault.place, "", fault.problem, fault.help);
                reader.turn_to(&here);
            }
        }
    }
}
