//! The notifier as a process of its own.

use std::process::ExitCode;

use consumer_notification::Notifier;

fn main() -> ExitCode {
    service_kit::start::<Notifier>()
}
