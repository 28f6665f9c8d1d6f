//! One look at a path: which kinds of octets need attention.
//!
//! Nearly every path a client sends holds nothing but letters, digits and a few marks. [`scan`] recognises those sixteen
//! octets at a time and answers with no flags, and everything behind it (normalising, rejecting, encoding, checking)
//! is then skipped. Only other paths are walked octet by octet. Reads each octet a fixed number of times; no allocation.

/// What a path contains. Empty for an ordinary path: already normal, nothing to reject, nothing to encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u8);

impl Flags {
    /// An ordinary path.
    pub const EMPTY: Self = Self(0);
    /// A `;`: path parameters.
    pub const PARAMETER: Self = Self(1);
    /// Two slashes in a row.
    pub const SLASHES: Self = Self(1 << 1);
    /// A segment that begins with a dot; it may be a dot segment.
    pub const SLASH_DOT: Self = Self(1 << 2);
    /// A `%`.
    pub const PERCENT: Self = Self(1 << 3);
    /// A `\`.
    pub const BACKSLASH: Self = Self(1 << 4);
    /// An octet below 0x20, or 0x7F.
    pub const CONTROL: Self = Self(1 << 5);
    /// An octet from 0x80 on.
    pub const HIGH: Self = Self(1 << 6);
    /// Any octet that must be percent-encoded when it is forwarded (also set for all those named above but `;`).
    pub const ENCODE: Self = Self(1 << 7);

    /// What makes the path differ from its normalised form.
    pub const ABNORMAL: Self = Self(Self::PARAMETER.0 | Self::SLASHES.0 | Self::SLASH_DOT.0);

    /// No flag is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// At least one flag of `other` is set.
    pub fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The flags of both.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What a single octet means for the path it stands in.
static CLASSES: [Flags; 256] = classes();

const fn classes() -> [Flags; 256] {
    let mut table = [Flags::ENCODE; 256];
    let mut octet = 0;
    while octet < 256 {
        let extra = match octet {
            0..=0x1F | 0x7F => Flags::CONTROL,
            0x80.. => Flags::HIGH,
            0x25 => Flags::PERCENT,
            0x5C => Flags::BACKSLASH,
            _ => Flags::EMPTY,
        };
        table[octet] = table[octet].with(extra);
        octet += 1;
    }
    // What mod_jk's jk_canonenc leaves as it is: unreserved characters and those that mean nothing special in a path.
    let plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/~$-_.+!*'(),;:@&=";
    let mut at = 0;
    while at < plain.len() {
        table[plain[at] as usize] = Flags::EMPTY;
        at += 1;
    }
    table[b';' as usize] = Flags::PARAMETER;
    table
}

/// The flags of one octet; [`Flags::SLASHES`] and [`Flags::SLASH_DOT`] take two and are never set here.
pub fn class(octet: u8) -> Flags {
    // The table covers every octet, so the fallback is never taken and costs nothing.
    CLASSES.get(usize::from(octet)).copied().unwrap_or(Flags::ENCODE)
}

/// Octets looked at together.
const LANES: usize = 16;
/// They and the octet behind them, to see pairs.
const WINDOW: usize = LANES + 1;

/// The flags of a path. Linear, and about one instruction per octet for an ordinary one.
pub fn scan(path: &[u8]) -> Flags {
    if is_plain(path) { Flags::EMPTY } else { scan_each(path) }
}

fn scan_each(path: &[u8]) -> Flags {
    let mut flags = Flags::EMPTY;
    let mut after_slash = false;
    for &octet in path {
        flags = flags.with(class(octet));
        if after_slash {
            match octet {
                b'/' => flags = flags.with(Flags::SLASHES),
                b'.' => flags = flags.with(Flags::SLASH_DOT),
                _ => {}
            }
        }
        after_slash = octet == b'/';
    }
    flags
}

/// The path is surely ordinary. May answer false for an ordinary path with a rare mark such as `~` or `@`.
fn is_plain(path: &[u8]) -> bool {
    let Some(last) = path.last_chunk::<WINDOW>() else {
        let mut padded = [b'a'; WINDOW];
        for (to, from) in padded.iter_mut().zip(path) {
            *to = *from;
        }
        return odd_lanes(&padded) == [0; LANES];
    };
    // The last window may overlap the one before it, which does no harm; its last octet has no right neighbour.
    let mut odd = odd_lanes(last);
    let mut rest = path;
    while let Some(window) = rest.first_chunk::<WINDOW>() {
        for (sum, lane) in odd.iter_mut().zip(odd_lanes(window)) {
            *sum |= lane;
        }
        rest = rest.get(LANES..).unwrap_or_default();
    }
    let end = path.last().copied().unwrap_or_default();
    odd == [0; LANES] && class(end).is_empty()
}

/// Non-zero where an octet is not known to be ordinary or begins a pair of interest. Written for the vectoriser.
#[inline(always)]
fn odd_lanes(window: &[u8; WINDOW]) -> [u8; LANES] {
    let mut odd = [0_u8; LANES];
    for ((lane, &octet), &next) in odd.iter_mut().zip(window).zip(window.iter().skip(1)) {
        let letter = (octet | 0x20).wrapping_sub(b'a') < 26;
        // From `&` to `:`, the digits, the slash and the dot among them.
        let middle = octet.wrapping_sub(b'&') <= b':' - b'&';
        let plain = letter | middle | (octet == b'_');
        // `.` and `/` differ in the lowest bit only.
        let pair = (octet == b'/') & ((next | 1) == b'/');
        *lane = u8::from(!plain | pair);
    }
    odd
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_have_no_flags() {
        for path in [
            "/",
            "/app",
            "/app/x.jsp",
            "/a/very/long/path/that/needs/several/windows/index.html",
            "/~u/a@b=c!$",
        ] {
            assert_eq!(scan(path.as_bytes()), Flags::EMPTY, "{path}");
        }
    }

    #[test]
    fn every_octet_is_seen_at_every_place_of_a_path() {
        for len in 1..60 {
            for at in 0..len {
                for octet in 0..=255_u8 {
                    let mut path = vec![b'a'; len];
                    path[at] = octet;
                    assert_eq!(scan(&path), class(octet), "octet {octet:#x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn pairs_are_seen_at_every_place_of_a_path() {
        for len in 2..60 {
            for at in 0..len - 1 {
                let mut path = vec![b'a'; len];
                path[at] = b'/';
                path[at + 1] = b'/';
                assert_eq!(scan(&path), Flags::SLASHES, "at {at} of {len}");
                path[at + 1] = b'.';
                assert_eq!(scan(&path), Flags::SLASH_DOT, "at {at} of {len}");
            }
        }
    }

    #[test]
    fn what_is_encoded_is_what_mod_jk_encodes() {
        let kept: Vec<u8> = (0..=255).filter(|&octet| !class(octet).any(Flags::ENCODE)).collect();
        assert_eq!(kept, b"!$&'()*+,-./0123456789:;=@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~");
    }
}
