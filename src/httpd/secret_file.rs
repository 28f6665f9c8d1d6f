//! Reads the file of a worker's `secret_file` property.

use std::io::Read;
use std::os::unix::fs::MetadataExt;

use super::mapping::os_path;
use crate::engine::config::secret::SecretFile;
use crate::engine::text::Escaped;
use crate::ffi::server::Startup;

/// Most octets that are read; no secret is that long.
const LONGEST: u64 = 4096;
/// "Others" may read.
const OTHERS: u32 = 0o004;

/// The content of `path`, which may be relative to `ServerRoot`.
///
/// # Errors
/// Which file cannot be read, and why.
pub fn read(startup: &Startup<'_>, path: &str) -> Result<SecretFile, String> {
    let Some(full) = startup.server_path(path.as_bytes()) else {
        return Err(format!("{}: not a usable path", Escaped(path.as_bytes())));
    };
    let failed = |error: std::io::Error| format!("{}: {error}", Escaped(full.to_bytes()));
    let path = os_path(full);
    // Asked before it is opened: opening a pipe would wait for its writer.
    if !std::fs::metadata(&path).map_err(failed)?.is_file() {
        return Err(format!("{}: not a regular file", Escaped(full.to_bytes())));
    }
    let file = std::fs::File::open(&path).map_err(failed)?;
    let data = file.metadata().map_err(failed)?;
    if data.len() > LONGEST {
        return Err(format!("{}: larger than {LONGEST} bytes", Escaped(full.to_bytes())));
    }
    let mut content = Vec::with_capacity(256);
    file.take(LONGEST).read_to_end(&mut content).map_err(failed)?;
    Ok(SecretFile::new(content, data.mode() & OTHERS != 0))
}
