//! AJP/1.3.
pub mod reply;
/// How a backend broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {}
