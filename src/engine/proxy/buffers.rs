//! The buffers of one running exchange. They are reused: a warm request allocates nothing.

use crate::engine::exchange::{ROOM_AFTER, ROOM_BEFORE};

/// Octets read from the backend at once: eight packets of the default size.
pub const INPUT_SIZE: usize = 64 * 1024;
/// Largest body data of one packet: packet size 65536 less the frame.
const MAX_BODY: usize = 65_536;

/// Buffers of one exchange.
#[derive(Debug, Default)]
pub struct Buffers {
    /// The request packet.
    pub head: Vec<u8>,
    /// One framed body packet.
    pub body: Vec<u8>,
    /// Request body that was read ahead and is more than the backend wants at once.
    pub spare: Vec<u8>,
    /// What the backend sent and nobody has used yet.
    pub input: Input,
    /// Pieces of response body that are held back: from and to, positions of `input`.
    pub held: Vec<(usize, usize)>,
}

impl Buffers {
    /// Makes `body` large enough for packets of `max_packet` octets.
    pub fn reserve_body(&mut self, max_packet: usize) {
        let wanted = ROOM_BEFORE + max_packet.min(MAX_BODY) + ROOM_AFTER;
        if self.body.len() < wanted {
            self.body.resize(wanted, 0);
        }
    }

    /// Gives back what a long wait does not need: the request packet's spare room, and `input` to `spare` when nothing is in
    /// it. [`Buffers::regain`] is the way back; without it the input is made anew when it is needed.
    pub fn slim(&mut self, spare: &mut Input) {
        self.head.shrink_to_fit();
        if self.held.is_empty() && self.input.filled().is_empty() {
            self.input.clear();
            std::mem::swap(&mut self.input, spare);
        }
    }

    /// Takes over the input buffer `spare` in place of one that was given back.
    pub fn regain(&mut self, spare: &mut Input) {
        if self.input.data.is_empty() {
            std::mem::swap(&mut self.input, spare);
            self.input.clear();
        }
    }
}

/// A buffer of which `start..end` is filled: `0 <= start <= end <= data.len()`.
#[derive(Debug, Default)]
pub struct Input {
    data: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// The unused octets.
    pub fn filled(&self) -> &[u8] {
        self.data.get(self.start..self.end).unwrap_or_default()
    }

    /// Position of the first unused octet.
    pub fn position(&self) -> usize {
        self.start
    }

    /// Octets of an earlier position that have not been overwritten.
    pub fn at(&self, from: usize, to: usize) -> &[u8] {
        self.data.get(from..to).unwrap_or_default()
    }

    /// Marks `n` octets as used.
    pub fn consume(&mut self, n: usize) {
        self.start = self.end.min(self.start.saturating_add(n));
    }

    /// Moves `pieces`, ranges in ascending order, up to the last of them and returns the range they fill together. The
    /// octets between them are lost.
    pub fn join(&mut self, pieces: &[(usize, usize)]) -> Option<(usize, usize)> {
        let (&(mut start, end), before) = pieces.split_last()?;
        for &(from, to) in before.iter().rev() {
            self.data.get(from..to)?;
            start = start.checked_sub(to - from)?;
            self.data.copy_within(from..to, start);
        }
        Some((start, end))
    }

    /// Space for reading. `keep` is the first position that must stay where it is; `need` octets from the first unused one
    /// must become contiguous.
    ///
    /// Moves what is kept to the front only when the space behind is too small, and grows only for a packet that is larger
    /// than the buffer. Returns how far positions moved towards the front.
    pub fn make_room(&mut self, keep: usize, need: usize) -> usize {
        if self.data.is_empty() {
            self.data.resize(INPUT_SIZE, 0);
        }
        let keep = keep.min(self.start);
        if keep == self.end {
            let moved = keep;
            self.clear();
            return moved;
        }
        let wanted = self.start.saturating_add(need.max(1));
        if wanted <= self.data.len() && self.end < self.data.len() {
            return 0;
        }
        self.data.copy_within(keep..self.end, 0);
        self.start -= keep;
        self.end -= keep;
        let wanted = self.start.saturating_add(need.max(1)).max(self.end + 1);
        if wanted > self.data.len() {
            self.data.resize(wanted, 0);
        }
        keep
    }

    /// The space behind the filled part.
    pub fn space(&mut self) -> &mut [u8] {
        self.data.get_mut(self.end..).unwrap_or_default()
    }

    /// Octets of space behind the filled part.
    pub fn room(&self) -> usize {
        self.data.len() - self.end
    }

    /// Marks `n` octets of [`Input::space`] as filled.
    pub fn filled_more(&mut self, n: usize) {
        self.end = self.data.len().min(self.end.saturating_add(n));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(input: &mut Input, bytes: &[u8]) {
        input.make_room(usize::MAX, 1);
        input.space()[..bytes.len()].copy_from_slice(bytes);
        input.filled_more(bytes.len());
    }

    #[test]
    fn empties_move_to_the_front_for_free() {
        let mut input = Input::default();
        put(&mut input, b"abc");
        input.consume(3);
        assert_eq!(input.make_room(usize::MAX, 1), 3);
        assert_eq!(input.position(), 0);
        assert_eq!(input.room(), INPUT_SIZE);
    }

    #[test]
    fn kept_octets_survive_compaction() {
        let mut input = Input::default();
        put(&mut input, &vec![7; INPUT_SIZE]);
        input.consume(INPUT_SIZE - 4);
        let moved = input.make_room(INPUT_SIZE - 10, 5);
        assert_eq!(moved, INPUT_SIZE - 10);
        assert_eq!(input.at(0, 10), &[7; 10]);
        assert_eq!(input.filled(), &[7; 4]);
    }

    #[test]
    fn pieces_are_joined_where_the_last_one_stands() {
        let mut input = Input::default();
        put(&mut input, b"..ab...c.def!");
        assert_eq!(input.join(&[(2, 4), (7, 8), (9, 12)]), Some((6, 12)));
        assert_eq!(input.at(6, 13), b"abcdef!");
        assert_eq!(input.join(&[(6, 12)]), Some((6, 12)));
        assert_eq!(input.join(&[]), None);
    }

    #[test]
    fn grows_only_for_a_larger_packet() {
        let mut input = Input::default();
        put(&mut input, b"xy");
        input.make_room(usize::MAX, INPUT_SIZE + 5);
        assert!(input.room() >= INPUT_SIZE + 3);
        assert_eq!(input.filled(), b"xy");
    }
}
