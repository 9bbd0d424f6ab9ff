//! The one part of the embedded consumer protocol a classic group looks into: the topics in a member's subscription.

use bytes::{Buf, Bytes};

/// The topic names in a `ConsumerProtocolSubscription` of any version; `None` if it is none.
pub(crate) fn topics(metadata: &Bytes) -> Option<Vec<String>> {
    let mut rest = &metadata[..];
    let version = rest.try_get_i16().ok()?;
    if version < 0 {
        return None;
    }
    let count = usize::try_from(rest.try_get_i32().ok()?).ok()?;
    // A topic takes at least the two bytes of its length.
    if count > rest.len() / 2 {
        return None;
    }
    let mut topics = Vec::with_capacity(count);
    for _ in 0..count {
        let length = usize::try_from(rest.try_get_i16().ok()?).ok()?;
        let name = rest.get(..length)?;
        topics.push(std::str::from_utf8(name).ok()?.to_owned());
        rest.advance(length);
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Version 1 of the subscription to `topics`.
    fn subscription(names: &[&str]) -> Bytes {
        let mut bytes = vec![0, 1];
        bytes.extend(i32::try_from(names.len()).unwrap().to_be_bytes());
        for name in names {
            bytes.extend(i16::try_from(name.len()).unwrap().to_be_bytes());
            bytes.extend(name.as_bytes());
        }
        bytes.extend([255, 255, 255, 255, 0, 0, 0, 0]);
        bytes.into()
    }

    #[test]
    fn reads_the_topics() {
        assert_eq!(topics(&subscription(&["raw", "parsed"])), Some(vec!["raw".into(), "parsed".into()]));
        assert_eq!(topics(&subscription(&[])), Some(vec![]));
    }

    #[test]
    fn a_count_that_the_bytes_cannot_hold_is_refused() {
        assert_eq!(topics(&Bytes::from_static(&[0, 1, 127, 255, 255, 255, 0, 1])), None);
        assert_eq!(topics(&Bytes::new()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = topics(&bytes.into());
        }
    }
}
