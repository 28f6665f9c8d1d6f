//! Writes replies into a buffer, and large bodies from a prepared train of packets.
//! Source: AJPv13 document, "Response Packet Structure".

use std::io::{self, Write};

/// Octets of the prepared packets: large enough that system calls stop to matter.
const TRAIN: usize = 256 * 1024;

fn string(out: &mut Vec<u8>, text: &[u8]) {
    // Longer text does not fit a packet anyway; cut rather than send a wrong length.
    let text = &text[..text.len().min(8000)];
    out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(text);
    out.push(0);
}

/// Appends a packet whose payload `fill` writes.
fn packet(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0x41, 0x42, 0, 0]);
    fill(out);
    let len = u16::try_from(out.len() - start - 4).unwrap_or(0).to_be_bytes();
    out[start + 2..start + 4].copy_from_slice(&len);
}

fn header(out: &mut Vec<u8>, name: &str, value: &str) {
    match name {
        "Content-Type" => out.extend_from_slice(&[0xa0, 1]),
        "Content-Length" => out.extend_from_slice(&[0xa0, 3]),
        "Set-Cookie" => out.extend_from_slice(&[0xa0, 7]),
        other => string(out, other.as_bytes()),
    }
    string(out, value.as_bytes());
}

/// Appends Send Headers with `headers` and a Content-Length.
pub(crate) fn head(out: &mut Vec<u8>, status: u16, headers: &[(&str, &str)], length: usize) {
    packet(out, |out| {
        out.push(4);
        out.extend_from_slice(&status.to_be_bytes());
        // The digits as the phrase, as Tomcat sends it.
        string(out, status.to_string().as_bytes());
        out.extend_from_slice(&u16::try_from(headers.len() + 1).unwrap_or(1).to_be_bytes());
        for (name, value) in headers {
            header(out, name, value);
        }
        header(out, "Content-Length", &length.to_string());
    });
}

/// Appends head and body of a small response; End Response is left to [`end`].
pub(crate) fn small(
    out: &mut Vec<u8>,
    status: u16,
    content_type: &str,
    more: &[(&str, &str)],
    body: &[u8],
    head_only: bool,
) {
    let headers: Vec<_> =
        std::iter::once(("Content-Type", content_type)).chain(more.iter().copied()).collect();
    head(out, status, &headers, body.len());
    if !head_only {
        for part in body.chunks(8000) {
            chunk(out, part);
        }
    }
}

/// Appends a response with `count` headers, as many as fit a packet of 8192 octets at most.
pub(crate) fn many_headers(out: &mut Vec<u8>, count: usize, head_only: bool) {
    let pairs: Vec<_> =
        (0..count.min(250)).map(|i| (format!("X-Header-{i}"), format!("value-{i}"))).collect();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    small(out, 200, "text/plain", &pairs, b"headers\n", head_only);
}

fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    packet(out, |out| {
        out.push(3);
        out.extend_from_slice(&u16::try_from(data.len()).unwrap_or(0).to_be_bytes());
        out.extend_from_slice(data);
        out.push(0);
    });
}

/// Appends End Response.
pub(crate) fn end(out: &mut Vec<u8>, reuse: bool) {
    out.extend_from_slice(&[0x41, 0x42, 0, 2, 5, u8::from(reuse)]);
}

/// Full body packets one behind the other, made once and written from by all connections.
pub(crate) struct Train {
    packets: Vec<u8>,
    packet_size: usize,
}

impl Train {
    pub(crate) fn new(packet_size: usize) -> Self {
        let data: Vec<u8> = (b'a'..=b'z').cycle().take(packet_size - 8).collect();
        let mut packets = Vec::with_capacity(TRAIN + packet_size);
        while packets.len() < TRAIN {
            chunk(&mut packets, &data);
        }
        Self { packets, packet_size }
    }

    /// Sends `octets` of body. What stands in `out` goes first; what is left in `out` is for the caller to send.
    pub(crate) fn send(&self, stream: &mut impl Write, out: &mut Vec<u8>, octets: usize) -> io::Result<()> {
        let room = self.packet_size - 8;
        let mut full = octets / room;
        // Head, some packets and perhaps the rest go in one write when they are not too much to copy.
        let together = full.min(64 * 1024 / self.packet_size);
        out.extend_from_slice(&self.packets[..together * self.packet_size]);
        full -= together;
        if full > 0 {
            stream.write_all(out)?;
            out.clear();
            while full > 0 {
                let now = full.min(self.packets.len() / self.packet_size);
                stream.write_all(&self.packets[..now * self.packet_size])?;
                full -= now;
            }
        }
        let rest = octets % room;
        if rest > 0 {
            chunk(out, &self.packets[7..7 + rest]);
        }
        Ok(())
    }
}
