//! One POST and what its answer means.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, StatusCode};

use crate::channels::sender::Undelivered;

/// Bytes of an answer that are read, for the reason in a dead letter.
const MOST_ANSWER: usize = 300;

/// A client for channels.
///
/// # Errors
/// TLS cannot be set up.
pub fn client(timeout: Duration) -> Result<Client, String> {
    // Fails when another part of the process has done it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|der| Certificate::from_der(der).ok());
    Client::builder()
        .timeout(timeout)
        .tls_certs_only(roots)
        // A signed body and its headers are for this address alone.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("recipe-alert/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("no HTTP client: {}", error.without_url()))
}

/// Posts a body. Success is any 2xx.
///
/// # Errors
/// To be tried again: no answer, 408, 425, 429 and 5xx. Given up: every other status, and a value that no header can have.
pub async fn post(
    client: &Client,
    url: &str,
    headers: Vec<(HeaderName, String)>,
    body: Vec<u8>,
) -> Result<(), Undelivered> {
    // The address may hold a secret: it is no part of any text.
    let sent = client.post(url).headers(header_map(headers)?).body(body).send().await;
    let mut answer = sent.map_err(|error| match error.is_builder() {
        true => Undelivered::never("the address is no URL"),
        false => Undelivered::later(why(&error)),
    })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let said = answer.chunk().await.ok().flatten().unwrap_or_default();
    let said = String::from_utf8_lossy(&said[..said.len().min(MOST_ANSWER)]).into_owned();
    let reason = format!("answered {status}: {}", crate::text::one_line(&said));
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Err(Undelivered::later(reason).after(after.map(Duration::from_secs)))
        }
        status if status.is_server_error() => Err(Undelivered::later(reason).after(after.map(Duration::from_secs))),
        _ => Err(Undelivered::never(reason)),
    }
}

/// Headers of these values.
///
/// # Errors
/// A value that no header can have, such as a token with a line break.
fn header_map(headers: Vec<(HeaderName, String)>) -> Result<HeaderMap, Undelivered> {
    let one = |(name, value): (HeaderName, String)| {
        let value = HeaderValue::from_str(&value);
        value
            .map(|value| (name.clone(), value))
            .map_err(|_| Undelivered::never(format!("{name} has a value that is no header")))
    };
    headers.into_iter().map(one).collect()
}

fn why(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    match error.is_timeout() {
        true => "no answer in time".to_owned(),
        // The outermost text names the URL.
        false if std::ptr::eq(std::ptr::from_ref(cause).cast::<()>(), std::ptr::from_ref(error).cast::<()>()) => {
            "the request failed".to_owned()
        }
        false => cause.to_string(),
    }
}
