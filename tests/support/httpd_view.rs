//! A model of what httpd 2.4 does to a request target before a module maps it.
//!
//! Sources: `ap_normalize_path` and `unescape_url` in httpd's server/util.c, `ap_process_request_internal` in request.c.

/// `AllowEncodedSlashes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum EncodedSlashes {
    #[default]
    Off,
    On,
    NoDecode,
}

/// The settings that matter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Httpd {
    pub(crate) merge_slashes: bool,
    pub(crate) encoded_slashes: EncodedSlashes,
}

impl Default for Httpd {
    fn default() -> Self {
        Self { merge_slashes: true, encoded_slashes: EncodedSlashes::Off }
    }
}

/// The decoded path, or the status httpd answers with.
pub(crate) fn httpd_view(target: &[u8], httpd: Httpd) -> Result<Vec<u8>, u16> {
    if target.iter().any(|&octet| octet <= b' ' || octet == 0x7F || octet == b'#') {
        return Err(400);
    }
    let path = target.split(|&octet| octet == b'?').next().unwrap();
    let path = match path.strip_prefix(b"http://") {
        Some(rest) => &rest[rest.iter().position(|&octet| octet == b'/').unwrap_or(rest.len())..],
        None => path,
    };
    if path == b"*" {
        return Ok(path.to_vec());
    }
    if path.first() != Some(&b'/') {
        return Err(400);
    }
    let path = resolve(&decode_unreserved(path), httpd.merge_slashes)?;
    let path = unescape(&path, httpd.encoded_slashes)?;
    match httpd.encoded_slashes {
        EncodedSlashes::On => resolve(&path, httpd.merge_slashes),
        _ => Ok(path),
    }
}

fn hex(text: &[u8]) -> Option<u8> {
    let text = text.get(..2).filter(|text| text.iter().all(u8::is_ascii_hexdigit))?;
    u8::from_str_radix(std::str::from_utf8(text).unwrap(), 16).ok()
}

fn decode_unreserved(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < path.len() {
        let octet = if path[at] == b'%' { hex(&path[at + 1..]) } else { None };
        match octet {
            Some(octet) if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) => {
                out.push(octet);
                at += 3;
            }
            _ => {
                out.push(path[at]);
                at += 1;
            }
        }
    }
    out
}

fn resolve(path: &[u8], merge: bool) -> Result<Vec<u8>, u16> {
    let mut out: Vec<u8> = Vec::new();
    let mut at = 0;
    while at < path.len() {
        if out.is_empty() || out.ends_with(b"/") {
            if merge && path[at] == b'/' && !out.is_empty() {
                at += 1;
                continue;
            }
            let segment = path[at..].split(|&octet| octet == b'/').next().unwrap();
            if segment == b"." {
                at += 2;
                continue;
            }
            if segment == b".." {
                if out.len() <= 1 {
                    return Err(400);
                }
                out.pop();
                out.truncate(out.iter().rposition(|&octet| octet == b'/').map_or(0, |slash| slash + 1));
                at += 3;
                continue;
            }
        }
        out.push(path[at]);
        at += 1;
    }
    Ok(out)
}

fn unescape(path: &[u8], slashes: EncodedSlashes) -> Result<Vec<u8>, u16> {
    let mut out = Vec::new();
    let (mut bad, mut hidden) = (false, false);
    let mut at = 0;
    while at < path.len() {
        if path[at] != b'%' {
            out.push(path[at]);
            at += 1;
            continue;
        }
        match hex(&path[at + 1..]) {
            None => bad = true,
            Some(0) => hidden = true,
            Some(b'/') if slashes == EncodedSlashes::Off => hidden = true,
            Some(b'/') if slashes == EncodedSlashes::NoDecode => out.extend_from_slice(&path[at..at + 3]),
            Some(octet) => out.push(octet),
        }
        at += if bad { 1 } else { 3 };
    }
    match (bad, hidden) {
        (true, _) => Err(400),
        (_, true) => Err(404),
        _ => Ok(out),
    }
}
