//! The broker as a program.

use std::process::ExitCode;
use std::time::Instant;

use broker::cli::exit::{Exit, Failure};
use broker::cli::{self, Command, healthcheck, start};

fn main() -> ExitCode {
    let started = Instant::now();
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(answer) => {
            // A closed pipe behind `--help` is nothing to report.
            let _ = answer.print();
            return if answer.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    match run(cli.command, started) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            failure.exit.into()
        }
    }
}

fn run(command: Command, started: Instant) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::new(Exit::Software, format!("cannot start threads: {error}; raise the limit of processes"))
    })?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Start(args) => start::run(args, started).await,
            Command::Healthcheck(args) => healthcheck::run(&args).await,
        }
    });
    // Work that a second signal or the deadline left behind must not keep the process.
    runtime.shutdown_background();
    outcome
}

#[expect(clippy::print_stderr, reason = "the last word to the user, whatever becomes of the log")]
fn report(failure: &Failure) {
    for line in failure.to_string().lines() {
        eprintln!("broker: {line}");
    }
}
