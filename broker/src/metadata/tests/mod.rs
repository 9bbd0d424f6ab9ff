//! The controller as a whole: what it answers, and what is there after a stop, a kill or a crash.

mod answers;
mod durability;
mod faults;
mod node;
mod sequences;
