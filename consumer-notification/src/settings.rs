//! What the notifier needs to know.

use service_kit::http;
use service_kit::kafka::{Delivery, KafkaSettings};
use service_kit::settings::Source;

use crate::channels::secret::Secret;
use crate::engine::OnRuleChange;
use crate::page::AdminToken;
use crate::rules::RuleSource;

/// Address of the live page, health and metrics.
pub const LISTEN: &str = "0.0.0.0:8080";

/// Settings of the notifier.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How to reach Kafka.
    pub kafka: KafkaSettings,
    /// Address of the live page, health and metrics.
    pub listen: String,
    /// Where the rules come from.
    pub rules: RuleSource,
    /// What a rule with new conditions does about recipes that are known already.
    pub on_rule_change: OnRuleChange,
    /// What whoever replays dead letters on the live page has to show; without one it is read-only.
    pub admin_token: Option<AdminToken>,
    /// Whether the log channel prints alerts to stdout.
    pub log_channel: bool,
}

impl Settings {
    /// Defaults for the broker at an address.
    #[must_use]
    pub fn new(bootstrap_servers: &str) -> Self {
        Self {
            kafka: KafkaSettings { delivery: Delivery::Transactional, ..KafkaSettings::new(bootstrap_servers) },
            listen: LISTEN.to_owned(),
            rules: RuleSource { file: None, calories_threshold: 200.0 },
            on_rule_change: OnRuleChange::default(),
            admin_token: None,
            log_channel: true,
        }
    }

    /// Reads the settings.
    pub fn read(from: &mut Source) -> Self {
        Self {
            kafka: KafkaSettings::read_or(from, Delivery::Transactional),
            listen: http::listen_setting(from, LISTEN),
            rules: RuleSource::read(from),
            on_rule_change: on_rule_change(from),
            admin_token: from
                .get::<String>(
                    "admin_token",
                    "Lets whoever knows it replay dead letters on the live page, which is read-only without",
                )
                .maybe()
                .map(|token| AdminToken::new(Secret::from(&*token))),
            log_channel: from.get::<bool>("log_channel", "Whether alerts are printed to stdout, a line each").or(true),
        }
    }
}

fn on_rule_change(from: &mut Source) -> OnRuleChange {
    let given = from
        .get::<String>(
            "on_rule_change",
            "What a new or changed rule does about recipes that are known already: silent only notes what it says of them, \
            alert raises an alert where it holds now and did not before",
        )
        .choices(&["silent", "alert"])
        .or("silent".to_owned());
    if given == "alert" { OnRuleChange::Alert } else { OnRuleChange::Silent }
}
