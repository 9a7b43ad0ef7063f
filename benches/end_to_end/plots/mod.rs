//! W5 and W7 as pictures, from virtual time: the same seeds draw the same.

mod svg;
mod w5;
mod w7;

use std::path::Path;

use anyhow::Context as _;

/// Draws both into a folder, and says where they are and what they show.
pub(crate) fn draw(folder: &Path, short: bool) -> anyhow::Result<String> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut text = String::new();
    for (name, (drawing, says)) in [("w5", w5::draw(short)?), ("w7", w7::draw(short)?)] {
        let file = folder.join(format!("{name}.svg"));
        std::fs::write(&file, drawing)
            .with_context(|| format!("cannot write {}", file.display()))?;
        text.push_str(&format!("{}: {says}\n", file.display()));
    }
    Ok(text)
}
