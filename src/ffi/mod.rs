//! The only home of httpd's and APR's own types. Wrappers, no policy.
//!
//! Everything here runs inside httpd: pointers come from it and are valid as long as httpd says (a request until its pool is
//! destroyed, a server until the next restart). Callbacks from C end in [`guard`], so no panic crosses the edge.

mod bindings;
pub mod command;
pub mod entry;
pub mod guard;
pub mod log;
pub mod module;
pub mod park;
pub mod pool;
pub mod request;
pub mod response;
pub mod server;
pub mod table;
pub mod time;
pub mod tunnel;

pub use entry::{Module, Verdict};
pub use module::ModuleRecord;
