//! The process as the kernel sees it, under the names Prometheus' client libraries use.

use std::fs;

use metrics::{counter, gauge};

/// Reads `/proc/self` and sets the metrics. Where there is no `/proc`, they are absent.
pub(super) fn observe() {
    let page = rustix::param::page_size() as f64;
    if let Ok(text) = fs::read_to_string("/proc/self/statm") {
        let mut pages = text.split(' ').filter_map(|field| field.parse::<f64>().ok());
        if let (Some(size), Some(resident)) = (pages.next(), pages.next()) {
            gauge!("process_virtual_memory_bytes").set(size * page);
            gauge!("process_resident_memory_bytes").set(resident * page);
        }
    }
    if let Ok(text) = fs::read_to_string("/proc/self/stat") {
        // The second field is the program's name in parentheses, which may hold blanks.
        let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
        let ticks = rustix::param::clock_ticks_per_second();
        if let (Some(user), Some(system)) = (number(11), number(12)) {
            counter!("process_cpu_seconds_total").absolute((user + system) / ticks.max(1));
        }
        if let Some(threads) = number(17) {
            gauge!("process_threads").set(threads as f64);
        }
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        gauge!("process_open_fds").set(entries.count() as f64);
    }
    if let Some(limit) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        gauge!("process_max_fds").set(limit as f64);
    }
}
