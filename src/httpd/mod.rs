//! The module itself.
