//! `parser-recipes`: the service, and `parser-recipes extract` for pages in files.

use std::io::Write;
use std::process::ExitCode;

use parser_recipes::{Parser, command};

fn main() -> ExitCode {
    // Its flags are not the service's settings, so it is told apart before they are read.
    if std::env::args_os().nth(1).is_some_and(|verb| verb == "extract") {
        return match command::main() {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                // Nobody is left to tell when stderr is gone.
                let _ = writeln!(std::io::stderr(), "parser-recipes: {failure}");
                failure.exit().into()
            }
        };
    }
    service_kit::start::<Parser>()
}
