//! Alerts for people: ntfy, Slack, Discord and Telegram, all of which take JSON over HTTP.

use recipes::Severity;
use reqwest::Client;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::channels::http::post;
use crate::channels::notice::Notice;
use crate::channels::secret::Secret;
use crate::channels::sender::Undelivered;
use crate::text;

/// Most characters of a message; Discord takes 2000, Telegram 4096, ntfy and Slack about as many.
const LONGEST: usize = 1900;

/// Which service, with what it needs besides the address.
#[derive(Debug)]
pub enum Service {
    /// <https://docs.ntfy.sh/publish/#publish-as-json>
    Ntfy {
        /// The topic people subscribe to.
        topic: String,
        /// Access token, where the server wants one.
        token: Option<Secret>,
    },
    /// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>
    Slack,
    /// <https://discord.com/developers/docs/resources/webhook#execute-webhook>
    Discord,
    /// <https://core.telegram.org/bots/api#sendmessage>
    Telegram {
        /// The chat's number or `@name`.
        chat: String,
    },
}

/// Posts messages.
#[derive(Debug)]
pub struct Chat {
    /// The client.
    pub client: Client,
    /// Where to; of Telegram and Slack and Discord it is a secret.
    pub url: Secret,
    /// Which service.
    pub service: Service,
}

impl Chat {
    /// Delivers a notice.
    ///
    /// # Errors
    /// As [`post`].
    pub async fn send(&self, notice: &Notice) -> Result<(), Undelivered> {
        let mut headers = vec![(CONTENT_TYPE, "application/json".to_owned())];
        if let Service::Ntfy { token: Some(token), .. } = &self.service {
            headers.push((AUTHORIZATION, format!("Bearer {}", token.reveal())));
        }
        let body = self.body(notice).to_string().into_bytes();
        post(&self.client, self.url.reveal(), headers, body).await
    }

    fn body(&self, notice: &Notice) -> Value {
        let message = text::shortened(&notice.text(), LONGEST);
        let linked = || notice.link().map_or_else(|| message.clone(), |link| format!("{message}\n{link}"));
        match &self.service {
            Service::Ntfy { topic, .. } => {
                let priority = match notice.severity() {
                    Severity::Info => 2,
                    Severity::Warning => 3,
                    Severity::Critical => 5,
                };
                let mut body =
                    json!({ "topic": topic, "title": notice.title(), "message": message, "priority": priority });
                if let Some(link) = notice.link() {
                    body["click"] = link.into();
                }
                body
            }
            Service::Slack => json!({ "text": escaped_for_slack(&linked()) }),
            // A title must not call everyone on the server.
            Service::Discord => json!({ "content": linked(), "allowed_mentions": { "parse": [] } }),
            Service::Telegram { chat } => {
                json!({ "chat_id": chat, "text": linked(), "link_preview_options": { "is_disabled": true } })
            }
        }
    }
}

/// Slack's three special characters: without them there are no links and no mentions.
fn escaped_for_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::testing::alert;

    fn body(service: Service) -> Value {
        let client = crate::channels::http::client(std::time::Duration::from_secs(1)).unwrap();
        Chat { client, url: Secret::from("http://x/"), service }.body(&Notice::one(alert("<!everyone> Pie & co")))
    }

    #[test]
    fn each_service_gets_what_it_takes_and_no_mentions() {
        let ntfy = body(Service::Ntfy { topic: "food".to_owned(), token: None });
        assert_eq!(
            (&ntfy["topic"], &ntfy["priority"], &ntfy["click"]),
            (&json!("food"), &json!(3), &json!("https://a.example/pie"))
        );
        let slack = body(Service::Slack)["text"].as_str().unwrap().to_owned();
        assert!(slack.contains("&lt;!everyone&gt; Pie &amp; co"), "{slack}");
        assert_eq!(body(Service::Discord)["allowed_mentions"]["parse"], json!([]));
        assert_eq!(body(Service::Telegram { chat: "-100".to_owned() })["chat_id"], "-100");
    }
}
