//! Finds modules of a crate that import from each other in a circle, from their sources.
//!
//! A module is a file. At every level, a folder counts as one with everything below it, and the file that heads it
//! (`mod.rs`, `lib.rs`) counts as a neighbour of what it declares: a child that imports from its parent, and a parent
//! that imports from that child, are a circle like any other. A name belongs to the module that defines it, not to one
//! that re-exports it; declaring or re-exporting a child is not a use of it. Test code does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::rust::{Named, named, tokens, without_tests};

/// One file of a crate.
pub(crate) struct Source {
    /// The path below the crate's root, such as `pump/mod.rs`.
    pub(crate) file: String,
    pub(crate) text: String,
}

/// Modules that import from each other.
#[derive(Debug)]
pub(crate) struct Circle {
    /// In order; the file that heads the folder appears under its own name.
    pub(crate) modules: Vec<String>,
    /// For each import that keeps the circle closed, the first line with it.
    lines: Vec<String>,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (modules, lines) = (self.modules.join(" ↔ "), self.lines.join("\n  "));
        write!(f, "{modules}:\n  {lines}")
    }
}

/// The names from the crate's root onwards.
pub(crate) type Module = Vec<String>;

/// The circles of a crate, those of its outermost modules first.
pub(crate) fn circles(sources: &[Source]) -> Vec<Circle> {
    let tree = Tree::new(sources);
    let uses = tree.uses();
    let folders: BTreeSet<Module> = tree
        .files
        .keys()
        .flat_map(|module| (0..module.len()).filter_map(|depth| module.get(..depth)))
        .map(<[String]>::to_vec)
        .collect();
    let mut found: Vec<Circle> = folders
        .iter()
        .flat_map(|folder| circles_in(folder, &uses))
        .collect();
    found.sort_by_key(|circle| circle.modules.first().map_or(0, |m| m.matches('/').count()));
    found
}

/// Circles among the children of a folder and the file that heads it.
fn circles_in(folder: &[String], uses: &[Use]) -> Vec<Circle> {
    let node = |module: &Module| -> Option<String> {
        let below = module.strip_prefix(folder)?;
        let head = [folder, &["mod.rs".to_owned()]].concat();
        let own = below
            .first()
            .map(|first| [folder, std::slice::from_ref(first)].concat());
        Some(own.unwrap_or(head).join("/"))
    };
    let mut edges: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for one in uses {
        if let (Some(from), Some(to)) = (node(&one.from), node(&one.to))
            && from != to
        {
            let line = format!("{}: {}", one.place, one.path);
            edges.entry(from).or_default().entry(to).or_insert(line);
        }
    }
    let reach: BTreeMap<&String, BTreeSet<&String>> = edges
        .keys()
        .map(|node| (node, reached(&edges, node)))
        .collect();
    let mutual = |a: &String, b: &String| {
        let sees = |from, to| reach.get(from).is_some_and(|all| all.contains(to));
        sees(a, b) && sees(b, a)
    };
    let mut done: BTreeSet<&String> = BTreeSet::new();
    let mut found = Vec::new();
    for first in edges.keys() {
        let group: Vec<&String> = edges.keys().filter(|other| mutual(first, other)).collect();
        if group.is_empty() || !done.insert(first) {
            continue;
        }
        done.extend(&group);
        let inner = |from: &&String| {
            let to = edges.get(*from).into_iter().flatten();
            let to = to.filter(|(to, _)| group.contains(to));
            to.map(|(_, line)| line.clone()).collect::<Vec<_>>()
        };
        found.push(Circle {
            modules: group.iter().map(|&name| name.clone()).collect(),
            lines: group.iter().flat_map(inner).collect(),
        });
    }
    found
}

fn reached<'e>(
    edges: &'e BTreeMap<String, BTreeMap<String, String>>,
    from: &'e String,
) -> BTreeSet<&'e String> {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(node) = next.pop() {
        for to in edges.get(node).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(to) {
                next.push(to);
            }
        }
    }
    seen
}

/// A module that names another.
pub(crate) struct Use {
    pub(crate) from: Module,
    /// The module that defines it.
    pub(crate) to: Module,
    /// File and line.
    pub(crate) place: String,
    /// The path as written.
    pub(crate) path: String,
}

/// Every use of one module by another.
pub(crate) fn uses(sources: &[Source]) -> Vec<Use> {
    Tree::new(sources).uses()
}

struct File {
    name: String,
    named: Vec<Named>,
    /// Every word outside of `use`.
    words: BTreeSet<String>,
}

struct Tree {
    files: BTreeMap<Module, File>,
}

impl Tree {
    fn new(sources: &[Source]) -> Self {
        let mut files = BTreeMap::new();
        let mut of_tests: Vec<Module> = Vec::new();
        for source in sources {
            let module = module_of(&source.file);
            let (tokens, tests) = without_tests(&tokens(&source.text));
            of_tests.extend(
                tests
                    .into_iter()
                    .map(|name| [module.as_slice(), &[name]].concat()),
            );
            let (named, words) = named(&tokens);
            let name = source.file.clone();
            files.insert(module, File { name, named, words });
        }
        files.retain(|module, _| !of_tests.iter().any(|tests| module.starts_with(tests)));
        Self { files }
    }

    fn uses(&self) -> Vec<Use> {
        let mut uses = Vec::new();
        for (module, file) in &self.files {
            for one in &file.named {
                let Some(full) = self.absolute(module, one) else {
                    continue;
                };
                let own_child = full.starts_with(module);
                let used = one
                    .name
                    .as_ref()
                    .is_none_or(|name| file.words.contains(name));
                if one.exported && own_child && !used {
                    continue;
                }
                if let Some(to) = self.owner(&full, 0)
                    && to != *module
                {
                    uses.push(Use {
                        from: module.clone(),
                        to,
                        place: format!("{}:{}", file.name, one.line),
                        path: one.path.join("::"),
                    });
                }
            }
        }
        uses
    }

    /// The path from the crate's root; `None` if it leads out of the crate.
    fn absolute(&self, module: &[String], named: &Named) -> Option<Vec<String>> {
        let first = named.path.first()?;
        let mut base = match first.as_str() {
            "crate" => Module::new(),
            "self" | "super" => module.to_vec(),
            child => {
                let path = [module, &[child.to_owned()]].concat();
                self.files.contains_key(&path).then(|| module.to_vec())?
            }
        };
        let mut inner = named.inner;
        for segment in &named.path {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" if inner > 0 => inner -= 1,
                "super" => {
                    base.pop();
                }
                other => base.push(other.to_owned()),
            }
        }
        Some(base)
    }

    /// The module that defines what a path refers to.
    fn owner(&self, path: &[String], depth: usize) -> Option<Module> {
        let mut module = Module::new();
        for (at, segment) in path.iter().enumerate() {
            let child = [module.as_slice(), std::slice::from_ref(segment)].concat();
            if self.files.contains_key(&child) {
                module = child;
                continue;
            }
            let mut imports = self.files.get(&module)?.named.iter();
            let import = imports.find(|one| one.name.as_ref() == Some(segment));
            if let Some(import) = import
                && depth < 8
            {
                let mut full = self.absolute(&module, import)?;
                full.extend_from_slice(path.get(at + 1..).unwrap_or_default());
                return self.owner(&full, depth + 1);
            }
            break;
        }
        Some(module)
    }
}

fn module_of(file: &str) -> Module {
    let path = file.trim_end_matches(".rs");
    let mut module: Module = path.split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}
