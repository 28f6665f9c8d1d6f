//! Asks apxs where httpd's headers are, makes bindings for the functions on the list below, compiles the C shim and links
//! the module so that httpd never unloads it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the Rust side may see of httpd and APR. Nothing else is bound.
const FUNCTIONS: &[&str] = &[
    "ap_add_common_vars",
    "ap_add_version_component",
    "ap_auth_type",
    "ap_default_port_for_scheme",
    "ap_get_conn_socket",
    "ap_get_remote_host",
    "ap_get_server_banner",
    "ap_get_server_name",
    "ap_get_server_port",
    "ap_get_server_revision",
    "ap_get_status_line",
    "ap_hook_check_config",
    "ap_hook_child_init",
    "ap_hook_get_process_connection",
    "ap_hook_handler",
    "ap_hook_log_transaction",
    "ap_hook_map_to_storage",
    "ap_hook_post_config",
    "ap_hook_process_connection",
    "ap_hook_resume_connection",
    "ap_hook_suspend_connection",
    "ap_hook_translate_name",
    "ap_log_error_",
    "ap_log_rerror_",
    "ap_mpm_query",
    "ap_open_piped_log",
    "ap_piped_log_write_fd",
    "ap_runtime_dir_relative",
    "ap_server_root_relative",
    "ap_set_content_length",
    "ap_set_content_type",
    "ap_set_last_modified",
    "ap_state_query",
    "ap_update_mtime",
    "apr_date_parse_http",
    "apr_file_open",
    "apr_os_file_get",
    "apr_os_sock_get",
    "apr_os_sock_put",
    "apr_palloc",
    "apr_pool_cleanup_null",
    "apr_pool_cleanup_register",
    "apr_pool_create_ex",
    "apr_pool_pre_cleanup_register",
    "apr_pool_userdata_get",
    "apr_pool_userdata_set",
    "apr_pstrmemdup",
    "apr_table_addn",
    "apr_table_clear",
    "apr_table_copy",
    "apr_table_get",
    "apr_table_make",
    "apr_table_setn",
    "apr_table_unset",
    "apr_time_exp_lt",
    "apr_time_now",
];

const TYPES: &[&str] = &[
    "ap_LINK_process_connection_t",
    "ap_version_t",
    "conn_state_e",
    "apr_array_header_t",
    "apr_bucket_brigade",
    "apr_pool_t",
    "apr_table_entry_t",
    "apr_table_t",
    "cmd_parms",
    "command_rec",
    "conn_rec",
    "module",
    "request_rec",
    "server_rec",
    "apr_time_exp_t",
    "apr_sockaddr_t",
    "process_rec",
];

const VARIABLES: &[&str] = &[
    "ap_conftree",
    "AP_STATUS_SHORT",
    "AP_MPMQ_.*",
    "AP_SQ_.*",
    "APLOG_.*",
    "APR_FOPEN_.*",
    "APR_HOOK_.*",
    "CONN_SENSE_.*",
    "CONN_STATE_.*",
    "DECLINED",
    "DONE",
    "HTTP_.*",
    "MODULE_MAGIC_.*",
    "OK",
    "SUSPENDED",
    "OR_.*",
    "ACCESS_CONF",
    "RSRC_CONF",
    "AP_FILTER_ERROR",
    "JK_.*",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/ffi/shim.c");
    println!("cargo::rerun-if-changed=src/ffi/park_shim.c");
    println!("cargo::rerun-if-changed=src/ffi/tunnel_shim.c");
    println!("cargo::rerun-if-changed=src/ffi/shim.h");
    println!("cargo::rerun-if-env-changed=APXS");

    let apxs = find_apxs();
    let query = |name: &str| ask(&apxs, name);
    let mut includes: Vec<PathBuf> = vec![query("INCLUDEDIR").into(), query("APR_INCLUDEDIR").into()];
    let apu = query("APU_INCLUDEDIR");
    if !apu.is_empty() {
        includes.push(apu.into());
    }
    let defines: Vec<String> = query("EXTRA_CPPFLAGS")
        .split_whitespace()
        .filter(|flag| flag.starts_with("-D"))
        .map(str::to_owned)
        .collect();
    check_version(&apxs, &includes);

    let mut shim = cc::Build::new();
    shim.file("src/ffi/shim.c")
        .file("src/ffi/park_shim.c")
        .file("src/ffi/tunnel_shim.c")
        .includes(&includes)
        .warnings(true)
        .std("gnu99")
        .opt_level(2);
    for define in &defines {
        shim.flag(define);
    }
    shim.compile("jk_shim");

    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("bindings.rs");
    let mut builder = bindgen::Builder::default()
        .header("src/ffi/shim.h")
        .clang_args(includes.iter().map(|dir| format!("-I{}", dir.display())))
        .clang_args(&defines)
        .allowlist_function("jk_.*")
        .allowlist_type("jk_.*")
        .layout_tests(false)
        .generate_comments(false)
        .derive_debug(false)
        .prepend_enum_name(false);
    for name in FUNCTIONS {
        builder = builder.allowlist_function(name);
    }
    for name in TYPES {
        builder = builder.allowlist_type(name);
    }
    for name in VARIABLES {
        builder = builder.allowlist_var(name);
    }
    match builder.generate() {
        Ok(bindings) => {
            if let Err(error) = bindings.write_to_file(&out) {
                stop(&format!("cannot write {}: {error}", out.display()));
            }
        }
        Err(error) => stop(&format!(
            "bindgen could not read the httpd headers: {error}\nIs libclang installed? (Debian: apt-get install libclang-dev)"
        )),
    }

    // A module may be unloaded between the two configuration passes; Rust's thread-local destructors do not survive that.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,now");
}

/// `APXS` if set, else `apxs` or `apxs2` of the path.
fn find_apxs() -> String {
    if let Ok(apxs) = env::var("APXS") {
        return apxs;
    }
    for name in ["apxs", "apxs2"] {
        if Command::new(name).args(["-q", "INCLUDEDIR"]).output().is_ok_and(|out| out.status.success()) {
            return name.to_owned();
        }
    }
    stop(
        "apxs was not found. It comes with httpd's development files (Debian: apt-get install apache2-dev; \
         RPM: httpd-devel). Set APXS=/path/to/apxs if it lies elsewhere.",
    )
}

fn ask(apxs: &str, name: &str) -> String {
    match Command::new(apxs).args(["-q", name]).output() {
        Ok(out) if out.status.success() => String::from_utf8_lossy(&out.stdout).trim().to_owned(),
        Ok(out) => {
            // An unknown variable is only fatal where it is needed.
            let _ = out;
            String::new()
        }
        Err(error) => stop(&format!("cannot run {apxs}: {error}")),
    }
}

/// The layouts that the bindings rely on are those of httpd 2.4.
fn check_version(apxs: &str, includes: &[PathBuf]) {
    let release = includes.iter().find_map(|dir| std::fs::read_to_string(dir.join("ap_release.h")).ok());
    let Some(release) = release else {
        stop(&format!("{apxs} names include directories without ap_release.h: {}", list(includes)))
    };
    let number = |name: &str| {
        release.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("#define") && words.next() == Some(name))
                .then(|| words.next().and_then(|value| value.parse::<u32>().ok()))
                .flatten()
        })
    };
    match (number("AP_SERVER_MAJORVERSION_NUMBER"), number("AP_SERVER_MINORVERSION_NUMBER")) {
        (Some(2), Some(4)) => {}
        (Some(major), Some(minor)) => stop(&format!(
            "the headers that {apxs} names are those of httpd {major}.{minor}; this module is for httpd 2.4. \
             Set APXS to the apxs of an httpd 2.4."
        )),
        _ => stop(&format!("no version found in ap_release.h of {}", list(includes))),
    }
}

fn list(dirs: &[impl AsRef<Path>]) -> String {
    dirs.iter().map(|dir| dir.as_ref().display().to_string()).collect::<Vec<_>>().join(", ")
}

fn stop(message: &str) -> ! {
    for line in message.lines() {
        println!("cargo::error={line}");
    }
    std::process::exit(1)
}
