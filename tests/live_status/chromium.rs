//! A browser without a window, driven by its debugging protocol over two pipes: messages are JSON that ends with a NUL.
//!
//! Source: Chrome DevTools Protocol, domains Target, Page, Runtime and Log; `--remote-debugging-pipe`.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Httpd;

const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: File,
    from: Receiver<Value>,
    number: u64,
    session: String,
    /// What the page complained of.
    pub complaints: Vec<String>,
}

impl Browser {
    /// Starts a browser; its files lie below the root of the server.
    pub fn start(httpd: &Httpd) -> Self {
        let root = httpd.root();
        let (input, output) = (root.join("browser.in"), root.join("browser.out"));
        let made = Command::new("mkfifo").args([&input, &output]).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo");
        // The shell only opens the pipes as descriptors 3 and 4, then it becomes the browser.
        let script = "exec chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                      --disable-background-networking --disable-component-update --disable-sync --disable-quic \
                      --remote-debugging-pipe --user-data-dir=\"$1\" about:blank 3<\"$2\" 4>\"$3\"";
        let child = Command::new("sh")
            .args(["-c", script, "sh"])
            .args([&root.join("browser"), &input, &output])
            .env("HOME", root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        let to = OpenOptions::new().write(true).open(&input).expect("the pipe to the browser");
        let mut pipe = BufReader::new(File::open(&output).expect("the pipe from the browser"));
        let (sender, from) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while pipe.read_until(0, &mut message).is_ok_and(|count| count > 0) {
                message.pop();
                let value = serde_json::from_slice(&message).unwrap_or(Value::Null);
                if sender.send(value).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser = Self { child, to, from, number: 0, session: String::new(), complaints: Vec::new() };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attached = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", &attached);
        browser.session =
            session["sessionId"].as_str().expect("a session; is chromium installed?").to_owned();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "Network.enable"] {
            browser.call(domain, &json!({}));
        }
        browser
    }

    /// Calls a method and waits for its result.
    pub fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to
            .write_all(message.to_string().as_bytes())
            .and_then(|()| self.to.write_all(&[0]))
            .expect("the browser reads");
        let number = self.number;
        let answer = self.wait(|message| message["id"] == number);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Waits for a message; complaints on the way are kept.
    fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = self.from.recv_timeout(left).expect("the browser answers");
            match message["method"].as_str() {
                Some("Log.entryAdded") => {
                    self.complaints.push(message["params"]["entry"]["text"].to_string())
                }
                Some("Runtime.exceptionThrown" | "Runtime.consoleAPICalled") => {
                    self.complaints.push(message["params"].to_string());
                }
                _ => {}
            }
            if wanted(&message) {
                return message;
            }
        }
    }

    /// Loads a page.
    pub fn load(&mut self, httpd: &Httpd, path: &str) {
        let url = format!("http://127.0.0.1:{}{path}", httpd.port());
        self.call("Page.navigate", &json!({"url": url}));
        self.loaded();
    }

    /// Waits until a page is loaded.
    pub fn loaded(&mut self) {
        self.wait(|message| message["method"] == "Page.loadEventFired");
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", &asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression in the page is true.
    pub fn until(&mut self, what: &str, expression: &str) {
        let end = Instant::now() + PATIENCE;
        while self.value(expression) != true {
            assert!(Instant::now() < end, "{what}: {}", self.value("document.body.innerText"));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The languages the browser asks for.
    pub fn language(&mut self, accept: &str) {
        self.call("Network.setExtraHTTPHeaders", &json!({"headers": {"Accept-Language": accept}}));
    }

    /// Scripts of pages run, or do not.
    pub fn scripts(&mut self, on: bool) {
        self.call("Emulation.setScriptExecutionDisabled", &json!({"value": !on}));
    }

    /// The size of the window, and dark or light.
    pub fn shape(&mut self, width: u32, height: u32, dark: bool) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", &media);
    }

    /// Writes a picture of the page.
    pub fn picture(&mut self, file: &Path) {
        let shot = self.call("Page.captureScreenshot", &json!({"format": "png"}));
        std::fs::write(file, base64(shot["data"].as_str().expect("a picture")))
            .expect("the picture is written");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// RFC 4648 section 4.
fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for octet in text.bytes() {
        let Some(digit) = DIGITS.iter().position(|digit| *digit == octet) else { continue };
        bits = bits << 6 | u32::try_from(digit).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    out
}
