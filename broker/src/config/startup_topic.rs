//! `create.topics` (`KAFKA_CREATE_TOPICS`): topics that are made at the start, in the form an image that many
//! tutorials use has made known: `name:partitions:replicas[:cleanup.policy]`, separated by commas.

/// A topic to make if it is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartupTopic {
    /// Its name.
    pub name: String,
    /// Its partitions; `None` for `num.partitions`.
    pub partitions: Option<i32>,
    /// Its replicas: one, where tutorials written for more brokers ask for more; `None` for
    /// `default.replication.factor`.
    pub replicas: Option<i16>,
    /// Its `cleanup.policy`, if one is named.
    pub cleanup_policy: Option<String>,
}

/// Reads the entries; each wrong one is a line.
pub(super) fn parse(entries: &[String]) -> Result<Vec<StartupTopic>, Vec<String>> {
    let (topics, problems): (Vec<_>, Vec<_>) = entries
        .iter()
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            topic(entry).ok_or_else(|| {
                format!(
                    "create.topics: {entry} is no topic; write name:partitions:replicas or \
                     name:partitions:replicas:cleanup.policy, for example raw_recipes:3:1"
                )
            })
        })
        .partition(Result::is_ok);
    if problems.is_empty() {
        Ok(topics.into_iter().flatten().collect())
    } else {
        Err(problems.into_iter().filter_map(Result::err).collect())
    }
}

fn topic(entry: &str) -> Option<StartupTopic> {
    let mut parts = entry.split(':').map(str::trim);
    let name = parts.next().filter(|name| is_topic_name(name))?.to_owned();
    let partitions = parts.next().map(|text| text.parse::<i32>().ok().filter(|count| *count > 0));
    let replicas = parts.next().map(|text| text.parse::<i16>().ok().filter(|count| *count > 0));
    let policy = parts.next();
    let known = |policy: &str| policy.split('+').all(|policy| matches!(policy, "compact" | "delete"));
    if parts.next().is_some() || partitions == Some(None) || replicas == Some(None) || !policy.is_none_or(known) {
        return None;
    }
    Some(StartupTopic {
        name,
        partitions: partitions.flatten(),
        replicas: replicas.flatten().map(|asked| asked.min(1)),
        cleanup_policy: policy.map(|policy| policy.replace('+', ",")),
    })
}

/// `org.apache.kafka.common.internals.Topic.validate`.
fn is_topic_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !matches!(name, "" | "." | "..") && name.len() <= 249 && name.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<StartupTopic>, Vec<String>> {
        parse(&super::super::value::split_list(text))
    }

    #[test]
    fn the_forms_that_tutorials_use() {
        let topics = read("raw_recipes:3:1, parsed_recipes:1:3:compact,alerts,both:2:1:compact+delete").expect("valid");
        let names: Vec<_> = topics.iter().map(|topic| topic.name.as_str()).collect();
        assert_eq!(names, ["raw_recipes", "parsed_recipes", "alerts", "both"]);
        assert_eq!((topics[0].partitions, topics[0].replicas), (Some(3), Some(1)));
        assert_eq!(topics[1].replicas, Some(1));
        assert_eq!(topics[1].cleanup_policy.as_deref(), Some("compact"));
        assert_eq!(topics[2].partitions, None);
        assert_eq!(topics[3].cleanup_policy.as_deref(), Some("compact,delete"));
    }

    #[test]
    fn every_wrong_entry_is_named() {
        let problems = read("a b:1:1,x:0:1,y:1:z,z:1:1:foo,ok:1:1,w:1:1:compact:5").expect_err("wrong");
        assert_eq!(problems.len(), 5, "{problems:#?}");
    }
}
