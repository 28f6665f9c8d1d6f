//! May a request that changes something pass, or was a browser sent by another site?
//!
//! Scripts say nothing about where they come from, and pass. Whatever a browser has marked must come from this site, use
//! POST and carry the token of the form. The token is a keyed hash of user and time: nothing is stored. A page of another
//! site cannot read it, nor can it make a browser leave out all marks: `Origin` and `Sec-Fetch-Site` are beyond its reach,
//! and where a browser sends neither (GET over plain HTTP with a policy that hides the referrer) its name and its languages
//! remain.
//! Sources: Fetch Metadata (W3C), RFC 6454 section 7 (Origin), RFC 9110 section 10.1.3 (Referer).

use super::command::Refusal;

/// Length of the secret, in bytes. It must be random, made at start, and the same in all children.
pub const SECRET: usize = 32;

/// Seconds that a token is made for; it is accepted in the next period too, so a form stays good for 6 to 12 hours.
pub const PERIOD: u64 = 6 * 3600;

/// What a request tells about its origin. Header values are as received; those that are no text count as empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Signals<'a> {
    /// The method is POST, PATCH, PUT or DELETE.
    pub writing_method: bool,
    /// The body is JSON, which a form of another site cannot send.
    pub json: bool,
    /// `Host`.
    pub host: Option<&'a str>,
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Referer`.
    pub referer: Option<&'a str>,
    /// `Sec-Fetch-Site`.
    pub fetch_site: Option<&'a str>,
    /// `User-Agent`.
    pub user_agent: Option<&'a str>,
    /// `Accept-Language`.
    pub accept_language: Option<&'a str>,
    /// The token in the form, or in the header `X-JK-Token`.
    pub token: Option<&'a str>,
}

/// Who a token is for, and when.
#[derive(Debug, Clone, Copy)]
pub struct Bearer<'a> {
    /// The secret of the server.
    pub secret: &'a [u8; SECRET],
    /// Name of the status worker.
    pub worker: &'a str,
    /// The user as authenticated by httpd.
    pub user: Option<&'a str>,
    /// Seconds since 1970.
    pub now: u64,
}

impl Bearer<'_> {
    /// The token for a form.
    pub fn token(&self) -> String {
        self.hash(self.now / PERIOD).to_hex().to_string()
    }

    fn hash(&self, period: u64) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(self.secret);
        // Lengths keep the parts apart; a missing user is no empty user.
        for part in [Some(self.worker), self.user] {
            hasher.update(&[u8::from(part.is_some())]);
            let part = part.unwrap_or_default().as_bytes();
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(part);
        }
        hasher.update(&period.to_le_bytes());
        hasher.finalize()
    }

    /// It is a token for this bearer, of this period or the last one. Takes the same time wherever tokens differ.
    pub fn accepts(&self, token: &str) -> bool {
        let Ok(token) = blake3::Hash::from_hex(token) else { return false };
        let period = self.now / PERIOD;
        let (this, last) = (self.hash(period) == token, self.hash(period.saturating_sub(1)) == token);
        this || last
    }
}

/// The request may change something.
///
/// # Errors
/// [`Refusal::CrossSite`] with the reason.
pub fn check(signals: &Signals<'_>, bearer: &Bearer<'_>) -> Result<(), Refusal> {
    let refuse = |why| Err(Refusal::CrossSite(why));
    if let Some(site) = signals.fetch_site
        && !matches!(site, "same-origin" | "none")
    {
        return refuse("Refused: another site sent this request.");
    }
    if let Some(origin) = signals.origin
        && !same_host(origin, signals.host)
    {
        return refuse("Refused: the origin of this request is another site.");
    }
    if let Some(referer) = signals.referer
        && !same_host(referer, signals.host)
    {
        return refuse("Refused: this request was made by a page of another site.");
    }
    let token_holds = signals.token.map(|token| bearer.accepts(token));
    if token_holds == Some(false) {
        return refuse("Refused: the form is too old, or not of this server. Load the page again.");
    }
    if !is_browser(signals) {
        return Ok(());
    }
    if !signals.writing_method {
        return refuse("Refused: a browser must use the forms of the status page to change something.");
    }
    // JSON from a page of this very site: other sites would have to ask first, and are not answered.
    let same_origin_json = signals.json && signals.fetch_site == Some("same-origin");
    if token_holds == Some(true) || same_origin_json {
        return Ok(());
    }
    refuse("Refused: the form has no token. Load the page again.")
}

/// Something in the request was written by a browser.
fn is_browser(signals: &Signals<'_>) -> bool {
    let named = signals.user_agent.is_some_and(|agent| agent.starts_with("Mozilla/"));
    signals.fetch_site.is_some()
        || signals.origin.is_some()
        || signals.referer.is_some()
        || (named && signals.accept_language.is_some())
}

/// The URL has the host and port of the header `Host`. The scheme is not compared: behind a proxy that ends TLS it differs.
fn same_host(url: &str, host: Option<&str>) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() || authority.contains('@') {
        return false;
    }
    let standard = match scheme.to_ascii_lowercase().as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let Some(host) = host else { return false };
    let bare = |authority: &str| {
        let authority = authority.trim().to_ascii_lowercase();
        authority.strip_suffix(standard).map_or(authority.clone(), str::to_owned)
    };
    bare(authority) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; SECRET] = [7; SECRET];
    const ME: Bearer<'_> = Bearer { secret: &KEY, worker: "st", user: Some("eve"), now: 1_795_396_344 };

    fn passes(signals: Signals<'_>) -> bool {
        check(&signals, &ME).is_ok()
    }

    #[test]
    fn who_may_pass() {
        let token = ME.token();
        let good = Some(token.as_str());
        let wrong = Some("0000000000000000000000000000000000000000000000000000000000000000");
        let base = Signals { host: Some("admin.example:8080"), ..Signals::default() };
        let post = Signals { writing_method: true, ..base };
        let form = Signals { token: good, ..post };
        let own = Some("http://admin.example:8080");
        let page = Some("http://admin.example:8080/jkstatus?cmd=edit");
        let table = [
            ("a script by GET", base, true),
            ("a script by POST", post, true),
            ("a script with a wrong token", Signals { token: wrong, ..post }, false),
            ("a script without Host", Signals::default(), true),
            (
                "PowerShell",
                Signals { user_agent: Some("Mozilla/5.0 (Windows NT) PowerShell/7"), ..base },
                true,
            ),
            (
                "curl with languages",
                Signals { user_agent: Some("curl/8"), accept_language: Some("en"), ..base },
                true,
            ),
            (
                "our form",
                Signals { fetch_site: Some("same-origin"), origin: own, referer: page, ..form },
                true,
            ),
            ("our form over plain HTTP", Signals { origin: own, referer: page, ..form }, true),
            ("our form, no referrer", Signals { origin: own, ..form }, true),
            ("our form without token", Signals { origin: own, referer: page, ..post }, false),
            ("our form by GET", Signals { fetch_site: Some("same-origin"), token: good, ..base }, false),
            ("image of another site", Signals { fetch_site: Some("cross-site"), ..base }, false),
            ("sister site", Signals { fetch_site: Some("same-site"), ..form }, false),
            ("stolen token, other site", Signals { fetch_site: Some("cross-site"), ..form }, false),
            ("link in a mail", Signals { fetch_site: Some("none"), ..base }, false),
            ("link on this host", Signals { fetch_site: Some("same-origin"), referer: page, ..base }, false),
            ("other origin", Signals { origin: Some("http://evil.example"), ..form }, false),
            ("other port", Signals { origin: Some("http://admin.example:8081"), ..form }, false),
            ("no origin to tell", Signals { origin: Some("null"), ..form }, false),
            (
                "other referrer",
                Signals { referer: Some("http://evil.example/admin.example:8080"), ..base },
                false,
            ),
            (
                "name in front",
                Signals { origin: Some("http://admin.example:8080.evil.example"), ..form },
                false,
            ),
            ("user part", Signals { origin: Some("http://admin.example:8080@evil.example"), ..form }, false),
            ("empty origin", Signals { origin: Some(""), ..form }, false),
            (
                "browser over plain HTTP without referrer",
                Signals { user_agent: Some("Mozilla/5.0"), accept_language: Some("ko"), ..base },
                false,
            ),
            ("unknown mark", Signals { fetch_site: Some("x"), ..form }, false),
            (
                "JSON of this site",
                Signals { fetch_site: Some("same-origin"), origin: own, json: true, ..post },
                true,
            ),
            ("JSON, browser without marks of the site", Signals { origin: own, json: true, ..post }, false),
            ("JSON of a script", Signals { json: true, ..post }, true),
        ];
        for (name, signals, wanted) in table {
            assert_eq!(passes(signals), wanted, "{name}");
        }
    }

    #[test]
    fn hosts() {
        for (url, host, wanted) in [
            ("https://a.example", "a.example", true),
            ("https://a.example:443/x", "A.EXAMPLE", true),
            ("http://a.example", "a.example:80", true),
            ("http://a.example", "a.example:8080", false),
            ("http://[::1]:8080/", "[::1]:8080", true),
            ("ftp://a.example", "a.example", false),
            ("a.example", "a.example", false),
            ("http:///x", "", false),
        ] {
            assert_eq!(same_host(url, Some(host)), wanted, "{url} {host}");
        }
        assert!(!same_host("http://a.example", None));
    }

    #[test]
    fn tokens_are_bound() {
        let token = ME.token();
        assert!(ME.accepts(&token));
        assert!(Bearer { now: ME.now + PERIOD, ..ME }.accepts(&token));
        for other in [
            Bearer { now: ME.now + 2 * PERIOD, ..ME },
            Bearer { user: Some("adam"), ..ME },
            Bearer { user: None, ..ME },
            Bearer { worker: "s", ..ME },
            Bearer { secret: &[8; SECRET], ..ME },
        ] {
            assert!(!other.accepts(&token), "{other:?}");
        }
        let nobody = Bearer { user: None, ..ME };
        assert!(!Bearer { user: Some(""), ..ME }.accepts(&nobody.token()));
        for bad in ["", "x", &token[1..], &format!("{token}0")] {
            assert!(!ME.accepts(bad), "{bad}");
        }
    }
}
