//! Which names a topic may have (`org.apache.kafka.common.internals.Topic`).

use wire::ErrorCode;

use super::image::Image;
use super::request::ApiError;

const MAX_LENGTH: usize = 249;

/// Checks a topic's name.
///
/// # Errors
/// `INVALID_TOPIC_EXCEPTION`, in Kafka's words.
pub fn check_topic_name(name: &str) -> Result<(), ApiError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let reason = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." => "'.' is not allowed".to_owned(),
        ".." => "'..' is not allowed".to_owned(),
        // Kafka counts UTF-16 units. A name with others than ASCII is refused either way, but with other words.
        name if name.encode_utf16().count() > MAX_LENGTH => {
            format!("the length of '{name}' is longer than the max allowed length {MAX_LENGTH}")
        }
        name if !name.bytes().all(legal) => {
            format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
        }
        _ => return Ok(()),
    };
    Err(ApiError::new(ErrorCode::InvalidTopicException, format!("Topic name is invalid: {reason}")))
}

/// An existing topic that `name` can't be told from in the names of metrics, where `.` and `_` are the same.
pub(super) fn collision<'a>(name: &'a str, image: &'a Image) -> Option<&'a str> {
    let unified = |name: &str| name.replace('.', "_");
    if !name.contains(['.', '_']) {
        return None;
    }
    let wanted = unified(name);
    // All names that collide agree up to the first of the two characters: a short range of the sorted names, but for
    // the character itself.
    let prefix = &name[..name.find(['.', '_']).unwrap_or(name.len())];
    image
        .topics
        .from(prefix)
        .take_while(|topic| topic.name.starts_with(prefix))
        .find(|topic| topic.name.len() == name.len() && *topic.name != *name && unified(&topic.name) == wanted)
        .map(|topic| &*topic.name)
}
