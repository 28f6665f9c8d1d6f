//! The AJP secret: a text that never shows up in a log, a message or a page.
//!
//! Tomcat compares it with the attribute `secret` of its AJP connector (request attribute 0x0C of the AJP document). Only
//! [`Secret::expose`] gives it away; `Debug` and `Display` print `***`. The memory is overwritten when it is dropped.

use std::fmt;

/// Longest secret, in octets.
pub const LONGEST: usize = 255;
/// Secrets shorter than this, in octets, can be guessed.
pub const SHORT: usize = 16;

/// A shared secret, perhaps empty: none is sent then.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

/// Why a text can not be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadSecret {
    /// It is empty or longer than [`LONGEST`] octets.
    Length,
    /// It has an octet that is not printable ASCII (0x20 to 0x7E).
    Octet,
}

impl fmt::Display for BadSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => write!(f, "a secret must have 1 to {LONGEST} characters"),
            Self::Octet => f.write_str("a secret may only contain printable ASCII characters"),
        }
    }
}

impl Secret {
    /// No secret: the attribute is not sent.
    pub fn none() -> Self {
        Self::default()
    }

    /// A secret of 1 to [`LONGEST`] printable ASCII octets.
    ///
    /// # Errors
    /// The text breaks that rule; the error does not contain it.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(BadSecret::Length);
        }
        if !text.bytes().all(|b| (0x20..=0x7e).contains(&b)) {
            return Err(BadSecret::Octet);
        }
        Ok(Self(text.as_bytes().into()))
    }

    /// No secret is configured.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Shorter than [`SHORT`] octets, but not empty.
    pub fn is_short(&self) -> bool {
        !self.is_none() && self.0.len() < SHORT
    }

    /// The octets, for the request packet and nothing else.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// What a file named by `secret_file` holds. The memory is overwritten when it is dropped.
pub struct SecretFile {
    content: Vec<u8>,
    exposed: bool,
}

impl SecretFile {
    /// `exposed`: every user of the machine may read the file.
    pub fn new(content: Vec<u8>, exposed: bool) -> Self {
        Self { content, exposed }
    }

    /// Every user of the machine may read the file.
    pub fn is_exposed(&self) -> bool {
        self.exposed
    }

    /// The content without white space around it.
    ///
    /// # Errors
    /// As [`Secret::parse`].
    pub fn secret(&self) -> Result<Secret, BadSecret> {
        let text = str::from_utf8(self.content.trim_ascii()).map_err(|_| BadSecret::Octet)?;
        Secret::parse(text)
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        self.content.fill(0);
        std::hint::black_box(&self.content);
    }
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretFile").field("exposed", &self.exposed).finish_non_exhaustive()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        // Without a reader the compiler may leave out the stores.
        std::hint::black_box(&self.0);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_none() { "" } else { "***" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_printable_ascii_of_some_length() {
        assert_eq!(Secret::parse("a b~").map(|s| s.expose().to_vec()), Ok(b"a b~".to_vec()));
        assert!(Secret::parse(&"x".repeat(255)).is_ok());
        assert_eq!(Secret::parse(&"x".repeat(256)), Err(BadSecret::Length));
        assert_eq!(Secret::parse(""), Err(BadSecret::Length));
        assert_eq!(Secret::parse("a\tb"), Err(BadSecret::Octet));
        assert_eq!(Secret::parse("geheim\u{fc}"), Err(BadSecret::Octet));
        assert_eq!(Secret::parse("a\u{7f}"), Err(BadSecret::Octet));
    }

    #[test]
    fn a_file_is_trimmed_and_never_printed() {
        let file = SecretFile::new(b" \r\nS3cr3t canary\n\n".to_vec(), true);
        assert_eq!(file.secret().unwrap().expose(), b"S3cr3t canary");
        assert!(!format!("{file:?}").contains("canary"));
        assert_eq!(SecretFile::new(b"a\nb".to_vec(), false).secret(), Err(BadSecret::Octet));
        assert_eq!(SecretFile::new(b"\xff".to_vec(), false).secret(), Err(BadSecret::Octet));
        assert_eq!(SecretFile::new(b"\n".to_vec(), false).secret(), Err(BadSecret::Length));
    }

    #[test]
    fn short_secrets_are_known() {
        assert!(!Secret::none().is_short());
        assert!(Secret::parse(&"x".repeat(15)).unwrap().is_short());
        assert!(!Secret::parse(&"x".repeat(16)).unwrap().is_short());
    }

    #[test]
    fn it_is_never_printed() {
        let secret = Secret::parse("S3cr3t-canary").unwrap();
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
    }
}
