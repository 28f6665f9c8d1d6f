//! The atomics under [`super::gauge`]. The test that tries all interleavings puts modelled ones in their place.

pub(super) use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
