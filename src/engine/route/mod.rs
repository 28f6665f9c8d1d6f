//! URL mapping: from the path of a request to a rule and to the path its worker receives.
//!
//! `decide` is the entry; it uses `scan` (is there anything unusual?), `normalize` (the path to compare), `matcher` (the rule),
//! `check` (what is refused), `forward` (the path to send) and `tomcat` (is it read as meant?). `rules` and `extensions`
//! read what the administrator wrote; `index`, `general`, `radix` and `wildcard` make `matcher` fast.

pub mod check;
pub mod decide;
pub mod extensions;
pub mod forward;
pub mod fuzzing;
mod general;
mod index;
pub mod matcher;
pub mod mount_file;
pub mod normalize;
mod radix;
pub mod rules;
pub mod scan;
mod text;
pub mod tomcat;
pub mod wildcard;

pub use decide::{Decision, Declined, Options, Scratch, decide, unmapped};
pub use general::Marks;
pub use text::Text;
