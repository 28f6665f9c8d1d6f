//! Which properties the command `dump` may show.
//!
//! mod_jk leaves out names that end in `.secret`, and shows the secret under every other name. Here a property keeps its
//! line and loses its value when its name or its value gives a secret away.

/// What stands in place of a secret.
pub const MASK: &str = "********";

/// Secrets shorter than this, in bytes, are looked for as whole values only: as parts they would be everywhere.
const SHORT: usize = 4;

/// The properties with masked values. `secrets` are all configured secrets, also those read from files.
pub fn masked<'a>(
    properties: impl IntoIterator<Item = (&'a str, &'a str)>,
    secrets: &[&[u8]],
) -> Vec<(String, String)> {
    let hidden = |name: &str, value: &str| {
        let name = name.rsplit('.').next().unwrap_or(name).to_ascii_lowercase();
        matches!(name.as_str(), "secret" | "secretkey" | "password")
            || secrets.iter().any(|secret| holds(value.as_bytes(), secret))
    };
    let shown = |(name, value): (&str, &str)| {
        let value = if hidden(name, value) { MASK } else { value };
        (name.to_owned(), value.to_owned())
    };
    properties.into_iter().map(shown).collect()
}

fn holds(value: &[u8], secret: &[u8]) -> bool {
    match secret.len() {
        0 => false,
        length if length < SHORT => value == secret,
        _ => memchr::memmem::find(value, secret).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_to_a_secret() {
        let properties = [
            ("worker.n1.secret", "s3cret-of-n1"),
            ("a.secret", "x"),
            ("worker.n1.secretkey", "old"),
            ("my.password", "s3cret-of-n1"),
            ("my.token", "s3cret-of-n1"),
            ("my.mixed", "Bearer s3cret-of-n1;"),
            ("short", "x"),
            ("worker.n1.host", "xenon"),
            ("worker.n1.secret_file", "conf/ajp.secret"),
        ];
        let shown = masked(properties, &[b"s3cret-of-n1", b"x", b""]);
        let values: Vec<&str> = shown.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, [MASK, MASK, MASK, MASK, MASK, MASK, MASK, "xenon", "conf/ajp.secret"]);
        assert_eq!(shown[0].0, "worker.n1.secret");
    }
}
