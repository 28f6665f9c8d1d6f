//! Differential test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]
#![allow(unreachable_pub, reason = "a test program has no interface")]

mod allowed;
mod case;
mod cases;
mod observe;
mod recorder;
mod run;
#[path = "../support/forward_decode.rs"]
mod forward_decode;
#[path = "../support/httpd_view.rs"]
mod httpd_view;
#[path = "../support/mapping_rows.rs"]
mod mapping_rows;
#[path = "../support/row.rs"]
mod row;
#[path = "../support/security_rows.rs"]
mod security_rows;
#[path = "../support/mod.rs"]
mod support;

#[test]
fn both() {
    let only = std::env::var("DIFF_ONLY").unwrap_or_default();
    for world in cases::worlds() {
        if !world.name.contains(&only) { continue }
        let t = std::time::Instant::now();
        let pairs = run::run(&world);
        eprintln!("== {} {} cases {:?}", world.name, pairs.len(), t.elapsed());
        for pair in &pairs {
            let differences = pair.differences();
            if differences.is_empty() { continue }
            println!("### {} {} {:?} [{}] {} {} hdr {:?}", world.name, pair.number, world.conf_of(pair.case).replace('\n', " / "), case::host_name(pair.case.vhost), pair.case.method, observe::latin(&pair.case.target).chars().take(100).collect::<String>(), pair.case.headers.iter().map(|(n,v)| format!("{n}: {}", v.chars().take(50).collect::<String>())).collect::<Vec<_>>());
            println!("    answers {}", format!("{:?}", pair.case.answers).chars().take(300).collect::<String>());
            for d in differences {
                if d.field.starts_with("backend[") && (d.theirs.is_none() || d.ours.is_none()) && !d.field.contains("header") && !d.field.ends_with("uri") && !d.field.contains("named.") && !d.field.ends_with(".worker") && !d.field.contains("attribute") { continue }
                if d.field.ends_with("content-length") && d.field.starts_with("client") { continue }
                if d.field.ends_with("reason") { continue }
                println!("    {}: {:?} | {:?}", d.field, d.theirs, d.ours);
            }
        }
    }
}
