//! ACLs (`AclControlManager` in Kafka).

use std::collections::HashSet;

use wire::metadata::{MetadataRecord, RemoveAccessControlEntryRecord};

use super::ids::random_id;
use super::image::{Acl, Image};

type Records = Vec<MetadataRecord<'static>>;

/// The records of those that are not there yet.
pub(super) fn create(image: &Image, acls: Vec<Acl>) -> Records {
    let mut known: HashSet<Acl> = image.acls.values().map(|acl| (**acl).clone()).collect();
    acls.into_iter().filter(|acl| known.insert(acl.clone())).map(|acl| acl.to_record(random_id()).into()).collect()
}

/// The records that remove those that match, and what these are.
pub(super) fn delete(image: &Image, matches: impl Fn(&Acl) -> bool) -> (Records, Vec<Acl>) {
    image
        .acls
        .iter()
        .filter(|(_, acl)| matches(acl))
        .map(|(id, acl)| {
            let record = RemoveAccessControlEntryRecord { id: *id, ..Default::default() };
            (MetadataRecord::from(record), (**acl).clone())
        })
        .unzip()
}
