//! What a run that ends by itself has to say at its end.

use std::fmt;
use std::time::Duration;

use service_kit::Handle;

/// Where every page of a run ended up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Pages that were published.
    pub pages: u64,
    /// Recipes read from them.
    pub recipes: u64,
    /// Alerts raised.
    pub alerts: u64,
    /// Recipes that raised one or more of them.
    pub alerted: u64,
    /// Recipes above the threshold that had raised their alert before.
    pub alerted_before: u64,
    /// Recipes at or below the threshold.
    pub below: u64,
    /// Recipes that say nothing of calories.
    pub no_calories: u64,
    /// Pages and recipes that could not be used, each with its reason in a `.dead` topic.
    pub dead_letters: u64,
    /// Pages that could not be fetched, robots.txt's included.
    pub failures: u64,
    /// From the start of the process.
    pub elapsed: Duration,
}

impl Summary {
    /// Reads the services' counters.
    pub fn of(producer: &Handle, parser: &Handle, notifier: &Handle, elapsed: Duration) -> Self {
        let dead_letters = [producer, parser, notifier].iter().map(|handle| handle.count("dead_letters")).sum();
        Self {
            pages: producer.count("published") + producer.count("dead_letters"),
            recipes: parser.count("consumed") - parser.count("dead_letters"),
            alerts: notifier.count("alerts"),
            alerted: notifier.count("alerted_recipes"),
            alerted_before: notifier.count("repeated"),
            below: notifier.count("below_threshold"),
            no_calories: notifier.count("no_calories"),
            dead_letters,
            failures: producer.count("failures"),
            elapsed,
        }
    }

    /// Whether every page is in exactly one of the outcomes.
    pub fn is_accounted_for(&self) -> bool {
        self.alerted + self.alerted_before + self.below + self.no_calories + self.dead_letters == self.pages
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pages, recipes, alerts, alerted_before, below, no_calories, dead_letters, failures, elapsed, ..
        } = self;
        write!(f, "{pages} pages, {recipes} recipes: {alerts} alerts, ")?;
        if *alerted_before > 0 {
            write!(f, "{alerted_before} alerted before, ")?;
        }
        write!(f, "{below} below the threshold, {no_calories} without calories, {dead_letters} dead letters")?;
        if *failures > 0 {
            write!(f, "; {failures} pages not fetched")?;
        }
        write!(f, "; {:.1} seconds", elapsed.as_secs_f64())
    }
}
