//! The module and the original side by side: the same configurations, the same requests, the same backends, and every field
//! of what comes out compared.
//!
//! The original is Debian's mod_jk (package libapache2-mod-jk, installed by `make setup SETUP=test`); without it the test
//! fails. Differences that are meant are listed in [`allowed`], each with its row in docs/differences.md. Everything else is
//! a failure, and is shown with the configuration and the request.
//!
//! | variable | effect |
//! |---|---|
//! | `DIFF_REQUESTS` | how many requests are generated (default 5000), and a third as many for balancers |
//! | `DIFF_SEED` | seed of the generator (default: from the time; printed) |
//! | `DIFF_ONLY` | only worlds with this text in their name; entries without use are no failure then |
//! | `DIFF_SHOW` | how many failures are shown in full (default 25) |
//! | `DIFF_LOG` | `JkLogLevel` (default `error`); with `MOD_JK_RS_KEEP=1` the logs stay below the target directory |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]
#![allow(unreachable_pub, reason = "a test program has no interface")]

mod allowed;
mod case;
mod cases;
mod configtest;
mod facts;
mod farms;
mod generate;
#[path = "../support/httpd_view.rs"]
mod httpd_view;
#[path = "../support/mapping_rows.rs"]
mod mapping_rows;
mod observe;
mod recorder;
mod report;
#[path = "../support/row.rs"]
mod row;
mod run;
#[path = "../support/security_rows.rs"]
mod security_rows;
#[path = "../support/mod.rs"]
mod support;

use report::Report;

#[test]
fn both_modules_do_the_same() {
    support::httpd::original_mod_jk();
    let only = std::env::var("DIFF_ONLY").unwrap_or_default();
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seed = number("DIFF_SEED").unwrap_or_else(generate::seed_of_the_time);
    let requests = number("DIFF_REQUESTS").unwrap_or(5000);
    println!("generated requests: DIFF_SEED={seed} DIFF_REQUESTS={requests}");
    let mut report = Report::default();
    let generated = generate::worlds(seed, requests).into_iter().chain(farms::worlds(seed, requests / 3));
    for world in cases::worlds().into_iter().chain(generated) {
        if world.name.contains(&only) {
            report.world(&world, &run::run(&world));
        }
    }
    if "configtest".contains(&only) {
        configtest::run(&mut report);
    }
    report.finish(only.is_empty());
}
