//! Where the memory of the process is, as the kernel counts it.

use std::io;

use serde::Serialize;

/// What the kernel says of the process.
const STATUS: &str = "/proc/self/status";
/// The same by kind of page; the kernel walks over all of them for it.
const PAGES: &str = "/proc/self/smaps_rollup";

/// The memory of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ProcessMemory {
    /// In memory now.
    pub resident_bytes: u64,
    /// The most that ever was.
    pub peak_resident_bytes: u64,
    /// Of it: heaps and stacks.
    pub anonymous_bytes: u64,
    /// Of it: the program and files, which the kernel can drop and read again.
    pub file_bytes: u64,
    /// Given back by the allocator; the kernel takes it when it needs memory, and counts it as resident until then.
    pub lazily_freed_bytes: u64,
    /// In huge pages.
    pub huge_page_bytes: u64,
    /// Swapped out.
    pub swapped_bytes: u64,
    /// Threads; each has a stack, and what its allocator keeps for it.
    pub threads: u64,
}

impl ProcessMemory {
    /// The memory now. Blocks for some milliseconds at most.
    ///
    /// # Errors
    /// The system has no such files.
    pub fn now() -> io::Result<Self> {
        let pages = std::fs::read_to_string(PAGES).unwrap_or_default();
        Ok(Self::of(&std::fs::read_to_string(STATUS)?, &pages))
    }

    fn of(status: &str, pages: &str) -> Self {
        let bytes = |text, name| number(text, name).saturating_mul(1024);
        Self {
            resident_bytes: bytes(status, "VmRSS:"),
            peak_resident_bytes: bytes(status, "VmHWM:"),
            anonymous_bytes: bytes(status, "RssAnon:"),
            file_bytes: bytes(status, "RssFile:"),
            lazily_freed_bytes: bytes(pages, "LazyFree:"),
            huge_page_bytes: bytes(pages, "AnonHugePages:"),
            swapped_bytes: bytes(status, "VmSwap:"),
            threads: number(status, "Threads:"),
        }
    }
}

/// The number behind a name; 0 if it is not there.
fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nRssAnon:\t     900 kB\nRssFile:\t     124 kB\n\
                      VmSwap:\t       3 kB\nThreads:\t7\n";
        let pages = "55d0-7ffc ---p 00000000 00:00 0 [rollup]\nRss: 1024 kB\nLazyFree:             64 kB\nAnonHugePages:         0 kB\n";
        let expected = ProcessMemory {
            resident_bytes: 1024 << 10,
            peak_resident_bytes: 2048 << 10,
            anonymous_bytes: 900 << 10,
            file_bytes: 124 << 10,
            lazily_freed_bytes: 64 << 10,
            huge_page_bytes: 0,
            swapped_bytes: 3 << 10,
            threads: 7,
        };
        assert_eq!(ProcessMemory::of(status, pages), expected);
        assert_eq!(
            ProcessMemory::of("VmRSS: x\n", ""),
            ProcessMemory::default()
        );
    }

    #[test]
    fn this_process_has_some() {
        let now = ProcessMemory::now().unwrap();
        assert!(now.anonymous_bytes > 0 && now.anonymous_bytes <= now.resident_bytes);
        assert!(now.peak_resident_bytes >= now.resident_bytes / 2 && now.threads > 0);
    }
}
