//! What the notifier needs to know.

use service_kit::http;
use service_kit::kafka::KafkaSettings;
use service_kit::settings::Source;

/// Address of the live page, health and metrics.
pub const LISTEN: &str = "0.0.0.0:8080";

/// Settings of the notifier.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How to reach Kafka.
    pub kafka: KafkaSettings,
    /// Address of the live page, health and metrics.
    pub listen: String,
    /// Calories above which a recipe raises an alert, in kcal a serving, 0 to 100,000.
    pub calories_threshold: f64,
    /// Whether the log channel prints alerts to stdout.
    pub log_channel: bool,
}

impl Settings {
    /// Defaults for the broker at an address.
    #[must_use]
    pub fn new(bootstrap_servers: &str) -> Self {
        Self {
            kafka: KafkaSettings::new(bootstrap_servers),
            listen: LISTEN.to_owned(),
            calories_threshold: 200.0,
            log_channel: true,
        }
    }

    /// Reads the settings.
    pub fn read(from: &mut Source) -> Self {
        Self {
            kafka: KafkaSettings::read(from),
            listen: http::listen_setting(from, LISTEN),
            calories_threshold: from
                .get::<f64>("calories_threshold", "Calories above which a recipe raises an alert")
                .flag("threshold")
                .unit("kcal a serving")
                .within(0.0..=recipes::MAX_KCAL)
                .or(200.0),
            log_channel: from.get::<bool>("log_channel", "Whether alerts are printed to stdout, a line each").or(true),
        }
    }
}
