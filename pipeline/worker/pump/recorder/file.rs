//! Where recordings are written: a folder that keeps a handful of them.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// So many of each cause are kept; the oldest go.
pub(super) const KEPT: usize = 5;
/// All of them together have at most this many times the bytes that the ring may have, unless the newest alone has more.
pub(super) const RINGS: u64 = 4;
/// How a recording's name begins and ends.
const BEGIN: &str = "recording-";
const END: &str = ".jsonl";
/// How the name of one ends that is being written.
const PART: &str = ".part";
/// Recordings of one process, cause and millisecond.
const AT_ONCE: u32 = 1_000;

/// Writes a recording to the folder, or to the system's folder for temporary files where that cannot be written. It has its name
/// only when it is whole.
pub(super) fn write(
    folder: &Path,
    most_bytes: u64,
    at: Timestamp,
    cause: &str,
    content: impl Fn(&mut dyn Write) -> io::Result<()>,
) -> io::Result<PathBuf> {
    match write_to(folder, most_bytes, at, cause, &content) {
        Ok(path) => Ok(path),
        Err(error) => {
            let elsewhere = std::env::temp_dir();
            if elsewhere == folder {
                return Err(error);
            }
            tracing::warn!(folder = %folder.display(), %error, "debug.recording.dir cannot be written; the recording goes to the folder for temporary files");
            write_to(&elsewhere, most_bytes, at, cause, &content)
        }
    }
}

fn write_to(
    folder: &Path,
    most_bytes: u64,
    at: Timestamp,
    cause: &str,
    content: &impl Fn(&mut dyn Write) -> io::Result<()>,
) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let (file, part, path) = begin(folder, at, cause)?;
    let mut file = BufWriter::new(file);
    let written = content(&mut file).and_then(|()| file.flush());
    drop(file);
    if let Err(error) = written.and_then(|()| fs::rename(&part, &path)) {
        // Half a recording helps nobody, and a full disk needs the room.
        drop(fs::remove_file(&part));
        return Err(error);
    }
    forget_old(folder, most_bytes, cause, &path);
    Ok(path)
}

/// A file that nobody else writes, and the name that it gets when it is whole, which nobody else has.
fn begin(folder: &Path, at: Timestamp, cause: &str) -> io::Result<(File, PathBuf, PathBuf)> {
    let time = at.strftime("%Y%m%dT%H%M%S%3fZ").to_string();
    let process = std::process::id();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    for number in 1..=AT_ONCE {
        let number = match number {
            1 => String::new(),
            number => format!("-{number}"),
        };
        let path = folder.join(format!("{BEGIN}{time}-{process}-{cause}{number}{END}"));
        let mut part = path.clone().into_os_string();
        part.push(PART);
        let part = PathBuf::from(part);
        match options.open(&part) {
            // Who has the one has the other: a name is given only to what was this.
            Ok(file) if !path.try_exists()? => return Ok((file, part, path)),
            Ok(_) => fs::remove_file(&part)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Deletes the oldest recordings of a cause beyond those that are kept, and what was left of those that were never whole. If
/// all causes together have too many bytes, more of this one go, and then the oldest of the others.
fn forget_old(folder: &Path, most_bytes: u64, cause: &str, newest: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let of_others = |path: &PathBuf| cause_of(path.file_name()).map(|of| of != cause);
    // Those of this cause first, oldest first: their names begin with their times.
    let mut all: Vec<(bool, PathBuf)> = paths
        .filter(|path| path != newest)
        .filter_map(|path| Some((of_others(&path)?, path)))
        .collect();
    all.sort_unstable();
    let size = |path: &Path| fs::metadata(path).map_or(0, |one| one.len());
    let old: u64 = all.iter().map(|(_, path)| size(path)).sum();
    let mut bytes = old.saturating_add(size(newest));
    let mut alike = all.iter().filter(|(others, _)| !others).count() + 1;
    for (others, path) in all {
        let too_many = !others && alike > KEPT;
        if !too_many && bytes <= most_bytes {
            continue;
        }
        alike -= usize::from(!others);
        bytes = bytes.saturating_sub(size(&path));
        if let Err(error) = fs::remove_file(&path) {
            tracing::debug!(path = %path.display(), %error, "an old recording could not be deleted");
        }
    }
}

/// The cause in the name of a recording.
fn cause_of(name: Option<&OsStr>) -> Option<String> {
    let name = name?.to_str()?;
    let name = name.strip_suffix(PART).unwrap_or(name);
    let name = name.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let mut parts = name.split('-');
    let (time, process, cause) = (parts.next()?, parts.next()?, parts.next()?);
    let is_ours = time.len() == 19 && time.ends_with('Z') && process.parse::<u32>().is_ok();
    is_ours.then(|| cause.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn put(folder: &Path, second: i64, cause: &str) -> PathBuf {
        let content = |out: &mut dyn Write| out.write_all(b"head\nstep\n");
        write(folder, 90, at(second), cause, content).unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_of_each_cause_are_kept_and_nothing_else_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.jsonl"), "mine").unwrap();
        fs::write(folder.path().join("recording-of-my-asked.jsonl"), "mine").unwrap();
        let halt = put(folder.path(), 0, "halt");
        // A process died while it wrote this one.
        let left = format!("{BEGIN}20200101T000000000Z-9-asked{END}{PART}");
        fs::write(folder.path().join(&left), "he").unwrap();
        let written: Vec<PathBuf> = (1..10).map(|n| put(folder.path(), n, "asked")).collect();
        let there: Vec<bool> = written.iter().map(|path| path.exists()).collect();
        assert_eq!(
            there,
            [false, false, false, false, true, true, true, true, true]
        );
        assert!(halt.exists(), "a storm of one cause leaves the others");
        assert!(!folder.path().join(&left).exists());
        assert!(folder.path().join("notes.jsonl").exists());
        assert!(folder.path().join("recording-of-my-asked.jsonl").exists());
        assert_eq!(fs::read(written.last().unwrap()).unwrap(), b"head\nstep\n");
    }

    #[test]
    fn all_causes_together_have_so_many_bytes_and_the_newest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let halts: Vec<PathBuf> = (0..3).map(|n| put(folder.path(), n, "halt")).collect();
        let broken: Vec<PathBuf> = (3..6).map(|n| put(folder.path(), n, "invariant")).collect();
        let asked: Vec<PathBuf> = (6..12).map(|n| put(folder.path(), n, "asked")).collect();
        let there = |paths: &[PathBuf]| paths.iter().filter(|path| path.exists()).count();
        // Nine files of ten bytes: the fourth that was asked for took the place of the first, and so on.
        assert_eq!((there(&halts), there(&broken), there(&asked)), (3, 3, 3));
        assert!(asked.last().unwrap().exists());
        let large = |out: &mut dyn Write| out.write_all(&[b'x'; 75]);
        let newest = write(folder.path(), 90, at(20), "invariant", large).unwrap();
        assert_eq!((there(&broken), there(&halts), there(&asked)), (0, 0, 1));
        let huge = |out: &mut dyn Write| out.write_all(&[b'x'; 500]);
        let alone = write(folder.path(), 90, at(21), "halt", huge).unwrap();
        assert!(alone.exists() && !newest.exists());
    }

    #[test]
    fn recordings_of_one_millisecond_have_names_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut written: Vec<PathBuf> = (0..3).map(|_| put(folder.path(), 7, "asked")).collect();
        written.push(put(folder.path(), 7, "invariant"));
        written.sort();
        written.dedup();
        assert_eq!(written.len(), 4, "{written:?}");
        let sizes = written.iter().map(|path| fs::metadata(path).unwrap().len());
        assert!(sizes.into_iter().all(|size| size == 10));
    }

    #[test]
    fn what_fails_halfway_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let content = |out: &mut dyn Write| {
            out.write_all(&vec![b'x'; 100_000])?;
            Err(io::Error::other("no room"))
        };
        let error = write_to(folder.path(), 90, at(3), "halt", &content).unwrap_err();
        assert_eq!(error.to_string(), "no room");
        assert!(
            names(folder.path()).is_empty(),
            "{:?}",
            names(folder.path())
        );
    }

    #[test]
    fn a_recording_has_its_name_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let content = |out: &mut dyn Write| {
            out.write_all(b"head\n")?;
            let names = names(folder.path());
            assert!(names.len() == 1 && names[0].ends_with(PART), "{names:?}");
            Ok(())
        };
        let written = write(folder.path(), 90, at(4), "asked", content).unwrap();
        assert_eq!(
            names(folder.path()),
            [written.file_name().unwrap().to_str().unwrap()]
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("occupied");
        fs::write(&file, "").unwrap();
        let written = write(&file, 90, at(100), "panic", |out| out.write_all(b"x\n")).unwrap();
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
