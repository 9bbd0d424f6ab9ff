//! Alerts for programs, over HTTP.
//!
//! Signed as [Standard Webhooks](https://www.standardwebhooks.com) has it: `webhook-id`, `webhook-timestamp` and
//! `webhook-signature` (HMAC-SHA256 over `id.timestamp.body`, in base64). `Idempotency-Key` is the same id: a notice that
//! comes again, as after a crash between sending and noting it, has the same one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Client;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use serde_json::{Value, json};
use sha2::Sha256;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::channels::http::post;
use crate::channels::notice::Notice;
use crate::channels::secret::Secret;
use crate::channels::sender::Undelivered;

/// The shape of the body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// The alert as it stands on `recipe_alerts`; of a digest, `{"alerts": […]}`.
    #[default]
    Json,
    /// The same as the data of a [CloudEvent](https://cloudevents.io) 1.0 in structured mode.
    CloudEvents,
}

/// Posts to a URL.
#[derive(Debug)]
pub struct Webhook {
    /// The client.
    pub client: Client,
    /// Where to.
    pub url: Secret,
    /// The shape of the body.
    pub format: Format,
    /// Key of the signature.
    pub secret: Option<Secret>,
    /// Sent as a bearer token.
    pub token: Option<Secret>,
}

impl Webhook {
    /// Delivers a notice.
    ///
    /// # Errors
    /// As [`post`].
    pub async fn send(&self, notice: &Notice) -> Result<(), Undelivered> {
        let now = OffsetDateTime::now_utc();
        let (content_type, body) = self.body(notice, now)?;
        let id = notice.id().to_string();
        let mut headers = vec![
            (CONTENT_TYPE, content_type.to_owned()),
            (HeaderName::from_static("idempotency-key"), id.clone()),
            (HeaderName::from_static("webhook-id"), id.clone()),
            (HeaderName::from_static("webhook-timestamp"), now.unix_timestamp().to_string()),
        ];
        if let Some(secret) = &self.secret {
            let signature = signature(secret, &id, now.unix_timestamp(), &body);
            headers.push((HeaderName::from_static("webhook-signature"), signature));
        }
        if let Some(token) = &self.token {
            headers.push((AUTHORIZATION, format!("Bearer {}", token.reveal())));
        }
        post(&self.client, self.url.reveal(), headers, body).await
    }

    fn body(&self, notice: &Notice, now: OffsetDateTime) -> Result<(&'static str, Vec<u8>), Undelivered> {
        let unwritable = |error: serde_json::Error| Undelivered::never(error.to_string());
        let data = match &*notice.alerts {
            [alert] if !notice.digest => serde_json::to_value(alert).map_err(unwritable)?,
            alerts => json!({ "alerts": serde_json::to_value(alerts).map_err(unwritable)? }),
        };
        let (content_type, value) = match self.format {
            Format::Json => ("application/json", data),
            Format::CloudEvents => ("application/cloudevents+json", cloud_event(notice, data, now)),
        };
        Ok((content_type, value.to_string().into_bytes()))
    }
}

fn cloud_event(notice: &Notice, data: Value, now: OffsetDateTime) -> Value {
    let kind = if notice.digest { "recipe_alerts.digest" } else { "recipe_alerts.alert" };
    let mut event = json!({
        "specversion": "1.0", "id": notice.id(), "source": "/consumer-notification", "type": kind,
        "time": now.format(&Rfc3339).unwrap_or_default(), "datacontenttype": "application/json", "data": data,
    });
    if let ([alert], false) = (&*notice.alerts, notice.digest) {
        event["subject"] = alert.url.clone().into();
    }
    event
}

/// `v1,` and the HMAC. A key that begins with `whsec_` is base64 behind that, as the standard writes them.
fn signature(secret: &Secret, id: &str, timestamp: i64, body: &[u8]) -> String {
    let secret = secret.reveal();
    let key = secret.strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
    let key = key.unwrap_or_else(|| secret.as_bytes().to_vec());
    // A key of any length is fine for HMAC.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return String::new() };
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standard() {
        // The example of the Standard Webhooks specification.
        let secret = Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let signature = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
