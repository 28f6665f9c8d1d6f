//! The AJP data types: byte, integer (two octets, big endian), string, and the four octets in front of each packet.
//!
//! [`Reader`] hands out checked slices of one payload; [`Writer`] appends to one packet and never grows it past its limit.
//! Lengths are octets. Source: AJPv13 document, "Packet Structure" and "Basic Packet Structure".

/// Magic of packets that go to the backend.
pub const TO_BACKEND: [u8; 2] = [0x12, 0x34];
/// Magic of packets that come from the backend, "AB".
pub const FROM_BACKEND: [u8; 2] = *b"AB";
/// Octets in front of each payload: magic and payload length.
pub const FRAME: usize = 4;
/// Largest packet that both Tomcat and mod_jk can be configured to, frame included.
pub const MAX_PACKET: usize = 65536;
/// Smallest packet size both ends always take, frame included.
pub const MIN_PACKET: usize = 8192;
/// The length that stands for "no string at all".
pub const NULL_STRING: u16 = 0xffff;

/// Why a string could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StringFault {
    /// It runs past the end of the payload.
    Short,
    /// The octet behind it is not NUL.
    Terminator,
}

/// Reads one payload from front to back.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of `payload`.
    #[inline]
    pub fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    /// The next octet; `None` at the end.
    #[inline]
    pub fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    /// The next integer; `None` when less than two octets are left.
    #[inline]
    pub fn integer(&mut self) -> Option<u16> {
        let (octets, rest) = self.rest.split_first_chunk::<2>()?;
        self.rest = rest;
        Some(u16::from_be_bytes(*octets))
    }

    /// The next string; `Ok(None)` is the null string.
    ///
    /// # Errors
    /// See [`StringFault`].
    #[inline]
    pub fn string(&mut self) -> Result<Option<&'a [u8]>, StringFault> {
        match self.integer() {
            None => Err(StringFault::Short),
            Some(NULL_STRING) => Ok(None),
            Some(length) => self.string_of(length).map(Some),
        }
    }

    /// The octets of a string whose length has been read; the terminator is checked and skipped.
    ///
    /// # Errors
    /// See [`StringFault`].
    #[inline]
    pub fn string_of(&mut self, length: u16) -> Result<&'a [u8], StringFault> {
        let (text, rest) = self.rest.split_at_checked(usize::from(length)).ok_or(StringFault::Short)?;
        match rest.split_first() {
            None => Err(StringFault::Short),
            Some((0, rest)) => {
                self.rest = rest;
                Ok(text)
            }
            Some(_) => Err(StringFault::Terminator),
        }
    }

    /// As [`Reader::string_of`] for a string that was read before: its terminator is known to be there.
    #[inline]
    pub(super) fn known_string_of(&mut self, length: u16) -> Option<&'a [u8]> {
        let (text, rest) = self.rest.split_at_checked(usize::from(length) + 1)?;
        self.rest = rest;
        text.get(..usize::from(length))
    }

    /// Nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// Appends to one packet. What does not fit under the limit is counted and left out, so that a too large request costs no
/// memory and its size can still be told.
///
/// Works inside the octets the buffer had before, from the packet written to it last, and cuts it to size at the end: so
/// nothing has to be cleared, and the room is checked once per string.
#[derive(Debug)]
pub struct Writer<'p> {
    out: &'p mut Vec<u8>,
    /// Octets written; `used <= out.len() <= limit`.
    used: usize,
    limit: usize,
    missing: usize,
}

impl<'p> Writer<'p> {
    /// Octets added to the buffer beyond what is needed when it grows.
    const SPARE: usize = 512;

    /// Begins a packet of at most `limit` octets, frame included, with an open length field. What `out` held is lost.
    pub fn begin(out: &'p mut Vec<u8>, limit: usize) -> Self {
        // Nearly all requests fit the smallest packet size; only larger ones make the buffer move, once per buffer.
        let limit = limit.min(MAX_PACKET);
        out.truncate(limit);
        out.reserve(limit.min(MIN_PACKET).saturating_sub(out.len()));
        let mut writer = Self { out, used: 0, limit, missing: 0 };
        writer.octets([TO_BACKEND[0], TO_BACKEND[1], 0, 0]);
        writer
    }

    /// The next `size` octets of the packet; counts them as missing when they do not fit.
    #[inline]
    fn room(&mut self, size: usize) -> Option<&mut [u8]> {
        let end = self.used + size; // at most 65536, and the length of a text or two with a few octets
        if end > self.out.len() && !self.grow(end, size) {
            return None;
        }
        let room = self.out.get_mut(self.used..end);
        self.used = end;
        room
    }

    #[cold]
    fn grow(&mut self, end: usize, size: usize) -> bool {
        if end > self.limit {
            self.missing = self.missing.saturating_add(size);
            return false;
        }
        self.out.resize(self.limit.min(end + Self::SPARE), 0);
        true
    }

    /// Appends a few octets as they are.
    #[inline]
    pub fn octets<const N: usize>(&mut self, octets: [u8; N]) {
        if let Some(room) = self.room(N) {
            room.copy_from_slice(&octets);
        }
    }

    /// Appends an integer.
    #[inline]
    pub fn integer(&mut self, value: u16) {
        self.octets(value.to_be_bytes());
    }

    /// Appends a string.
    #[inline]
    pub fn string(&mut self, text: &[u8]) {
        self.prefixed_string([], text);
    }

    /// Appends `prefix` and then a string: a header code or an attribute code and its value.
    #[inline]
    pub fn prefixed_string<const N: usize>(&mut self, prefix: [u8; N], text: &[u8]) {
        let Some(room) = self.room(text.len() + N + 3) else { return };
        // The limit is at most 65536, so what fits is below 65535 and is never taken for the null string.
        let length = u16::try_from(text.len()).unwrap_or(NULL_STRING);
        if let Some((before, room)) = room.split_first_chunk_mut::<N>()
            && let Some((size, room)) = room.split_first_chunk_mut::<2>()
            && let Some((nul, room)) = room.split_last_mut()
        {
            *before = prefix;
            *size = length.to_be_bytes();
            copy(room, text);
            *nul = 0;
        }
    }

    /// Appends a name and its value: two strings.
    #[inline(always)]
    pub fn pair(&mut self, name: &[u8], value: &[u8]) {
        let Some(room) = self.room(name.len() + value.len() + 6) else { return };
        let lengths = (u16::try_from(name.len()), u16::try_from(value.len()));
        if let Some((name_size, room)) = room.split_first_chunk_mut::<2>()
            && let Some((name_room, room)) = room.split_at_mut_checked(name.len())
            && let Some(([name_nul, high, low], room)) = room.split_first_chunk_mut::<3>()
            && let Some((value_nul, value_room)) = room.split_last_mut()
        {
            *name_size = lengths.0.unwrap_or(NULL_STRING).to_be_bytes();
            copy(name_room, name);
            *name_nul = 0;
            [*high, *low] = lengths.1.unwrap_or(NULL_STRING).to_be_bytes();
            copy(value_room, value);
            *value_nul = 0;
        }
    }

    /// Appends a string, or the null string.
    #[inline]
    pub fn optional_string(&mut self, text: Option<&[u8]>) {
        match text {
            Some(text) => self.string(text),
            None => self.integer(NULL_STRING),
        }
    }

    /// Where the next octet goes, for [`Writer::patch`] and [`Writer::rewind`].
    pub fn mark(&self) -> Mark {
        Mark { position: self.used, missing: self.missing }
    }

    /// Replaces the integer written at `mark`.
    pub fn patch(&mut self, mark: Mark, value: u16) {
        self.patch_at(mark.position, value);
    }

    fn patch_at(&mut self, position: usize, value: u16) {
        if let Some(place) = self.out.get_mut(position..).and_then(|rest| rest.first_chunk_mut::<2>()) {
            *place = value.to_be_bytes();
        }
    }

    /// Takes back everything from `mark` on.
    pub fn rewind(&mut self, mark: Mark) {
        self.used = mark.position;
        self.missing = mark.missing;
    }

    /// Closes the packet: fills in its length. Answers the octets it would have needed when it did not fit.
    ///
    /// # Errors
    /// The size the packet would have, frame included.
    pub fn finish(mut self) -> Result<(), usize> {
        if self.missing > 0 {
            return Err(self.used.saturating_add(self.missing));
        }
        self.out.truncate(self.used);
        let length = u16::try_from(self.used.saturating_sub(FRAME)).map_err(|_| self.used)?;
        self.patch_at(2, length);
        Ok(())
    }
}

/// Copies `text` to `room`, which is as long. Most texts are short: two words that may overlap take fewer instructions than
/// a call.
#[inline(always)]
fn copy(room: &mut [u8], text: &[u8]) {
    if text.len() <= 16
        && let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>())
    {
        if let Some(place) = room.first_chunk_mut() {
            *place = *first;
        }
        if let Some(place) = room.last_chunk_mut() {
            *place = *last;
        }
    } else if text.len() < 8
        && let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>())
    {
        if let Some(place) = room.first_chunk_mut() {
            *place = *first;
        }
        if let Some(place) = room.last_chunk_mut() {
            *place = *last;
        }
    } else if let ([place], [octet]) = (&mut *room, text) {
        *place = *octet;
    } else if room.len() == text.len() {
        room.copy_from_slice(text);
    }
}

/// A place in a packet, see [`Writer::mark`].
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    position: usize,
    missing: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_need_their_length_and_their_terminator() {
        assert_eq!(Reader::new(&[0, 2, b'o', b'k', 0]).string(), Ok(Some(&b"ok"[..])));
        assert_eq!(Reader::new(&[0xff, 0xff]).string(), Ok(None));
        assert_eq!(Reader::new(&[0, 2, b'o', b'k']).string(), Err(StringFault::Short));
        assert_eq!(Reader::new(&[0, 3, b'o', b'k', 0]).string(), Err(StringFault::Short));
        assert_eq!(Reader::new(&[0, 2, b'o', b'k', 1]).string(), Err(StringFault::Terminator));
        assert_eq!(Reader::new(&[0]).string(), Err(StringFault::Short));
    }

    #[test]
    fn a_packet_never_grows_past_its_limit_and_says_what_it_needs() {
        let mut out = Vec::new();
        let mut writer = Writer::begin(&mut out, 12);
        writer.string(b"hello");
        assert_eq!(writer.finish(), Ok(()));
        assert_eq!(out, [0x12, 0x34, 0, 8, 0, 5, b'h', b'e', b'l', b'l', b'o', 0]);

        // A buffer that was used for more is cut to the limit.
        out.resize(100, b'x');
        let mut writer = Writer::begin(&mut out, 12);
        writer.string(b"hello!");
        writer.octets([1]);
        assert_eq!(writer.finish(), Err(14));
        assert!(out.len() <= 12);
    }

    #[test]
    fn a_pair_is_two_strings_of_any_length() {
        let text: Vec<u8> = (b'A'..=b'z').collect();
        for length in 0..40 {
            let (name, value) = (&text[..length], &text[1..40 - length]);
            let mut pair = vec![b'#'; 200];
            let mut writer = Writer::begin(&mut pair, 200);
            writer.pair(name, value);
            assert_eq!(writer.finish(), Ok(()));
            let mut reader = Reader::new(&pair[FRAME..]);
            assert_eq!(reader.string(), Ok(Some(name)));
            assert_eq!(reader.string(), Ok(Some(value)));
            assert!(reader.is_empty());
        }
        let mut small = Vec::new();
        let mut writer = Writer::begin(&mut small, 12);
        writer.pair(b"ab", b"c");
        assert_eq!(writer.finish(), Err(13));
    }

    #[test]
    fn no_text_is_ever_written_as_the_null_string() {
        let mut out = Vec::new();
        let mut writer = Writer::begin(&mut out, usize::MAX);
        writer.string(&vec![b'x'; 65535]);
        assert!(writer.finish().is_err());
    }
}
