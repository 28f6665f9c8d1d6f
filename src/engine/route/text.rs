//! Octets that are either a part of the input or were made.

/// A result that may be (a part of) what the caller gave, which needs no copy then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text<'a> {
    /// Borrowed from the argument.
    Given(&'a [u8]),
    /// Newly written, in a buffer of the caller's.
    Made(&'a [u8]),
}

impl<'a> Text<'a> {
    /// The octets, wherever they are.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Given(bytes) | Self::Made(bytes) => bytes,
        }
    }
}
