//! Fetches recipe pages and publishes them to raw_recipes.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::start::<producer_raw_recipes::ProducerRawRecipes>()
}
