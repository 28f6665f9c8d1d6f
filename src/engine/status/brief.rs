//! The essentials for the page of mod_status: one line for each member and AJP worker, nothing to click, no addresses.
//!
//! Two forms: a table, and lines `name: value` for its machine-readable form (`?auto`).

use std::fmt::Write;

use maud::html;

use super::view::{Backend, State, View, activation_text};
use crate::engine::config::model::Activation;

struct Row<'v> {
    balancer: &'v str,
    backend: &'v Backend,
    state: State,
    activation: Option<Activation>,
}

fn rows(view: &View) -> Vec<Row<'_>> {
    let members = view.balancers.iter().flat_map(|balancer| {
        balancer.members.iter().map(|member| Row {
            balancer: &balancer.name,
            backend: &member.backend,
            state: member.state,
            activation: Some(member.activation),
        })
    });
    let workers = view.workers.iter().map(|worker| Row {
        balancer: "",
        backend: &worker.backend,
        state: worker.state,
        activation: None,
    });
    members.chain(workers).collect()
}

fn activation(row: &Row<'_>) -> &'static str {
    row.activation.map_or("", activation_text)
}

/// The table; empty when there are no workers.
pub fn table(view: &View) -> String {
    let rows = rows(view);
    if rows.is_empty() {
        return String::new();
    }
    let errors = |row: &Row<'_>| row.backend.traffic.errors.iter().sum::<u64>();
    html! {
        hr;
        h2 { "JK workers" }
        table border="0" {
            tr { @for head in ["Balancer", "Worker", "State", "Activation", "In work", "Requests", "Errors", "Connections"] { th { (head) } } }
            @for row in &rows {
                tr {
                    td { (row.balancer) } td { (row.backend.name) } td { (row.state.text()) } td { (activation(row)) }
                    td { (row.backend.busy) } td { (row.backend.traffic.requests) } td { (errors(row)) }
                    td { (row.backend.connected) }
                }
            }
        }
    }
    .into_string()
}

/// The lines.
pub fn lines(view: &View) -> String {
    let mut text = String::new();
    for row in rows(view) {
        let name = if row.balancer.is_empty() {
            row.backend.name.clone()
        } else {
            format!("{}/{}", row.balancer, row.backend.name)
        };
        let backend = row.backend;
        for (key, value) in [
            ("State", row.state.text().to_owned()),
            ("Activation", activation(&row).to_owned()),
            ("Busy", backend.busy.to_string()),
            ("Requests", backend.traffic.requests.to_string()),
            ("Errors", backend.traffic.errors.iter().sum::<u64>().to_string()),
        ] {
            if !value.is_empty() {
                let _ = writeln!(text, "JkWorker[{name}]{key}: {value}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::status::sample;

    #[test]
    fn both_forms_name_all_workers() {
        let view = sample::view();
        let text = lines(&view);
        assert!(text.contains("JkWorker[lb/n1]State: ERR\nJkWorker[lb/n1]Activation: ACT\n"), "{text}");
        assert!(text.contains("JkWorker[solo]State: "), "{text}");
        assert!(!text.contains("JkWorker[solo]Activation"), "{text}");
        let page = table(&view);
        for name in ["n1", "n2", "n3", "solo"] {
            assert!(page.contains(&format!("<td>{name}</td>")), "{page}");
        }
        assert!(!page.contains("127.0.0.1"), "addresses are not for everybody who sees that page");
    }

    #[test]
    fn nothing_without_workers_and_nothing_raw() {
        let mut view = View::default();
        assert_eq!((table(&view), lines(&view)), (String::new(), String::new()));
        view = sample::view();
        view.balancers[0].members[0].backend.name = "<b>".into();
        assert!(!table(&view).contains("<b>"));
    }
}
