//! Sequences that proptest makes up. They are the same in every run unless a seed is named; what differs is made as
//! short as it still differs.

mod consumer_groups;
mod groups;
mod log;
mod topics;
mod transactions;

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use wire::ApiKey;

use super::session::Session;
use super::suite::words;

/// Sequences of each kind, where nobody says how many.
const CASES: u32 = 12;
/// Most attempts to make a sequence shorter.
const ATTEMPTS: u32 = 120;

/// How many sequences there are of each kind, and where they come from.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Sequences of each kind.
    pub cases: u32,
    /// The seed of the generator.
    pub seed: u64,
}

impl Plan {
    /// From the environment: `DIFFERENTIAL_CASES`, and `DIFFERENTIAL_SEED`, a number or `random`.
    ///
    /// # Panics
    /// When they are no numbers.
    #[must_use]
    pub fn from_env() -> Self {
        let cases = std::env::var("DIFFERENTIAL_CASES").map_or(CASES, |text| text.parse().expect("a number of cases"));
        let seed = match std::env::var("DIFFERENTIAL_SEED").as_deref() {
            Err(_) => 0,
            Ok("random") => u64::from(std::process::id()) << 32 | u64::from(wall_clock()),
            Ok(number) => number.parse().expect("a seed"),
        };
        Self { cases, seed }
    }
}

/// Parts of a second, in ns.
fn wall_clock() -> u32 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos())
}

/// Runs the kinds of sequences whose names are wanted.
pub fn run_all(session: &mut Session, plan: Plan, wanted: impl Fn(&str) -> bool) {
    if wanted("generated-log") {
        run(session, plan, "generated-log", &log::sequences(), log::play);
    }
    // The older release's versions of these APIs are few.
    if session.judged(ApiKey::JoinGroup).is_none() {
        return;
    }
    if wanted("generated-groups") {
        run(session, plan, "generated-groups", &groups::sequences(), groups::play);
    }
    if wanted("generated-topics") {
        run(session, plan, "generated-topics", &topics::sequences(), topics::play);
    }
    if wanted("generated-consumer-groups") {
        run(session, plan, "generated-consumer-groups", &consumer_groups::sequences(), consumer_groups::play);
    }
    for (name, level) in [("generated-transactions-v1", 1), ("generated-transactions-v2", 2)] {
        if wanted(name) {
            session.begin(name, ApiKey::ApiVersions, 0, name);
            transactions::speak(session, level);
            run(session, plan, name, &transactions::sequences(), |s, steps| transactions::play(s, steps, level));
        }
    }
}

fn run<S: Strategy>(
    session: &mut Session,
    plan: Plan,
    name: &'static str,
    sequences: &S,
    play: impl Fn(&mut Session, &S::Value),
) where
    S::Value: Debug,
{
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&plan.seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    for case in 0..plan.cases {
        let Ok(mut sequence) = sequences.new_tree(&mut runner) else { continue };
        session.report.generated += 1;
        let mut attempt = 0;
        let mut differs = |session: &mut Session, sequence: &S::Value| {
            // Names of its own for every attempt, so that it begins with nothing there.
            session.begin(name, ApiKey::ApiVersions, 0, &format!("{name}-{case}-{attempt}"));
            session.forget_ids();
            attempt += 1;
            let result = catch_unwind(AssertUnwindSafe(|| play(session, sequence)));
            if let Err(panic) = &result {
                session.report.difference(format!("{name}: {}", words(panic.as_ref())));
            }
            result.is_err() || session.unexplained() > 0
        };
        session.report.hush(true);
        let is_different = differs(session, &sequence.current());
        if !is_different {
            session.report.hush(false);
            continue;
        }
        let mut shortest = sequence.current();
        let mut is_simpler = sequence.simplify();
        for _ in 0..ATTEMPTS {
            if !is_simpler {
                break;
            }
            is_simpler = if differs(session, &sequence.current()) {
                shortest = sequence.current();
                sequence.simplify()
            } else {
                sequence.complicate()
            };
        }
        session.report.hush(false);
        differs(session, &shortest);
        session.report.fail(format!("{name}: seed {}, sequence {case}, in short: {shortest:?}", plan.seed));
    }
}
