use super::*;
use proptest::prelude::*;

/// A delay as the frontier waits it, cut to milliseconds in our favour.
const SECOND: Duration = Duration::from_millis(1001);

fn frontier() -> Frontier {
    let politeness = Limits::default();
    let own = Limits { delay: Duration::ZERO, connections: 8, ..politeness };
    Frontier::new(Bounds { urls: 1000, redirects: 3, politeness, own, own_hosts: vec!["own.example".into()] })
}

fn link(url: &str) -> Link {
    Link::new(Url::parse(url).unwrap(), Role::Page)
}

/// Takes the next job, which must be the robots.txt of a host, and answers it.
fn answer_robots(frontier: &mut Frontier, text: &str, now: Moment) {
    let Next::Robots(job) = frontier.next(now) else { panic!("robots.txt comes first") };
    assert_eq!(job.url.path(), "/robots.txt");
    frontier.released(&job.url, Lesson::Answered, now);
    frontier.robots(job, RobotsAnswer::Rules(Robots::parse(text.as_bytes(), "RecipeAlert")), now);
}

fn fetch(frontier: &mut Frontier, now: Moment) -> Visit {
    match frontier.next(now) {
        Next::Fetch(visit) => visit,
        other => panic!("expected a page, got {other:?}"),
    }
}

fn finish(frontier: &mut Frontier, visit: &Visit, next: Moment, now: Moment) {
    frontier.released(&visit.at, Lesson::Answered, now);
    frontier.settled(visit.id, Memory::default(), next, now);
}

#[test]
fn robots_come_first_then_pages_one_by_one_a_delay_apart() {
    let mut frontier = frontier();
    let start = Moment(1000);
    for path in ["1", "2"] {
        assert_eq!(frontier.offer(&link(&format!("http://a.example/{path}")), 0, start), Offer::New);
    }
    assert_eq!(frontier.offer(&link("http://a.example/1"), 0, start), Offer::Known);
    answer_robots(&mut frontier, "", start);
    assert!(matches!(frontier.next(start), Next::Wait(Some(until)) if until == start + SECOND));
    let now = start + SECOND;
    let visit = fetch(&mut frontier, now);
    assert!(matches!(frontier.next(now + 10 * SECOND), Next::Wait(None)), "one connection a host");
    let now = now + 10 * SECOND;
    finish(&mut frontier, &visit, Moment::NEVER, now);
    assert!(matches!(frontier.next(now), Next::Wait(Some(until)) if until == now + SECOND));
    let visit = fetch(&mut frontier, now + SECOND);
    finish(&mut frontier, &visit, Moment::NEVER, now + SECOND);
    assert_eq!(frontier.open(), 0);
}

#[test]
fn hosts_do_not_wait_for_one_another() {
    let mut frontier = frontier();
    let now = Moment(1000);
    for host in 0..50 {
        frontier.offer(&link(&format!("http://h{host}.example/")), 0, now);
    }
    for _ in 0..50 {
        assert!(matches!(frontier.next(now), Next::Robots(_)));
    }
    assert!(matches!(frontier.next(now), Next::Wait(None)));
}

#[test]
fn own_hosts_have_no_delay_and_more_connections() {
    let mut frontier = frontier();
    let now = Moment(1000);
    for page in 0..10 {
        frontier.offer(&link(&format!("http://own.example/{page}")), 0, now);
    }
    answer_robots(&mut frontier, "", now);
    for _ in 0..8 {
        fetch(&mut frontier, now);
    }
    assert!(matches!(frontier.next(now), Next::Wait(None)));
}

#[test]
fn what_robots_forbids_is_refused_without_a_request() {
    let mut frontier = frontier();
    let now = Moment(1000);
    frontier.offer(&link("http://a.example/private/1"), 0, now);
    answer_robots(&mut frontier, "User-agent: *\nDisallow: /private/\nCrawl-delay: 7\n", now);
    let Next::Refuse(visit, FetchError::Disallowed) = frontier.next(now + SECOND) else { panic!("forbidden") };
    frontier.settled(visit.id, Memory::default(), Moment::NEVER, now);
    assert_eq!(frontier.open(), 0);
}

#[test]
fn crawl_delay_counts_from_the_robots_request_on() {
    let mut frontier = frontier();
    let now = Moment(1000);
    frontier.offer(&link("http://a.example/1"), 0, now);
    frontier.offer(&link("http://a.example/2"), 0, now);
    answer_robots(&mut frontier, "User-agent: *\nCrawl-delay: 7\n", now);
    let visit = fetch(&mut frontier, now + 7 * SECOND);
    finish(&mut frontier, &visit, Moment::NEVER, now + 8 * SECOND);
    let expected = now + 8 * SECOND + Duration::from_millis(7001);
    assert!(matches!(frontier.next(now + 9 * SECOND), Next::Wait(Some(until)) if until == expected));
}

#[test]
fn unreachable_robots_refuse_everything_and_are_asked_for_again() {
    let mut frontier = frontier();
    let mut now = Moment(1000);
    frontier.offer(&link("http://a.example/1"), 0, now);
    for _ in 0..3 {
        let Next::Robots(job) = frontier.next(now) else { panic!("robots.txt") };
        frontier.released(&job.url.clone(), Lesson::Failed, now);
        frontier.robots(job, RobotsAnswer::Unreachable("http status 500".into()), now);
        now = now + SECOND;
    }
    let Next::Refuse(visit, FetchError::RobotsUnreachable(reason)) = frontier.next(now) else { panic!("refused") };
    assert_eq!(reason, "http status 500");
    frontier.settled(visit.id, Memory::default(), now + 2 * ROBOTS_RETRY, now);
    answer_robots(&mut frontier, "", now + 2 * ROBOTS_RETRY);
}

#[test]
fn a_redirect_waits_its_turn_at_the_other_host_and_obeys_its_robots() {
    let mut frontier = frontier();
    let now = Moment(1000);
    frontier.offer(&link("http://own.example/1"), 0, now);
    answer_robots(&mut frontier, "", now);
    let visit = fetch(&mut frontier, now);
    frontier.released(&visit.at, Lesson::Answered, now);
    frontier.redirected(visit.id, Url::parse("http://b.example/x").unwrap(), now).unwrap();
    answer_robots(&mut frontier, "User-agent: *\nDisallow: /x\n", now);
    let Next::Refuse(visit, FetchError::Disallowed) = frontier.next(now + SECOND) else { panic!("forbidden there") };
    assert_eq!((visit.url.as_str(), visit.at.as_str()), ("http://own.example/1", "http://b.example/x"));
}

#[test]
fn redirects_end() {
    let mut frontier = frontier();
    let now = Moment(1000);
    frontier.offer(&link("http://own.example/1"), 0, now);
    answer_robots(&mut frontier, "", now);
    let mut hops = 0;
    loop {
        let visit = fetch(&mut frontier, now);
        frontier.released(&visit.at, Lesson::Answered, now);
        let to = Url::parse(&format!("http://own.example/{}", hops % 2)).unwrap();
        match frontier.redirected(visit.id, to, now) {
            Ok(()) => hops += 1,
            Err(error) => break assert_eq!(error, FetchError::TooManyRedirects(3)),
        }
    }
    assert_eq!(hops, 3);
}

#[test]
fn robots_of_one_host_may_be_at_another() {
    let mut frontier = frontier();
    let now = Moment(1000);
    frontier.offer(&link("http://a.example/secret"), 0, now);
    let Next::Robots(job) = frontier.next(now) else { panic!("robots.txt") };
    frontier.released(&job.url, Lesson::Answered, now);
    frontier.robots(job, RobotsAnswer::Redirect(Url::parse("http://www.a.example/robots.txt").unwrap()), now);
    let Next::Robots(job) = frontier.next(now) else { panic!("redirected robots.txt") };
    assert_eq!(job.url.host_str(), Some("www.a.example"));
    frontier.released(&job.url, Lesson::Answered, now);
    let rules = Robots::parse(b"User-agent: *\nDisallow: /secret\n", "RecipeAlert");
    frontier.robots(job, RobotsAnswer::Rules(rules), now);
    assert!(matches!(frontier.next(now + SECOND), Next::Refuse(_, FetchError::Disallowed)));
}

#[test]
fn a_page_is_visited_again_when_due_or_when_its_source_says_it_changed() {
    let mut frontier = frontier();
    let now = Moment::from(time::macros::datetime!(2026-01-10 00:00 UTC));
    let mut page = link("http://own.example/1");
    frontier.offer(&page, 0, now);
    answer_robots(&mut frontier, "", now);
    let visit = fetch(&mut frontier, now);
    finish(&mut frontier, &visit, now + 3600 * SECOND, now);
    assert!(matches!(frontier.next(now), Next::Wait(Some(until)) if until == now + 3600 * SECOND));
    page.changed = Some(time::macros::datetime!(2026-01-09 00:00 UTC));
    assert_eq!(frontier.offer(&page, 0, now + SECOND), Offer::Known);
    page.changed = Some(time::macros::datetime!(2026-01-11 00:00 UTC));
    assert_eq!(frontier.offer(&page, 0, now + SECOND), Offer::Changed);
    let visit = fetch(&mut frontier, now + SECOND);
    finish(&mut frontier, &visit, Moment::NEVER, now + SECOND);
    assert!(matches!(frontier.next(now + 9000 * SECOND), Next::Wait(None)), "not twice");
    assert_eq!(frontier.open(), 0);
}

#[test]
fn a_drained_host_gives_every_visit_back_once() {
    let mut frontier = frontier();
    let now = Moment(1000);
    for page in 0..5 {
        frontier.offer(&link(&format!("http://a.example/{page}")), 0, now);
    }
    let drained = frontier.drain_host(&Url::parse("http://a.example/").unwrap());
    assert_eq!(drained.len(), 5);
    for visit in drained {
        frontier.settled(visit.id, Memory::default(), Moment::NEVER, now);
    }
    assert_eq!(frontier.open(), 0);
    assert!(matches!(frontier.next(now), Next::Wait(None)));
}

#[test]
fn the_frontier_is_bounded() {
    let mut frontier = frontier();
    for page in 0..1000 {
        assert_eq!(frontier.offer(&link(&format!("http://a.example/{page}")), 0, Moment(0)), Offer::New);
    }
    assert_eq!(frontier.offer(&link("http://a.example/one-more"), 0, Moment(0)), Offer::Full);
}

proptest! {
    /// However jobs interleave, each page is visited once a pass, hosts see one request at a time a delay apart, and the
    /// pass ends.
    #[test]
    fn a_pass_visits_each_page_once(
        pages in proptest::collection::vec((0_u8..4, 0_u8..20), 1..40),
        choices in proptest::collection::vec(any::<u8>(), 1..60),
    ) {
        let mut frontier = frontier();
        let mut now = Moment(1_000_000);
        let mut expected = std::collections::BTreeSet::new();
        for (host, page) in pages {
            let url = format!("http://h{host}.example/{page}");
            frontier.offer(&link(&url), 0, now);
            expected.insert(url);
        }
        let mut visited = Vec::new();
        let mut under_way: Vec<(Url, Option<Visit>, Option<RobotsJob>)> = Vec::new();
        let mut last: HashMap<String, Moment> = HashMap::new();
        let mut choices = choices.into_iter().cycle();
        while frontier.open() > 0 {
            let mut idle = false;
            let started = match frontier.next(now) {
                Next::Fetch(visit) => Some(((*visit.at).clone(), Some(visit), None)),
                Next::Robots(job) => Some((job.url.clone(), None, Some(job))),
                Next::Refuse(..) => unreachable!("nothing is forbidden"),
                Next::Wait(until) => {
                    idle = true;
                    if let (Some(until), true) = (until, under_way.is_empty()) {
                        now = until;
                    }
                    None
                }
            };
            if let Some(job) = started {
                let host = host_key(&job.0);
                prop_assert!(under_way.iter().all(|(url, ..)| host_key(url) != host));
                prop_assert!(last.get(&host).is_none_or(|last| now.since(*last) >= SECOND));
                last.insert(host, now);
                under_way.push(job);
            }
            let choice = choices.next().unwrap();
            if !under_way.is_empty() && (idle || choice % 2 == 0) {
                let (url, visit, job) = under_way.remove(usize::from(choice) % under_way.len());
                now = now + Duration::from_millis(u64::from(choice) * 10);
                last.insert(host_key(&url), now);
                frontier.released(&url, Lesson::Answered, now);
                if let Some(job) = job {
                    frontier.robots(job, RobotsAnswer::Rules(Robots::allow_all()), now);
                }
                if let Some(visit) = visit {
                    visited.push(visit.url.to_string());
                    frontier.settled(visit.id, Memory::default(), Moment::NEVER, now);
                }
            }
        }
        visited.sort();
        prop_assert_eq!(visited, expected.into_iter().collect::<Vec<_>>());
    }
}
