//! What a channel delivers: one alert, or a digest of many.

use recipes::{Alert, Severity};
use uuid::Uuid;

use crate::text;

/// Lines of a digest that are spelled out; of the rest the number is told.
const DIGEST_LINES: usize = 50;

/// One alert or more, to be delivered at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// In the order in which they were raised; at least one.
    pub alerts: Vec<Alert>,
    /// Whether it is a digest, of one alert too.
    pub digest: bool,
}

impl Notice {
    /// A notice of one alert.
    #[must_use]
    pub fn one(alert: Alert) -> Self {
        Self { alerts: vec![alert], digest: false }
    }

    /// The same each time the same alerts are told of.
    #[must_use]
    pub fn id(&self) -> Uuid {
        match &*self.alerts {
            [alert] if !self.digest => alert.alert_id,
            alerts => {
                let ids: Vec<u8> = alerts.iter().flat_map(|alert| *alert.alert_id.as_bytes()).collect();
                Uuid::new_v5(&Uuid::NAMESPACE_OID, &ids)
            }
        }
    }

    /// The gravest.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.alerts.iter().map(|alert| alert.severity).max().unwrap_or_default()
    }

    /// A line for subjects and headings.
    #[must_use]
    pub fn title(&self) -> String {
        match &*self.alerts {
            [alert] if !self.digest => text::shortened(&text::one_line(&alert.title), 120),
            [_] => "1 recipe alert".to_owned(),
            alerts => format!("{} recipe alerts", alerts.len()),
        }
    }

    /// The message; a line each.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = self.alerts.iter().take(DIGEST_LINES).map(|alert| text::one_line(&alert.message).into_owned());
        let mut lines: Vec<String> = lines.collect();
        if self.alerts.len() > DIGEST_LINES {
            lines.push(format!("and {} more", self.alerts.len() - DIGEST_LINES));
        }
        lines.join("\n")
    }

    /// The page of the recipe, where it is about one and a browser may follow it.
    #[must_use]
    pub fn link(&self) -> Option<&str> {
        match &*self.alerts {
            [alert] => text::web_url(&alert.url),
            _ => None,
        }
    }
}
