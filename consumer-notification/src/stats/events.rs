//! From the pipeline's topics to what happens on each site.

use recipes::{Alert, DeadLetter, ParsedRecipe, Per, SiteEvent, SiteEventKind, topics};
use service_kit::kafka::{Output, Record};
use time::OffsetDateTime;

/// The event that a record tells of, keyed by its site. One that cannot be read tells nothing: who works on it has its
/// dead letter.
#[must_use]
pub fn told(record: &Record, now: OffsetDateTime) -> Option<Output> {
    let (site, event) = event(record, now)?;
    Some(Output::to(topics::SITE_EVENTS).key(site).value(event.to_json().ok()?))
}

fn event(record: &Record, now: OffsetDateTime) -> Option<(String, SiteEvent)> {
    let (kind, site, at, calories) = match &*record.place.topic {
        topics::PARSED_RECIPES => {
            let recipe = ParsedRecipe::from_json(record.value.as_ref()?).ok()?;
            // Old clients write records without a time.
            let at = if record.timestamp_ms > 0 { record.time() } else { now };
            (SiteEventKind::Recipe, recipe.site, at, recipe.calories)
        }
        topics::RECIPE_ALERTS => {
            // What a site is alerted for must not count against it.
            let alert = Alert::from_json(record.value.as_ref()?).ok().filter(|alert| alert.per == Per::Recipe)?;
            (SiteEventKind::Alert, alert.site, alert.raised_at, None)
        }
        _ => {
            let letter = DeadLetter::from_headers(&record.header_pairs()).ok()?;
            let host = reqwest::Url::parse(&record.key_text()).ok()?.host_str()?.to_owned();
            (SiteEventKind::Failure, host, letter.at, None)
        }
    };
    // A wrong clock elsewhere must not close the windows of today.
    let event = SiteEvent { kind, at: at.min(now), calories };
    (!site.is_empty()).then_some((site, event))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::channels::testing::alert;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    fn record(topic: &str, key: &str, value: Vec<u8>, headers: Vec<(String, Vec<u8>)>) -> Record {
        let place = service_kit::kafka::Place::new(topic, 0);
        Record { place, offset: 0, timestamp_ms: 1000, key: Some(key.into()), value: Some(value), headers }
    }

    fn pie() -> Record {
        let (site, calories) = ("a.example".to_owned(), Some(5.0));
        let recipe = ParsedRecipe { title: "Pie".to_owned(), site, calories, ..ParsedRecipe::default() };
        record(topics::PARSED_RECIPES, "", recipe.to_json().unwrap(), Vec::new())
    }

    #[test]
    fn recipes_alerts_and_failures_are_told_by_site() {
        let letter = DeadLetter {
            reason: "no recipe".to_owned(),
            topic: topics::RAW_RECIPES.to_owned(),
            partition: 0,
            offset: 1,
            attempts: 1,
            at: OffsetDateTime::UNIX_EPOCH,
            group: String::new(),
        };
        let headers = letter.headers().into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
        let told = |record: Record| event(&record, NOW).map(|(site, event)| (site, event.kind, event.calories));
        let a = || "a.example".to_owned();
        let mut raised = alert("Pie");
        raised.site = a();
        assert_eq!(told(pie()), Some((a(), SiteEventKind::Recipe, Some(5.0))));
        assert_eq!(
            told(record(topics::RECIPE_ALERTS, "", raised.to_json().unwrap(), Vec::new())),
            Some((a(), SiteEventKind::Alert, None))
        );
        assert_eq!(
            told(record("raw_recipes.dead", "https://a.example/x", Vec::new(), headers)),
            Some((a(), SiteEventKind::Failure, None))
        );
        raised.per = Per::Site;
        assert_eq!(told(record(topics::RECIPE_ALERTS, "", raised.to_json().unwrap(), Vec::new())), None);
        assert_eq!(told(record(topics::PARSED_RECIPES, "", b"{".to_vec(), Vec::new())), None);
    }

    #[test]
    fn no_event_is_of_the_future_or_without_a_time() {
        let at = |timestamp_ms| event(&Record { timestamp_ms, ..pie() }, NOW).map(|(_, event)| event.at);
        assert_eq!(at(1000), Some(OffsetDateTime::UNIX_EPOCH + time::Duration::SECOND));
        assert_eq!((at(0), at(i64::MAX / 2_000_000)), (Some(NOW), Some(NOW)));
    }
}
