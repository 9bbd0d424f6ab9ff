//! Which partition of `__consumer_offsets` a group lives in.

/// `java.lang.String.hashCode`: over the UTF-16 units of the text.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// The partition of `group_id` among `partitions` (> 0), as `org.apache.kafka.common.utils.Utils.abs(hashCode) % n`:
/// the one hash whose absolute value does not fit counts as 0.
pub fn partition_for(group_id: &str, partitions: i32) -> i32 {
    java_hash(group_id).checked_abs().unwrap_or(0) % partitions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        assert_eq!(java_hash(""), 0);
        assert_eq!(java_hash("consumer-notification"), -56_178_334);
        assert_eq!(java_hash("grüße-🍲"), 347_391_916);
        // The text whose hash is Integer.MIN_VALUE.
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
    }

    #[test]
    fn the_hash_without_an_absolute_value_is_partition_0() {
        assert_eq!(partition_for("polygenelubricants", 50), 0);
    }
}
