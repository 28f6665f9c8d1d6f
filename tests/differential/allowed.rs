//! The differences that are meant.

use crate::run::{Difference, Pair};

pub struct Allowed { pub id: &'static str, pub row: &'static str, pub covers: fn(&Pair<'_>, &Difference) -> bool }
pub const ALLOWED: &[Allowed] = &[];
