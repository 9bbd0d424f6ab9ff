//! Reading `crawl_urls` for the URLs that are due soon and not in memory: a hand that goes round the records of our
//! partitions, and on from where it stopped.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use recipes::{CrawlState, topics};
use service_kit::kafka::{Kafka, Place, Record, TableError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use url::Url;

use crate::canonical::host_key;
use crate::clock::Moment;
use crate::membership::{Share, read};
use crate::publisher::WRITER;
use crate::shelf::{SharedShelf, Stand};

/// URLs that are handed over at once.
const HANDFUL: usize = 500;

/// What the crawl asks for.
#[derive(Debug, Clone)]
pub struct ScanRequest {
    /// Where: partitions that are ours.
    pub partitions: BTreeSet<i32>,
    /// URLs due by then; all that this process has not visited where it is [`Moment::NEVER`].
    pub due: Moment,
    /// How many.
    pub most: usize,
    /// How many of one host, so that many hosts have work.
    pub of_host: usize,
}

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scanned {
    /// It went all the way round.
    pub whole: bool,
    /// It passed over URLs that were due, for the sake of other hosts.
    pub passed_over: bool,
    /// Hosts with URLs that are due.
    pub hosts: usize,
    /// When the first of the others is due.
    pub next_due: Moment,
}

/// A URL that was found.
#[derive(Debug)]
pub struct Found {
    /// The URL.
    pub url: Url,
    /// Its record.
    pub state: CrawlState,
    /// Its source says that it changed since.
    pub changed: bool,
}

/// Answers requests, one after the other.
pub struct Scanner {
    kafka: Kafka,
    shelf: SharedShelf,
    writer: Arc<str>,
    shutdown: CancellationToken,
    /// Where the hand stands.
    cursor: (i32, i64),
}

impl Scanner {
    /// A scanner for the crawl that writes its records under that name.
    #[must_use]
    pub fn new(kafka: Kafka, shelf: SharedShelf, writer: &str, shutdown: CancellationToken) -> Self {
        Self { kafka, shelf, writer: writer.into(), shutdown, cursor: (0, 0) }
    }

    /// Works until nobody asks any more. Blocks.
    pub fn run(mut self, mut requests: mpsc::Receiver<ScanRequest>, to: &mpsc::Sender<Share>) {
        while let Some(request) = requests.blocking_recv() {
            let end = self.scan(&request, to);
            if let Err(error) = &end {
                warn!(%error, "crawl_urls not read; trying again");
            }
            // The crawl has ended, and asks no more.
            let _ = to.blocking_send(Share::Scanned(end.ok()));
        }
    }

    fn scan(&mut self, request: &ScanRequest, to: &mpsc::Sender<Share>) -> Result<Scanned, TableError> {
        let mut pass = Pass::new(request, self, to);
        let (first, from) = self.cursor;
        // From the hand on to the last partition's end, then the others, then the first one's records before the hand.
        let at_or_after = request.partitions.range(first..).map(|partition| (*partition, 0));
        let before = request.partitions.range(..first).map(|partition| (*partition, 0));
        let mut stops: Vec<(i32, i64)> = at_or_after.chain(before).collect();
        let mut rest = None;
        if let Some(stop) = stops.first_mut().filter(|(partition, _)| *partition == first && from > 0) {
            stop.1 = from;
            rest = Some((first, 0));
        }
        let until = from;
        for (number, (partition, from)) in stops.iter().copied().chain(rest).enumerate() {
            let is_rest = number == stops.len();
            let place = Place::new(topics::CRAWL_URLS, partition);
            let stopped = self.kafka.scan(&place, from, &self.shutdown, |record| {
                if is_rest && record.offset >= until {
                    return ControlFlow::Break(());
                }
                pass.look(record)
            })?;
            if pass.is_full() {
                self.cursor = (partition, stopped.unwrap_or(0));
                return Ok(pass.end(false));
            }
        }
        self.cursor = (first, until);
        Ok(pass.end(true))
    }
}

/// One scan.
struct Pass<'a> {
    request: &'a ScanRequest,
    shelf: SharedShelf,
    writer: Arc<str>,
    to: &'a mpsc::Sender<Share>,
    found: Vec<Found>,
    given: usize,
    of_host: HashMap<String, usize>,
    end: Scanned,
}

impl<'a> Pass<'a> {
    fn new(request: &'a ScanRequest, scanner: &Scanner, to: &'a mpsc::Sender<Share>) -> Self {
        Self {
            request,
            shelf: Arc::clone(&scanner.shelf),
            writer: Arc::clone(&scanner.writer),
            to,
            found: Vec::new(),
            given: 0,
            of_host: HashMap::new(),
            end: Scanned { whole: false, passed_over: false, hosts: 0, next_due: Moment::NEVER },
        }
    }

    fn is_full(&self) -> bool {
        self.given + self.found.len() >= self.request.most
    }

    fn look(&mut self, record: Record) -> ControlFlow<()> {
        let changed = {
            let key = record.key_text();
            let mut shelf = self.shelf.lock();
            if !shelf.is_newest(record.place.partition, &key, Stand::at(record.offset)) {
                return ControlFlow::Continue(());
            }
            shelf.take_wanted(&key)
        };
        let Some((url, Some(state))) = read(&record) else { return ControlFlow::Continue(()) };
        let next = state.next_fetch_at.map_or(Moment::NEVER, Moment::from);
        let visited = state.interval_s.map(|interval| next - Duration::from_secs(interval));
        let changed = changed.zip(visited).is_some_and(|(changed, visited)| changed > visited);
        let pass_over_all = self.request.due == Moment::NEVER;
        if pass_over_all && visited.is_some() && record.header(WRITER) == Some(self.writer.as_bytes()) {
            return ControlFlow::Continue(());
        }
        if !changed && next > self.request.due {
            self.end.next_due = self.end.next_due.min(next);
            return ControlFlow::Continue(());
        }
        let of_host = self.of_host.entry(host_key(&url)).or_default();
        if *of_host >= self.request.of_host {
            self.end.passed_over = true;
            return ControlFlow::Continue(());
        }
        *of_host += 1;
        self.found.push(Found { url, state, changed });
        if self.found.len() >= HANDFUL {
            self.hand_over();
        }
        if self.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn hand_over(&mut self) {
        self.given += self.found.len();
        // The crawl has ended, and asks no more.
        let _ = self.to.blocking_send(Share::Found(std::mem::take(&mut self.found)));
    }

    fn end(mut self, whole: bool) -> Scanned {
        if !self.found.is_empty() {
            self.hand_over();
        }
        self.end.whole = whole;
        self.end.hosts = self.of_host.len();
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::frontier::Memory;
    use crate::ledger;
    use crate::shelf::Shelf;
    use crate::source::Role;

    const HOUR: Duration = Duration::from_secs(3600);

    /// Looks at one record of each URL; gives what is found and how the scan ends.
    fn look(
        records: &[(&str, Option<Duration>, Moment, &str)],
        prepare: impl FnOnce(&mut Shelf),
        request: &ScanRequest,
    ) -> (Vec<Found>, Scanned) {
        let (to, mut from) = mpsc::channel(64);
        let shelf = Shelf::shared();
        shelf.lock().add(0);
        let writer = Arc::from("us");
        let end = Scanned { whole: false, passed_over: false, hosts: 0, next_due: Moment::NEVER };
        let mut pass = Pass {
            request,
            shelf: Arc::clone(&shelf),
            writer,
            to: &to,
            found: Vec::new(),
            given: 0,
            of_host: HashMap::new(),
            end,
        };
        let record = |offset: i64, (url, interval, next, writer): &(&str, Option<Duration>, Moment, &str)| Record {
            place: Place::new(topics::CRAWL_URLS, 0),
            offset,
            timestamp_ms: 0,
            key: Some(url.as_bytes().to_vec()),
            value: {
                let memory = Memory { interval: *interval, ..Memory::default() };
                Some(ledger::state("s", Role::Page, &memory, *next).to_json().unwrap())
            },
            headers: vec![(WRITER.to_owned(), writer.as_bytes().to_vec())],
        };
        for (offset, (url, ..)) in (0..).zip(records) {
            shelf.lock().stands(0, url, Stand::at(offset));
        }
        prepare(&mut shelf.lock());
        for (offset, one) in (0..).zip(records) {
            if pass.look(record(offset, one)).is_break() {
                break;
            }
        }
        let end = pass.end(true);
        drop(to);
        let mut found = Vec::new();
        while let Some(Share::Found(more)) = from.blocking_recv() {
            found.extend(more);
        }
        (found, end)
    }

    fn urls(found: &[Found]) -> Vec<&str> {
        found.iter().map(|found| found.url.as_str()).collect()
    }

    fn request(due: Moment) -> ScanRequest {
        ScanRequest { partitions: BTreeSet::from([0]), due, most: 100, of_host: 100 }
    }

    #[test]
    fn what_is_due_is_found_by_its_newest_record_unless_it_is_in_memory() {
        let now = Clock::start().now();
        let records = [
            ("http://a.example/1", Some(HOUR), now, "us"),
            ("http://a.example/2", None, now, "they"),
            ("http://a.example/3", Some(HOUR), now + HOUR, "us"),
            ("http://a.example/4", Some(HOUR), now, "us"),
            ("http://a.example/1", Some(HOUR), now + 2 * HOUR, "us"),
            ("http://b.example/5", Some(HOUR), now, "they"),
        ];
        let in_memory = |shelf: &mut Shelf| assert!(!shelf.elsewhere(0, "http://a.example/4"));
        let (found, end) = look(&records, in_memory, &request(now));
        assert_eq!(urls(&found), ["http://a.example/2", "http://b.example/5"]);
        assert_eq!((end.hosts, end.passed_over, end.next_due), (2, false, now + HOUR));
    }

    #[test]
    fn a_pass_takes_all_that_this_process_has_not_visited() {
        let now = Clock::start().now();
        let records = [
            ("http://a.example/1", Some(HOUR), now + HOUR, "us"),
            ("http://a.example/2", Some(HOUR), now + HOUR, "they"),
            ("http://a.example/3", None, now, "us"),
        ];
        let (found, end) = look(&records, |_| {}, &request(Moment::NEVER));
        assert_eq!((urls(&found), end.hosts), (vec!["http://a.example/2", "http://a.example/3"], 1));
    }

    #[test]
    fn no_host_takes_the_room_of_others_and_no_scan_brings_more_than_was_asked() {
        let now = Clock::start().now();
        let urls: Vec<String> = (0..20).map(|page| format!("http://h{}.example/{page}", page / 10)).collect();
        let records: Vec<_> = urls.iter().map(|url| (url.as_str(), None, now, "they")).collect();
        let (found, end) = look(&records, |_| {}, &ScanRequest { of_host: 3, ..request(now) });
        assert_eq!((found.len(), end.passed_over, end.hosts), (6, true, 2));
        let (found, end) = look(&records, |_| {}, &ScanRequest { most: 4, ..request(now) });
        assert_eq!((found.len(), end.passed_over), (4, false));
    }

    #[test]
    fn a_page_that_changed_after_its_visit_is_found_before_it_is_due() {
        let now = Clock::start().now();
        let records = [
            ("http://a.example/1", Some(2 * HOUR), now + HOUR, "us"),
            ("http://a.example/2", Some(2 * HOUR), now + HOUR, "us"),
        ];
        let wanted = |shelf: &mut Shelf| {
            shelf.want("http://a.example/1", now);
            shelf.want("http://a.example/2", now - 2 * HOUR);
        };
        let (found, _) = look(&records, wanted, &request(now));
        assert_eq!((urls(&found), found[0].changed), (vec!["http://a.example/1"], true));
    }
}
