//! Configuration: the language of `workers.properties` and the workers it describes.
//!
//! Text goes through a [`loader::Loader`] and becomes [`properties::Properties`]: names and values with the line they come
//! from, variables replaced, references resolved. These become a [`model::WorkerSet`] by [`resolve::resolve`]: immutable,
//! every default filled in, nothing left that means "not set". Both steps report all problems as
//! [`diagnostic::Diagnostics`] instead of stopping at the first. [`defs`] holds one entry for each property; the
//! documentation ([`docs`]) is made from it.
//!
//! Files are read and the environment is asked by the caller.

pub mod defs;
pub mod diagnostic;
pub mod docs;
pub mod env_vars;
pub mod indicators;
pub mod loader;
pub mod model;
pub mod nearest;
pub mod options;
pub mod properties;
mod raw;
mod references;
pub mod request_log;
pub mod resolve;
pub mod secret;
pub mod stamp;
mod twins;
pub mod value;
mod variables;
