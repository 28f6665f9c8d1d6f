//! What can be seen of a case, as named fields with what must differ (ports, paths, names of the modules) taken out.
//!
//! Fields of the backend are `backend[N].…` for each exchange, those of the client `client.…`, those of httpd's access log
//! `log.…`. A field that is not there is not in the map.

use std::collections::BTreeMap;

use crate::recorder::Exchange;
use crate::support::{Ended, Response};

/// Fields by name.
pub type Observation = BTreeMap<String, String>;

/// What is replaced in all values.
#[derive(Debug, Clone)]
pub struct Names {
    /// Port of httpd.
    pub port: u16,
    /// Its server root.
    pub root: String,
}

/// Request headers that have a code: their case is lost on the wire.
const CODED: [&str; 14] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "authorization",
    "connection",
    "content-type",
    "content-length",
    "cookie",
    "cookie2",
    "host",
    "pragma",
    "referer",
    "user-agent",
];

impl Names {
    /// `value` without what is peculiar to one of the two servers.
    fn normal(&self, value: &str) -> String {
        let value = value.replace(&format!(":{}", self.port), ":@PORT@").replace(&self.root, "@ROOT@");
        match value.find("mod_jk") {
            Some(at) if value.starts_with("Apache/") => {
                let end = value[at..].find(' ').map_or(value.len(), |end| at + end);
                format!("{}@MODULE@{}", &value[..at], &value[end..])
            }
            _ => value,
        }
    }
}

/// Adds what the backend was told.
pub fn backend(seen: &mut Observation, exchanges: &[Exchange], names: &Names, client_port: u16) {
    seen.insert("backend.exchanges".into(), exchanges.len().to_string());
    for (index, exchange) in exchanges.iter().enumerate() {
        let mut put = |field: &str, value: String| {
            seen.insert(format!("backend[{index}].{field}"), value);
        };
        put("worker", format!("w{}", exchange.worker + 1));
        put("reused-connection", exchange.reused.to_string());
        put("strict", exchange.strict.as_ref().err().cloned().unwrap_or_else(|| "good".into()));
        let forward = match &exchange.forward {
            Ok(forward) => forward,
            Err(text) => {
                put("undecodable", text.clone());
                continue;
            }
        };
        put("method", latin(&forward.method));
        put("protocol", latin(&forward.protocol));
        put("uri", latin(&forward.uri));
        put("server-name", latin(&forward.server_name));
        let port =
            if forward.server_port == names.port { "@PORT@".into() } else { forward.server_port.to_string() };
        put("server-port", port);
        put("is-ssl", forward.secure.to_string());
        for (field, value) in [("remote-addr", &forward.remote_addr), ("remote-host", &forward.remote_host)] {
            put(field, value.as_ref().map_or_else(|| "(null)".into(), |value| latin(value)));
        }
        if let Some(size) = forward.key_size {
            put("ssl-key-size", size.to_string());
        }
        for (code, value) in &forward.attributes {
            put(&format!("attribute-{code:#04x}"), names.normal(&latin(value)));
        }
        let port = client_port.to_string();
        let mut order = Vec::new();
        for (name, value) in &forward.named {
            let name = latin(name);
            let value = latin(value);
            let value = if value == port {
                "@CLIENT-PORT@".into()
            } else if value == names.port.to_string() {
                "@PORT@".into()
            } else {
                names.normal(&value)
            };
            put(&format!("named.{name}"), value);
            order.push(name);
        }
        // The module's own attributes come first or last; the order of the administrator's is what can matter.
        let own = ["AJP_REMOTE_PORT", "AJP_LOCAL_ADDR", "AJP_SSL_PROTOCOL", "JK_LB_ACTIVATION"];
        order.retain(|name| !own.contains(&name.as_str()));
        put("named-order", order.join(" "));
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut order = Vec::new();
        for (name, value) in &forward.headers {
            let spelled = latin(name);
            let lower = spelled.to_ascii_lowercase();
            order.push(if CODED.contains(&lower.as_str()) { lower.clone() } else { spelled });
            headers.entry(lower).or_default().push(latin(value));
        }
        put("header-order", order.join(" "));
        for (name, values) in headers {
            put(&format!("header.{name}"), values.join("\n"));
        }
        put("body", octets(&exchange.body));
    }
}

/// Adds what the client got; an error is a connection that ended before a response.
pub fn client(seen: &mut Observation, prefix: &str, response: &std::io::Result<Response>, names: &Names) {
    let mut put = |field: &str, value: String| {
        seen.insert(format!("{prefix}.{field}"), value);
    };
    let response = match response {
        Ok(response) => response,
        Err(_) => return put("status", "none: the connection was closed without a response".into()),
    };
    put("status", response.status.to_string());
    put("reason", response.reason.clone());
    put("version", response.version.clone());
    if !response.interim.is_empty() {
        put("interim", format!("{:?}", response.interim));
    }
    let ended = match response.ended {
        // Whether httpd knows the length when it sends the head depends on how the data reaches its filters.
        Ended::Length | Ended::Chunked | Ended::NoBody => "complete",
        Ended::Close => "by closing",
        Ended::Truncated => "truncated",
    };
    put("end", ended.into());
    put("framing", format!("{:?}", response.ended));
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &response.headers {
        headers.entry(name.to_ascii_lowercase()).or_default().push(names.normal(value));
    }
    headers.remove("date");
    // httpd lists the methods of Allow in an order of its own in each process.
    if let Some(values) = headers.get_mut("allow") {
        for value in values.iter_mut().filter(|value| value.contains("TRACE")) {
            let mut methods: Vec<&str> = value.split(',').collect();
            methods.sort_unstable();
            *value = methods.join(",");
        }
    }
    for (name, values) in headers {
        put(&format!("header.{name}"), values.join("\n"));
    }
    let text = latin(&response.body);
    let page = text.starts_with("<!DOCTYPE HTML PUBLIC ") && text.matches("<!DOCTYPE").count() == 1;
    let title = text.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
    match title {
        Some(title) if page => put("body", format!("httpd's page \"{title}\"")),
        _ => put("body", names.normal(&octets(&response.body))),
    }
}

/// Octets as ISO-8859-1.
pub fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// A body: as text when it is short, else its length and a check sum.
fn octets(body: &[u8]) -> String {
    if body.len() <= 300 {
        return latin(body);
    }
    format!("{} octets, {}", body.len(), crate::support::digest::sha256_hex(body))
}
