//! From what pages write to values: numbers, durations, energy, yields, names.

mod author;
mod duration;
mod energy;
mod lists;
mod number;
mod text;
mod yields;

pub use author::author_name;
pub use duration::{is_duration, minutes};
pub use energy::{Basis, Energy, grams, kcal, kcal_columns, quantity};
pub use lists::{steps, tidy_ingredients, tidy_steps, unmarked};
pub use number::{Number, first_number, numbers};
pub use text::{clean, clean_lines, cleaned, site_in_title, strip_tags, title};
pub use yields::Yield;
