//! What a channel does with a notice.

use std::time::Duration;

use crate::channels::chat::Chat;
use crate::channels::email::Email;
use crate::channels::exec::Exec;
use crate::channels::notice::Notice;
use crate::channels::webhook::Webhook;

/// Why a notice was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// In a line, without secrets.
    pub reason: String,
    /// Whether another try may help.
    pub again: bool,
    /// Least wait before it, if the receiver asked for one.
    pub after: Option<Duration>,
}

impl Undelivered {
    /// To be tried again.
    pub fn later(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), again: true, after: None }
    }

    /// To be given up.
    pub fn never(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), again: false, after: None }
    }

    /// Not before that time.
    #[must_use]
    pub const fn after(mut self, after: Option<Duration>) -> Self {
        self.after = after;
        self
    }
}

/// One of the ways to people.
#[derive(Debug)]
pub enum Sender {
    /// HTTP for programs.
    Webhook(Webhook),
    /// HTTP for people: ntfy, Slack, Discord, Telegram.
    Chat(Chat),
    /// SMTP.
    Email(Email),
    /// A program on this machine.
    Exec(Exec),
}

impl Sender {
    /// Delivers a notice.
    ///
    /// # Errors
    /// [`Undelivered`] says whether to try again. A notice may have arrived all the same.
    pub async fn send(&self, notice: &Notice) -> Result<(), Undelivered> {
        match self {
            Self::Webhook(webhook) => webhook.send(notice).await,
            Self::Chat(chat) => chat.send(notice).await,
            Self::Email(email) => email.send(notice).await,
            Self::Exec(exec) => exec.send(notice).await,
        }
    }
}
