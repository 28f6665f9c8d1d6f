//! CPing and CPong: is the backend alive, and is this idle connection in step?
//!
//! Only legal between exchanges. Anything but one CPong of exactly one octet proves that the connection carries something
//! left over, so it is an error and the connection must be closed; mod_jk reads on past one stray packet here.
//! Source: AJPv13 document, "CPing"; `ajp_handle_cping_cpong` of mod_jk.

use super::codes;
use super::malformed::Malformed;
use super::wire;

/// The whole CPing packet.
pub const CPING: [u8; 5] = [wire::TO_BACKEND[0], wire::TO_BACKEND[1], 0, 1, codes::CPING];

/// Waits for the CPong that answers a CPing; octets may come in any portions.
#[derive(Debug, Clone, Default)]
pub struct PongWait {
    frame: [u8; wire::FRAME],
    got: usize,
}

impl PongWait {
    /// A wait that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what arrived. `None`: everything was taken and the CPong is not complete. `Some(n)`: the CPong ended after
    /// the first `n` octets of `input`; more octets than that mean that the connection is out of step.
    ///
    /// # Errors
    /// Something else arrived.
    pub fn feed(&mut self, input: &[u8]) -> Result<Option<usize>, Malformed> {
        for (index, &octet) in input.iter().enumerate() {
            if let Some(place) = self.frame.get_mut(self.got) {
                *place = octet;
                self.got += 1;
                if self.got == wire::FRAME {
                    self.check_frame()?;
                }
                continue;
            }
            let [_, _, high, low] = self.frame;
            return match (octet, u16::from_be_bytes([high, low])) {
                (codes::CPONG_REPLY, 1) => Ok(Some(index + 1)),
                (codes::CPONG_REPLY, length) => Err(Malformed::PongLength(length)),
                (kind, _) => Err(Malformed::NotPong(kind)),
            };
        }
        Ok(None)
    }

    /// An octet has been seen.
    pub fn begun(&self) -> bool {
        self.got > 0
    }

    fn check_frame(&self) -> Result<(), Malformed> {
        match self.frame {
            [first, second, ..] if [first, second] != wire::FROM_BACKEND => Err(Malformed::Magic(self.frame)),
            [_, _, 0, 0] => Err(Malformed::EmptyPacket),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PONG: [u8; 5] = [0x41, 0x42, 0, 1, 9];

    #[test]
    fn a_pong_is_recognised_however_it_is_cut() {
        for cut in 0..PONG.len() {
            let mut wait = PongWait::new();
            let (front, back) = PONG.split_at(cut);
            assert_eq!(wait.feed(front), Ok(None));
            assert_eq!(wait.begun(), cut > 0);
            assert_eq!(wait.feed(back), Ok(Some(back.len())));
        }
    }

    #[test]
    fn octets_behind_the_pong_are_visible_to_the_caller() {
        let twice = [PONG, PONG].concat();
        assert_eq!(PongWait::new().feed(&twice), Ok(Some(5)));
    }

    #[test]
    fn nothing_else_is_taken_for_a_pong() {
        let fails = |octets: &[u8]| PongWait::new().feed(octets).unwrap_err();
        assert_eq!(fails(&[0x41, 0x42, 0, 2, 9, 0]), Malformed::PongLength(2));
        assert_eq!(fails(&[0x41, 0x42, 0, 2, 5, 1]), Malformed::NotPong(5));
        assert_eq!(fails(&[0x41, 0x42, 0, 25, 4]), Malformed::NotPong(4));
        assert_eq!(fails(&[0x41, 0x42, 0, 0]), Malformed::EmptyPacket);
        assert_eq!(fails(&[0x12, 0x34, 0, 1, 9]), Malformed::Magic([0x12, 0x34, 0, 1]));
    }
}
