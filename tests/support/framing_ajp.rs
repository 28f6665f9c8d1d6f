//! AJP as a scripted backend speaks it. Source: the AJPv13 document.

use super::forward::ForwardRequest;
use super::framing::{Framing, Incoming};
use super::link::Link;

/// A connection that speaks AJP.
pub(super) struct Ajp {
    /// Largest packet in octets, frame header included.
    pub(super) packet_size: usize,
}

impl Ajp {
    /// Payload of the next packet; `None` when the connection is over.
    pub(super) fn packet(&self, link: &mut Link) -> Option<Vec<u8>> {
        if !link.fill(4) {
            return None;
        }
        if link.pending[..2] != [0x12, 0x34] {
            let magic = format!("bad magic {:02x?}", &link.pending[..4]);
            link.error(magic);
            return None;
        }
        let len = usize::from(u16::from_be_bytes([link.pending[2], link.pending[3]]));
        if len + 4 > self.packet_size {
            link.error(format!("packet of {} octets, {} allowed", len + 4, self.packet_size));
            return None;
        }
        if !link.fill(4 + len) {
            return None;
        }
        link.take(4);
        Some(link.take(len))
    }
}

impl Framing for Ajp {
    fn next(&mut self, link: &mut Link) -> Option<Incoming> {
        let payload = self.packet(link)?;
        if payload == [10] {
            return Some(Incoming::Ping);
        }
        match ForwardRequest::decode(&payload) {
            Ok(request) => Some(Incoming::Request(Box::new(request))),
            Err(text) => {
                link.error(format!("{text}, in packet {payload:02x?}"));
                None
            }
        }
    }

    fn pong(&self) -> &'static [u8] {
        b"\x41\x42\x00\x01\x09"
    }

    fn begin(&mut self, request: &ForwardRequest) -> Option<u64> {
        request.content_length()
    }

    fn asks_for_bodies(&self) -> bool {
        true
    }

    fn piece(&mut self, link: &mut Link, asked: Option<u16>, _left: Option<u64>) -> Option<Vec<u8>> {
        if let Some(max) = asked {
            link.send(&packet::get_body_chunk(max));
        }
        let payload = self.packet(link)?;
        match payload.as_slice() {
            [] => Some(Vec::new()),
            [high, low, data @ ..] if usize::from(u16::from_be_bytes([*high, *low])) == data.len() => {
                Some(data.to_vec())
            }
            _ => {
                link.error(format!("malformed body packet {:02x?}", &payload[..payload.len().min(64)]));
                None
            }
        }
    }

    fn head(&mut self, status: u16, reason: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        packet::send_headers(status, Some(reason.as_bytes()), headers)
    }

    fn may_be_over(&self) -> bool {
        false
    }

    fn chunk(&mut self, data: &[u8]) -> Vec<u8> {
        data.chunks(self.packet_size - 8).flat_map(packet::body_chunk).collect()
    }

    fn flush(&self) -> Vec<u8> {
        packet::body_chunk(b"")
    }

    fn end(&mut self, reuse: bool) -> (Vec<u8>, bool) {
        (packet::end(reuse), false)
    }

    fn is_last(&self) -> bool {
        false
    }

    fn any_packet(&mut self, link: &mut Link) -> Option<usize> {
        self.packet(link).map(|payload| payload.len() + 4)
    }
}

/// Packets from backend to connector. Source: AJPv13 document, "Response Packet Structure".
pub mod packet {
    /// Response header names by code, from A001 on.
    pub const HEADERS: [&str; 11] = [
        "Content-Type",
        "Content-Language",
        "Content-Length",
        "Date",
        "Last-Modified",
        "Location",
        "Set-Cookie",
        "Set-Cookie2",
        "Servlet-Engine",
        "Status",
        "WWW-Authenticate",
    ];

    /// Frames a payload.
    pub fn frame(payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x41, 0x42];
        bytes.extend_from_slice(&u16::try_from(payload.len()).expect("payload length").to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    /// A string with its length and NUL.
    pub fn string(text: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(text.len()).expect("string length").to_be_bytes().to_vec();
        bytes.extend_from_slice(text);
        bytes.push(0);
        bytes
    }

    /// Send Headers; no reason is sent as the null string. Header text goes as ISO-8859-1 where it can.
    pub fn send_headers(status: u16, reason: Option<&[u8]>, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut payload = vec![4];
        payload.extend_from_slice(&status.to_be_bytes());
        match reason {
            Some(reason) => payload.extend(string(reason)),
            None => payload.extend_from_slice(&[0xff, 0xff]),
        }
        payload.extend_from_slice(&u16::try_from(headers.len()).expect("header count").to_be_bytes());
        for (name, value) in headers {
            match HEADERS.iter().zip(0xa001u16..).find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                Some((_, code)) => payload.extend_from_slice(&code.to_be_bytes()),
                None => payload.extend(string(name.as_bytes())),
            }
            let latin: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
            payload.extend(string(latin.as_deref().unwrap_or(value.as_bytes())));
        }
        frame(&payload)
    }

    /// One Send Body Chunk with its padding octet; empty data asks for a flush.
    pub fn body_chunk(data: &[u8]) -> Vec<u8> {
        let mut payload = vec![3];
        payload.extend(string(data));
        frame(&payload)
    }

    /// Get Body Chunk.
    pub fn get_body_chunk(max: u16) -> Vec<u8> {
        let [high, low] = max.to_be_bytes();
        frame(&[6, high, low])
    }

    /// End Response.
    pub fn end(reuse: bool) -> Vec<u8> {
        frame(&[5, u8::from(reuse)])
    }
}
