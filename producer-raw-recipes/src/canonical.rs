//! One form of a URL, so that one page has one key and is fetched once.
//!
//! RFC 3986 section 6.2.2: scheme and host in lower case, dot segments removed, no default port (all of which [`Url`]
//! does), percent-encodings in upper case, and none of them where the character needs none. On top of that what
//! [`recipes::canonical_url`] drops (fragment, credentials, tracking parameters) and session ids. The order of query
//! parameters is kept: it may matter.

use url::Url;

/// Query parameters that carry a visitor's session and change nothing on the page.
const SESSION: [&str; 8] =
    ["phpsessid", "jsessionid", "aspsessionid", "sessionid", "session_id", "cfid", "cftoken", "sid"];

/// Path parameter of Java servers, `/recipe;jsessionid=1A2B`.
const PATH_SESSION: &str = ";jsessionid=";

/// The URL in the form it is fetched and keyed by.
#[must_use]
pub fn canonical(url: &Url) -> Url {
    let mut url = url.clone();
    if let Some(host) = url.host_str().and_then(|host| host.strip_suffix('.')).map(str::to_owned) {
        // An address that ends in a dot (its root) is the same host; `set_host` refuses none that was a host before.
        let _ = url.set_host(Some(&host));
    }
    let path = normalise(&without_session(url.path()));
    url.set_path(&path);
    if let Some(query) = url.query() {
        let kept: Vec<String> = query.split('&').filter(|pair| !is_session(pair)).map(normalise).collect();
        let kept = kept.join("&");
        url.set_query(Some(&kept));
    }
    let text = recipes::canonical_url(&url);
    Url::parse(&text).unwrap_or(url)
}

/// Resolves a link found on a page, as [`canonical`] has it. None for what no crawler can fetch: `mailto:`,
/// `javascript:`, broken URLs, no URL at all.
#[must_use]
pub fn resolve(base: &Url, link: &str) -> Option<Url> {
    let link = link.trim();
    let url = base.join(link).ok().filter(|_| !link.is_empty())?;
    let fetchable = matches!(url.scheme(), "http" | "https") && url.has_host();
    fetchable.then(|| canonical(&url))
}

/// Whom a URL's requests are counted against: the host, with the port unless it is one of the web's two, so that
/// `http` and `https` of a site are one.
#[must_use]
pub fn host_key(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) if port != 80 && port != 443 => format!("{host}:{port}"),
        _ => host.to_owned(),
    }
}

/// Whether two URLs belong to one site: the same host, with or without `www.`, on the same port.
#[must_use]
pub fn same_site(a: &Url, b: &Url) -> bool {
    let site = |url: &Url| {
        let key = host_key(url);
        key.strip_prefix("www.").map(str::to_owned).unwrap_or(key)
    };
    site(a) == site(b)
}

fn without_session(path: &str) -> String {
    let lower = path.to_ascii_lowercase();
    match lower.find(PATH_SESSION) {
        None => path.to_owned(),
        Some(start) => {
            let rest = &path[start + 1..];
            let end = rest.find([';', '/']).map_or(path.len(), |end| start + 1 + end);
            format!("{}{}", &path[..start], &path[end..])
        }
    }
}

fn is_session(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or(pair);
    SESSION.iter().any(|session| name.eq_ignore_ascii_case(session))
}

/// Percent-encodings: upper case, and decoded where they stand for an unreserved character (RFC 3986 section 2.3).
pub(crate) fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let signed = rest[at + 1..].starts_with('+');
        match code.filter(|_| !signed) {
            None => {
                out.push('%');
                rest = &rest[at + 1..];
            }
            Some(byte) => {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    out.push(char::from(byte));
                } else {
                    out.push_str(&rest[at..at + 3].to_ascii_uppercase());
                }
                rest = &rest[at + 3..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(url: &str) -> String {
        canonical(&Url::parse(url).unwrap()).into()
    }

    #[test]
    fn equivalent_urls_have_one_form() {
        for url in [
            "HTTP://Example.COM:80/a/./b/../%7Euser/%e3%83%84?x=1&utm_source=mail#top",
            "http://example.com./a/~user/%E3%83%84?x=1",
            "http://example.com/a/~user/ツ?PHPSESSID=77&x=1&fbclid=9",
            "http://me:pw@example.com/a/~user;jsessionid=1A2B/%E3%83%84?x=%31",
        ] {
            assert_eq!(of(url), "http://example.com/a/~user/%E3%83%84?x=1", "{url}");
        }
    }

    #[test]
    fn what_may_matter_is_kept() {
        for url in [
            "http://example.com/A?b=2&a=1",
            "http://example.com/a%2Fb?q=a%26b",
            "http://example.com/100%/a",
            "http://example.com/a//b/",
        ] {
            assert_eq!(of(url), url);
        }
        assert_eq!(of("http://example.com/?"), "http://example.com/");
    }

    #[test]
    fn links_that_no_crawler_fetches_are_none() {
        let base = Url::parse("http://example.com/list/").unwrap();
        for link in ["mailto:cook@example.com", "javascript:void(0)", "data:text/html,x", "http://", "tel:1", " "] {
            assert_eq!(resolve(&base, link), None, "{link}");
        }
        assert_eq!(resolve(&base, " ../r/1?utm_id=1#c ").map(String::from).as_deref(), Some("http://example.com/r/1"));
    }

    #[test]
    fn http_and_https_of_a_site_are_one_host_and_other_ports_another() {
        let key = |url: &str| host_key(&Url::parse(url).unwrap());
        assert_eq!(key("http://a.example/"), key("https://a.example/"));
        assert_eq!(key("https://a.example:80/"), key("http://a.example:443/"));
        assert_eq!(key("http://a.example:8088/x"), "a.example:8088");
        assert_eq!(key("http://[::1]:8088/x"), "[::1]:8088");
    }

    proptest! {
        #[test]
        fn canonical_is_a_fixed_point(path in "[ -~]{0,40}", query in "[ -~]{0,40}") {
            let Ok(url) = Url::parse(&format!("http://Example.com/{path}?{query}")) else { return Ok(()) };
            let once = canonical(&url);
            prop_assert_eq!(canonical(&once), once);
        }
    }
}
