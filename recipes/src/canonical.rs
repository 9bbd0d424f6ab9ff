//! One form of a URL, so that one recipe has one key.

use url::Url;

/// Query parameters that say where a visitor came from and change nothing on the page.
const TRACKING: [&str; 10] =
    ["fbclid", "gclid", "dclid", "msclkid", "mc_cid", "mc_eid", "igshid", "yclid", "_ga", "ref_src"];

/// The URL as a key: without fragment, credentials and tracking parameters. Scheme, host and port are already normal
/// (lower case, no default port), which [`Url`] sees to. Order and case of path and query are kept: they may matter.
#[must_use]
pub fn canonical_url(url: &Url) -> String {
    let mut canonical = url.clone();
    canonical.set_fragment(None);
    // Refused only by URLs that cannot have credentials.
    let _ = canonical.set_username("");
    let _ = canonical.set_password(None);
    if let Some(query) = url.query() {
        let kept: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !is_tracking(pair)).collect();
        let kept = kept.join("&");
        canonical.set_query((!kept.is_empty()).then_some(&*kept));
    }
    canonical.into()
}

fn is_tracking(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or(pair);
    name.starts_with("utm_") || TRACKING.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(url: &str) -> String {
        canonical_url(&Url::parse(url).unwrap())
    }

    #[test]
    fn what_does_not_change_the_page_is_dropped() {
        for url in [
            "HTTPS://Example.com:443/Soup?utm_source=x#top",
            "https://user:pw@example.com/Soup",
            "https://example.com/Soup?&gclid=1&",
        ] {
            assert_eq!(canonical(url), "https://example.com/Soup");
        }
    }

    #[test]
    fn what_may_change_the_page_is_kept() {
        assert_eq!(canonical("http://example.com/r?b=2&utm_id=1&a=1"), "http://example.com/r?b=2&a=1");
        assert_eq!(canonical("file:///pages/a.html#x"), "file:///pages/a.html");
    }
}
