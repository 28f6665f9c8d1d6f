//! The status worker: shows and changes the workers at run time.

pub mod answer;
pub mod api;
pub mod brief;
pub mod change;
pub mod command;
pub mod csrf;
pub mod dump;
mod fields;
pub mod histogram;
pub mod html;
pub mod json;
pub mod keep;
pub mod metrics;
pub mod overrides;
pub mod page;
pub mod prop;
pub mod property;
pub mod query;
pub mod revert;
pub mod settings;
pub mod traffic;
pub mod txt;
pub mod view;
pub mod xml;

#[cfg(test)]
use super::config::model;
#[cfg(test)]
#[path = "../../../tests/support/status_sample.rs"]
#[allow(unreachable_pub, reason = "shared with the integration tests")]
mod sample;
