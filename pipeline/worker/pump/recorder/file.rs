//! Where recordings are written: a folder that keeps a handful of them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// So many are kept; the oldest go.
pub(super) const KEPT: usize = 5;
/// How a recording's name begins and ends.
const BEGIN: &str = "recording-";
const END: &str = ".jsonl";

/// Writes a recording to the folder, or to the system's folder for temporary files where that cannot be written.
pub(super) fn write(
    folder: &Path,
    at: Timestamp,
    cause: &str,
    parts: &[&[u8]],
) -> io::Result<PathBuf> {
    match write_to(folder, at, cause, parts) {
        Ok(path) => Ok(path),
        Err(error) => {
            let elsewhere = std::env::temp_dir();
            if elsewhere == folder {
                return Err(error);
            }
            tracing::warn!(folder = %folder.display(), %error, "debug.recording.dir cannot be written; the recording goes to the folder for temporary files");
            write_to(&elsewhere, at, cause, parts)
        }
    }
}

fn write_to(folder: &Path, at: Timestamp, cause: &str, parts: &[&[u8]]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let time = at.strftime("%Y%m%dT%H%M%S%3fZ").to_string();
    let process = std::process::id();
    let path = folder.join(format!("{BEGIN}{time}-{process}-{cause}{END}"));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(&path)?;
    let written = parts.iter().try_for_each(|part| file.write_all(part));
    if let Err(error) = written.and_then(|()| file.flush()) {
        drop(file);
        // Half a recording helps nobody, and a full disk needs the room.
        drop(fs::remove_file(&path));
        return Err(error);
    }
    forget_old(folder, &path);
    Ok(path)
}

/// Deletes the oldest recordings beyond those that are kept.
fn forget_old(folder: &Path, newest: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut all: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path != newest)
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(BEGIN) && name.ends_with(END)
        })
        .collect();
    // Their names begin with their times.
    all.sort_unstable();
    let kept = all.len().saturating_sub(KEPT - 1);
    for path in all.into_iter().take(kept) {
        if let Err(error) = fs::remove_file(&path) {
            tracing::debug!(path = %path.display(), %error, "an old recording could not be deleted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    #[test]
    fn the_newest_are_kept_and_nothing_else_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.jsonl"), "mine").unwrap();
        let written: Vec<PathBuf> = (0..9)
            .map(|n| write(folder.path(), at(n), "asked", &[b"head\n", b"step\n"]).unwrap())
            .collect();
        let there: Vec<bool> = written.iter().map(|path| path.exists()).collect();
        assert_eq!(
            there,
            [false, false, false, false, true, true, true, true, true]
        );
        assert!(folder.path().join("notes.jsonl").exists());
        assert_eq!(fs::read(written.last().unwrap()).unwrap(), b"head\nstep\n");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("occupied");
        fs::write(&file, "").unwrap();
        let written = write(&file, at(100), "panic", &[b"x\n"]).unwrap();
        assert!(
            written.starts_with(std::env::temp_dir()),
            "{}",
            written.display()
        );
        assert!(
            written
                .file_name()
                .unwrap()
                .to_string_lossy()
                .contains("-panic")
        );
        fs::remove_file(written).unwrap();
    }
}
