//! Levels of the log that change while the broker runs: the loggers of `kafka-configs --entity-type broker-loggers`.
//!
//! A logger is a module of this program and all below it, with dots in its name where Rust has two colons, which Kafka's
//! tools refuse. Levels set here end with the process, as Kafka's do.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use parking_lot::Mutex;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// What Kafka calls the logger above all others.
pub const ROOT: &str = "root";
/// The levels that a logger may be given, as Kafka lists them.
pub const LEVELS: [&str; 6] = ["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"];
/// The loggers that there are besides [`ROOT`].
const MODULES: [&str; 11] = [
    "broker",
    "broker.api",
    "broker.cleaner",
    "broker.config",
    "broker.groups",
    "broker.metadata",
    "broker.replica",
    "broker.server",
    "broker.transactions",
    "commitlog",
    "wire",
];

static INSTALLED: OnceLock<Loggers> = OnceLock::new();

/// The levels of this process's log.
#[derive(Debug)]
pub struct Loggers {
    handle: reload::Handle<EnvFilter, Registry>,
    levels: Mutex<Levels>,
}

impl Loggers {
    /// Takes over the log that begins with `filter`.
    pub(super) fn install(handle: reload::Handle<EnvFilter, Registry>, filter: &str) {
        let levels = Mutex::new(Levels { filter: filter.to_owned(), set: BTreeMap::new() });
        // The first log of a process stays.
        let _ = INSTALLED.set(Self { handle, levels });
    }

    /// Those of this process; none where the broker is part of another program, which has a log of its own.
    #[must_use]
    pub fn installed() -> Option<&'static Self> {
        INSTALLED.get()
    }

    /// Every logger with its level, by name.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, &'static str)> {
        let levels = self.levels.lock();
        MODULES.into_iter().chain([ROOT]).map(|name| (name, levels.of(name))).collect()
    }

    /// Sets levels, and takes them back where they are `None`.
    pub fn change<'a>(&self, changes: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) {
        let mut levels = self.levels.lock();
        for (name, level) in changes {
            match level {
                Some(level) => levels.set.insert(name.to_owned(), level.to_owned()),
                None => levels.set.remove(name),
            };
        }
        // It fails only where the log is gone, with the process.
        let _ = self.handle.reload(EnvFilter::new(levels.directives()));
    }
}

/// Whether there is a logger of that name.
#[must_use]
pub fn exists(name: &str) -> bool {
    name == ROOT || MODULES.contains(&name)
}

/// The filter of the start, and what was set since.
#[derive(Debug)]
struct Levels {
    filter: String,
    set: BTreeMap<String, String>,
}

impl Levels {
    /// All of it as a filter: of two directives for one target the later one counts.
    fn directives(&self) -> String {
        let set = self.set.iter().map(|(name, level)| {
            // There is no level above this one here.
            let level = if level == "FATAL" { "error".to_owned() } else { level.to_lowercase() };
            if name == ROOT { level } else { format!("{}={level}", name.replace('.', "::")) }
        });
        std::iter::once(self.filter.clone()).chain(set).collect::<Vec<_>>().join(",")
    }

    /// The level in force for a logger, in Kafka's words; the one of the nearest module above where it has none.
    fn of(&self, name: &str) -> &'static str {
        let of_start =
            self.filter.split(',').map(|directive| directive.trim().split_once('=').unwrap_or(("", directive)));
        let set = self.set.iter().map(|(name, level)| (if name == ROOT { "" } else { name }, level.as_str()));
        let mut found = (0, "ERROR");
        for (target, level) in of_start.chain(set) {
            let Some(level) = shown(level.trim()) else { continue };
            let target = target.replace("::", ".");
            let below = name.strip_prefix(&*target).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            let depth = target.len();
            if (target.is_empty() || (name != ROOT && below)) && depth >= found.0 {
                found = (depth, level);
            }
        }
        found.1
    }
}

fn shown(level: &str) -> Option<&'static str> {
    const SHOWN: [&str; 7] = ["OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
    SHOWN.into_iter().find(|shown| shown.eq_ignore_ascii_case(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_module_above_decides_and_what_is_set_later_wins() {
        let mut levels = Levels { filter: "info,broker::groups=warn".to_owned(), set: BTreeMap::new() };
        assert_eq!([levels.of(ROOT), levels.of("broker"), levels.of("broker.groups")], ["INFO", "INFO", "WARN"]);
        levels.set.insert("broker".to_owned(), "DEBUG".to_owned());
        assert_eq!(levels.of("broker.api"), "DEBUG");
        assert_eq!([levels.of("broker.groups"), levels.of("commitlog")], ["WARN", "INFO"]);
        levels.set.insert(ROOT.to_owned(), "FATAL".to_owned());
        assert_eq!([levels.of(ROOT), levels.of("commitlog"), levels.of("broker")], ["FATAL", "FATAL", "DEBUG"]);
        assert_eq!(levels.directives(), "info,broker::groups=warn,broker=debug,error");
        assert!(EnvFilter::try_new(levels.directives()).is_ok());
    }
}
