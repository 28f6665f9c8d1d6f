//! The Java classes of the cluster tests, compiled once per test program against Tomcat's own jars.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::tempdir::TempDir;
use crate::support::tomcat;

/// Class files by name, for `WEB-INF/classes` (the counter) and `lib` (the stores).
pub fn compiled() -> &'static [(String, Vec<u8>)] {
    static COMPILED: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/cluster/java");
        let out = TempDir::new("classes");
        let home = tomcat::home();
        let mut command = Command::new(javac());
        command.args(["-Xlint:all,-path", "-Werror", "-d"]).arg(out.path()).arg("-cp");
        command.arg(format!("{0}/lib/*:{0}/bin/tomcat-juli.jar", home.display()));
        command.args(files(&sources));
        let output = command.output().unwrap_or_else(|e| {
            panic!("cannot run javac: {e}; install default-jdk-headless, or set JAVA_HOME")
        });
        assert!(output.status.success(), "javac: {}", String::from_utf8_lossy(&output.stderr));
        let class = |path: &PathBuf| {
            let name = path.file_name().expect("name").to_string_lossy().into_owned();
            (name, std::fs::read(path).expect("class file"))
        };
        files(out.path()).iter().map(class).collect()
    })
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
    entries.map(|entry| entry.expect("entry").path()).collect()
}

fn javac() -> PathBuf {
    std::env::var_os("JAVA_HOME")
        .map_or_else(|| PathBuf::from("javac"), |home| PathBuf::from(home).join("bin/javac"))
}
