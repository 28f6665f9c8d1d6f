//! The number by which [`Method::Hash`](crate::engine::config::model::Method) finds the member of a request.
//!
//! The same request has the same number in every process, on every machine and after each restart; nothing else is promised
//! of it. A client can choose what it is made of, and so its member: this is no protection against one who wants them all to
//! hit the same one. No allocation. Source: FNV-1a of Fowler, Noll and Vo; the finaliser of MurmurHash3, since FNV alone
//! leaves the upper bits of short texts alike.

use super::session::{Names, Sessions};
use crate::engine::config::model::HashKey;

/// What a request has that can be a key.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'r> {
    /// Its sessions, to be found even when stickiness is off for it.
    pub sessions: &'r Sessions<'r>,
    /// The path as it is forwarded, without query.
    pub uri: &'r [u8],
    /// Address of the client as text.
    pub client: &'r [u8],
}

/// The key of a request. `fields` gives the values of all header fields of a name, which is looked for in any case; it is
/// only asked when they matter. A request that does not have what `of` names goes by the address of its client.
pub fn key<'r, I>(of: &HashKey, parts: &Parts<'r>, fields: impl FnOnce(&str) -> I) -> u64
where
    I: IntoIterator<Item = &'r [u8]>,
{
    let text = match of {
        HashKey::Session => parts.sessions.ids().first().map(|id| without_route(id)),
        HashKey::Cookie(name) => {
            let names = Names { cookie: name.as_bytes(), path: b"" };
            Sessions::find(None, b"", fields("Cookie"), &names).ids().first().copied()
        }
        HashKey::Header(name) => fields(name).into_iter().next(),
        HashKey::Uri => Some(parts.uri),
        HashKey::Client => None,
    };
    hash(text.filter(|text| !text.is_empty()).unwrap_or(parts.client))
}

/// The id stays when its session moves, the route behind it does not.
fn without_route(id: &[u8]) -> &[u8] {
    memchr::memrchr(b'.', id).and_then(|at| id.get(..at)).unwrap_or(id)
}

/// A well spread number that stands for `text`.
pub fn hash(text: &[u8]) -> u64 {
    mix(text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
    }))
}

/// Makes every bit of the result depend on every bit of `number`; different numbers stay different.
pub fn mix(mut number: u64) -> u64 {
    number ^= number >> 33;
    number = number.wrapping_mul(0xff51_afd7_ed55_8ccd);
    number ^= number >> 33;
    number = number.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(of: &HashKey, sessions: &Sessions<'_>, fields: &[(&str, &str)]) -> u64 {
        let parts = Parts { sessions, uri: b"/app/x", client: b"192.0.2.1" };
        key(of, &parts, |name| {
            let values = fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
            values.map(|(_, value)| value.as_bytes()).collect::<Vec<_>>()
        })
    }

    #[test]
    fn the_numbers_never_change() {
        // Processes of different versions work side by side after a graceful restart.
        assert_eq!(hash(b""), 0xefd0_1f60_ba99_2926);
        assert_eq!(hash(b"a"), 0x82a2_a958_a9be_ce5b);
        assert_eq!(hash(b"192.0.2.1"), 0x8fc4_3361_6f77_3343);
    }

    #[test]
    fn keys_go_by_what_they_name() {
        let names = Names { cookie: b"JSESSIONID", path: b";jsessionid" };
        let of = |cookie| Sessions::find(None, b"/", [cookie], &names);
        let (none, here, there) =
            (Sessions::default(), of(b"JSESSIONID=s1.n1"), of(b"JSESSIONID=s1.n2; x=y"));
        let client = hash(b"192.0.2.1");
        let fields = &[("cookie", "u=7; v=8"), ("cookie", "w=9"), ("X-User", "ann"), ("X-User", "eve")][..];
        let cookie = |name: &str| HashKey::Cookie(name.into());
        let header = |name: &str| HashKey::Header(name.into());
        for (of, sessions, wanted) in [
            (HashKey::Session, &here, hash(b"s1")),
            (HashKey::Session, &there, hash(b"s1")),
            (HashKey::Session, &none, client),
            (HashKey::Session, &of(b"JSESSIONID=s1"), hash(b"s1")),
            (HashKey::Session, &of(b"JSESSIONID=a.b.n1"), hash(b"a.b")),
            // The route of a cookie that the balancer has set, without a session.
            (HashKey::Session, &of(b"JSESSIONID=.n1"), client),
            (HashKey::Session, &Sessions::find(Some(b"n1"), b"/", [], &names), client),
            (cookie("v"), &none, hash(b"8")),
            (cookie("w"), &none, hash(b"9")),
            (cookie("x"), &here, client),
            (header("x-user"), &none, hash(b"ann")),
            (header("X-Other"), &here, client),
            (HashKey::Uri, &here, hash(b"/app/x")),
            (HashKey::Client, &here, client),
        ] {
            assert_eq!(keyed(&of, sessions, fields), wanted, "{of:?} {sessions:?}");
        }
    }

    #[test]
    fn fields_that_do_not_matter_are_not_asked_for() {
        let parts = Parts { sessions: &Sessions::default(), uri: b"/", client: b"::1" };
        for of in [HashKey::Session, HashKey::Uri, HashKey::Client] {
            key(&of, &parts, |_| -> [&[u8]; 0] { panic!("asked") });
        }
    }

    #[test]
    fn similar_texts_are_spread() {
        for (shift, name) in [(0, "low"), (60, "high")] {
            let mut buckets = [0_u32; 16];
            for number in 0..16_000_u32 {
                let text = format!("10.0.{}.{}", number / 256, number % 256);
                buckets[usize::try_from((hash(text.as_bytes()) >> shift) & 15).unwrap()] += 1;
            }
            assert!(buckets.iter().all(|count| (850..1150).contains(count)), "{name}: {buckets:?}");
        }
    }
}
