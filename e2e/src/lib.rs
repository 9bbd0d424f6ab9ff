//! Tests with real clients, real files and real processes.
//!
//! The tests find our programs in the folder that `E2E_BINARIES` names, or build them with the profile they were built
//! with themselves ([`programs`]). A test whose prerequisite is missing says so on stderr and passes, unless
//! `E2E_REQUIRE` names that prerequisite (with commas between several): then it fails ([`prerequisites`]).

mod broker;
pub mod differential;
mod ports;
pub mod prerequisites;
mod process;
pub mod programs;
pub mod topic;
mod web;

pub use broker::Broker;
pub use ports::free_port;
pub use process::{Finished, Process};
pub use web::{Seen, Web};
