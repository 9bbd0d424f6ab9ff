//! Rust names from Kafka's.

/// `FetchRequest` -> `fetch_request`, `KRaftVersion` -> `kraft_version`.
pub fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    let name = name.replace("KRaft", "Kraft");
    let mut previous_lower = false;
    for character in name.chars() {
        if character.is_ascii_uppercase() && previous_lower {
            out.push('_');
        }
        previous_lower = !character.is_ascii_uppercase();
        out.push(character.to_ascii_lowercase());
    }
    out
}

/// A field's name in Rust.
pub fn field_name(name: &str) -> String {
    let name = snake_case(name);
    if matches!(name.as_str(), "type" | "match" | "ref" | "loop" | "move" | "use" | "in") {
        return format!("r#{name}");
    }
    name
}

/// A field's name in Kafka's JSON: as in the definition, the first letter lower.
pub fn camel_case(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(characters).collect()
}

/// `UNKNOWN_TOPIC_OR_PARTITION` -> `UnknownTopicOrPartition`.
pub fn pascal_case(name: &str) -> String {
    name.split('_')
        .flat_map(|word| word.chars().enumerate().map(|(at, c)| if at == 0 { c } else { c.to_ascii_lowercase() }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rust() {
        assert_eq!(snake_case("FetchRequest"), "fetch_request");
        assert_eq!(snake_case("KRaftVersionRecord"), "kraft_version_record");
        assert_eq!(snake_case("Enable2Pc"), "enable2_pc");
        assert_eq!(field_name("Type"), "r#type");
        assert_eq!(camel_case("ErrorCode"), "errorCode");
        assert_eq!(pascal_case("NOT_LEADER_OR_FOLLOWER"), "NotLeaderOrFollower");
    }
}
