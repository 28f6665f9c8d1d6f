//! Private directories below the target directory, removed when the test passed.
//!
//! They are readable by everybody: httpd's children run as another user when the tests run as root. When the target
//! directory cannot be reached by others (a home directory with mode 700), the system's temporary directory is used.
//! `MOD_JK_RS_KEEP=1` keeps all directories; those of a failed test are always kept.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of its own.
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
}

impl TempDir {
    /// Makes an empty directory whose name begins with `kind`.
    pub fn new(kind: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{kind}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = root().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()));
        open_to_all(&path);
        Self { path }
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file, making the directories above it; returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path.join(name);
        self.mkdir(Path::new(name).parent().unwrap_or(Path::new("")));
        std::fs::write(&path, content).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("chmod");
        path
    }

    /// Makes a directory, and those above it; returns its path.
    pub fn mkdir(&self, name: impl AsRef<Path>) -> PathBuf {
        let mut path = self.path.clone();
        for part in name.as_ref().components() {
            path.push(part);
            if !path.is_dir() {
                std::fs::create_dir(&path).unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()));
                open_to_all(&path);
            }
        }
        path
    }

    /// Content of a file as text; empty when it does not exist (yet).
    pub fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path.join(name)).unwrap_or_default()).into_owned()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os("MOD_JK_RS_KEEP").is_some() {
            eprintln!("kept for a look: {}", self.path.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn open_to_all(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
}

fn root() -> PathBuf {
    let below_target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let _ = std::fs::create_dir_all(&below_target);
    let reachable = below_target
        .ancestors()
        .all(|above| std::fs::metadata(above).is_ok_and(|meta| meta.permissions().mode() & 0o005 == 0o005));
    if reachable || !super::process::is_root() { below_target } else { std::env::temp_dir() }
}
