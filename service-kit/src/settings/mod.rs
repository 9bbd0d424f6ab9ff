//! Settings from flags, environment and a TOML file, under the same names.
//!
//! `calories_threshold` is `--calories-threshold` on the command line, `CALORIES_THRESHOLD` in the environment and
//! `calories_threshold` in the file that `--config` (or `CONFIG`) names. Flags win over environment, environment over
//! file, file over default. An empty environment variable counts as not set. A setting is declared where it is read:
//!
//! ```
//! # use service_kit::settings::Source;
//! # let mut from = Source::from_pairs([("calories_threshold", "250")]);
//! let threshold = from
//!     .get::<f64>("calories_threshold", "Calories above which a recipe raises an alert")
//!     .flag("threshold")          // a second, shorter flag
//!     .unit("kcal a serving")
//!     .within(0.0..=100_000.0)
//!     .or(200.0);
//! from.finish()?;                 // everything that is wrong, at once
//! # assert_eq!(threshold, 250.0);
//! # Ok::<(), service_kit::Failure>(())
//! ```

mod help;
mod pending;
mod source;
mod value;

pub use pending::Pending;
pub use source::{Invocation, Source};
pub use value::{Size, Value};
