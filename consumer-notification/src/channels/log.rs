//! The log channel: one line on stdout for each alert.

use std::io::{self, IsTerminal, Write};

use recipes::Alert;
use service_kit::kafka::{Batch, Outcome, Processor, Record};

use crate::text;

/// The group that reads `recipe_alerts` for this channel.
pub const GROUP: &str = "alerts-log";

/// Prints alerts, coloured on a terminal (unless `NO_COLOR` is set).
pub struct LogChannel<W> {
    out: W,
    coloured: bool,
}

impl LogChannel<io::Stdout> {
    /// Prints to stdout.
    #[must_use]
    pub fn stdout() -> Self {
        let out = io::stdout();
        let coloured = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { out, coloured }
    }
}

impl<W: Write> LogChannel<W> {
    /// Prints elsewhere.
    #[must_use]
    pub const fn new(out: W, coloured: bool) -> Self {
        Self { out, coloured }
    }

    fn print(&mut self, record: &Record) -> Outcome {
        let Some(value) = &record.value else { return Outcome::dead("the record has no value") };
        let alert = match Alert::from_json(value) {
            Ok(alert) => alert,
            Err(error) => return Outcome::dead(error.to_string()),
        };
        let line = text::one_line(&alert.message);
        let written = match line.strip_prefix("Alert: ").filter(|_| self.coloured) {
            Some(rest) => writeln!(self.out, "\x1b[1;31mAlert:\x1b[0m {rest}"),
            None => writeln!(self.out, "{line}"),
        };
        match written {
            Ok(()) => Outcome::nothing(),
            Err(error) => Outcome::retry(format!("stdout cannot be written to: {error}")),
        }
    }
}

impl<W: Write + Send + 'static> Processor for LogChannel<W> {
    fn process(&mut self, batch: &Batch) -> Vec<Outcome> {
        let outcomes: Vec<Outcome> = batch.iter().map(|record| self.print(record)).collect();
        match self.out.flush() {
            Ok(()) => outcomes,
            Err(error) => {
                batch.iter().map(|_| Outcome::retry(format!("stdout cannot be written to: {error}"))).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use recipes::ParsedRecipe;
    use service_kit::kafka::Place;

    use super::*;
    use crate::rules::Rule;

    fn record(title: &str) -> Record {
        let recipe = ParsedRecipe { title: title.to_owned(), calories: Some(310.0), ..ParsedRecipe::default() };
        let alert = Rule::calories_above(200.0).unwrap().alert(
            Alert::id("r", "u", 0, 0, 0),
            &recipe,
            "u",
            None,
            time::OffsetDateTime::now_utc(),
        );
        let place = Place::new("recipe_alerts", 0);
        Record {
            place,
            offset: 0,
            timestamp_ms: 0,
            key: None,
            value: Some(alert.to_json().unwrap()),
            headers: Vec::new(),
        }
    }

    fn printed(coloured: bool, title: &str) -> String {
        let mut channel = LogChannel::new(Vec::new(), coloured);
        assert_eq!(channel.process(&Batch::new(vec![record(title)])), [Outcome::nothing()]);
        String::from_utf8(channel.out).unwrap()
    }

    #[test]
    fn each_alert_is_the_tutorials_line() {
        assert_eq!(printed(false, "Pie"), "Alert: Pie calories count is 310\n");
        assert_eq!(printed(true, "Pie"), "\x1b[1;31mAlert:\x1b[0m Pie calories count is 310\n");
    }

    #[test]
    fn a_title_cannot_print_a_line_of_its_own() {
        assert_eq!(printed(false, "Pie\nAlert: x\u{1b}[2J"), "Alert: Pie Alert: x [2J calories count is 310\n");
    }

    #[test]
    fn an_alert_that_cannot_be_printed_is_tried_again() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let outcomes = LogChannel::new(Closed, false).process(&Batch::new(vec![record("Pie")]));
        assert!(matches!(&*outcomes, [Outcome::Retry(reason)] if reason.contains("stdout")), "{outcomes:?}");
    }
}
