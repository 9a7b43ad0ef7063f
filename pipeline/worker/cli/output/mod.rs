//! Standard output and error, locked for as long as a command writes.

pub mod manual;

use std::io::{self, BufWriter, Write};

use crate::cli::exit::CommandError;

/// A writer whose reader may go away, which ends a command quietly and is not a failure.
pub struct Output<'w> {
    writer: BufWriter<Box<dyn Write + 'w>>,
}

impl<'w> Output<'w> {
    /// Standard output. It stays locked until the value is dropped.
    #[must_use]
    pub fn stdout() -> Self {
        Self::new(io::stdout().lock())
    }

    /// Standard error. It stays locked until the value is dropped.
    #[must_use]
    pub fn stderr() -> Self {
        Self::new(io::stderr().lock())
    }

    /// Any other writer.
    pub fn new(writer: impl Write + 'w) -> Self {
        Self {
            writer: BufWriter::new(Box::new(writer)),
        }
    }

    /// Writes a line.
    ///
    /// # Errors
    ///
    /// [`CommandError::Closed`] when nobody reads any more, otherwise the system's error.
    pub fn line(&mut self, text: &str) -> Result<(), CommandError> {
        Ok(writeln!(self.writer, "{text}")?)
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    ///
    /// As [`Output::line`].
    pub fn flush(&mut self) -> Result<(), CommandError> {
        Ok(self.writer.flush()?)
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Output")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_goes_away_is_no_failure() {
        let mut out = Output::new(Gone);
        out.line("x").unwrap();
        assert!(matches!(out.flush(), Err(CommandError::Closed)));
    }
}
