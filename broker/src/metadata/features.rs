//! Finalized features (KIP-584, `FeatureControlManager` in Kafka).

use wire::ErrorCode;
use wire::metadata::{FeatureLevelRecord, MetadataRecord};

use super::Context;
use super::image::{FeatureRange, Image, METADATA_VERSION};
use super::request::ApiError;
use super::version::{LATEST_METADATA_VERSION, OLDEST_METADATA_VERSION};

/// What this broker can work with. `kraft.version` is not finalized by a record of the log but by a control record.
pub const SUPPORTED: [(&str, FeatureRange); 7] = [
    ("group.version", FeatureRange { min: 0, max: 1 }),
    (KRAFT_VERSION, FeatureRange { min: 0, max: 1 }),
    (METADATA_VERSION, FeatureRange { min: OLDEST_METADATA_VERSION, max: LATEST_METADATA_VERSION }),
    ("share.version", FeatureRange { min: 0, max: 1 }),
    ("streams.version", FeatureRange { min: 0, max: 1 }),
    ("transaction.version", FeatureRange { min: 0, max: 2 }),
    ("eligible.leader.replicas.version", FeatureRange { min: 0, max: 1 }),
];

const KRAFT_VERSION: &str = "kraft.version";

/// `FeatureUpdate.UpgradeType` of a request.
const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

/// A level to finalize.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureUpdate {
    /// The feature's name.
    pub name: String,
    /// Its new level; 0 to have it no longer.
    pub level: i16,
    /// 1 upgrade, 2 safe downgrade, 3 unsafe downgrade.
    pub upgrade_type: i8,
}

type Records = Vec<MetadataRecord<'static>>;

/// All updates, or the error of the first that can't be.
pub(super) fn update(context: &Context, image: &Image, updates: &[FeatureUpdate]) -> (Records, Result<(), ApiError>) {
    let mut records = Records::new();
    for update in updates {
        match one(context, image, update) {
            Ok(record) => records.extend(record),
            Err(reason) => {
                let message =
                    format!("The update failed for all features since the following feature had an error: {reason}");
                return (Records::new(), Err(ApiError::new(ErrorCode::InvalidUpdateVersion, message)));
            }
        }
    }
    (records, Ok(()))
}

fn one(context: &Context, image: &Image, update: &FeatureUpdate) -> Result<Option<MetadataRecord<'static>>, String> {
    let FeatureUpdate { name, level, upgrade_type } = update;
    let invalid = |reason: &str| Err(format!("Invalid update version {level} for feature {name}. {reason}"));
    if !(UPGRADE..=UNSAFE_DOWNGRADE).contains(upgrade_type) {
        return invalid("The controller does not support the given upgrade type.");
    }
    if *level < 0 {
        return invalid("A feature version cannot be less than 0.");
    }
    let node = context.node_id;
    let Some((_, range)) = SUPPORTED.iter().find(|(known, _)| known == name) else {
        return invalid(&format!("Local controller {node} does not support this feature."));
    };
    if !(range.min..=range.max).contains(level) {
        let (min, max) = (range.min, range.max);
        return invalid(&format!("Local controller {node} only supports versions {min}-{max}"));
    }
    let current = image.feature(name);
    if name == KRAFT_VERSION {
        return match (*level, context.kraft_version) {
            (wanted, current) if wanted == current => Ok(None),
            (0, _) => invalid("Can't downgrade the version of this feature."),
            _ => invalid("This broker does not move voters into a log that was begun without; Apache Kafka can."),
        };
    }
    if *level < current && *upgrade_type == UPGRADE {
        return invalid(
            "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe \
             downgrade.",
        );
    }
    if *level > current && *upgrade_type != UPGRADE {
        return invalid("Can't downgrade to a newer version.");
    }
    if name == METADATA_VERSION && *level < current {
        let reason = if *upgrade_type == SAFE_DOWNGRADE {
            "Refusing to perform the requested downgrade because it might delete metadata information."
        } else {
            "Unsafe metadata downgrade is not supported in this version."
        };
        return Err(format!("Unsupported metadata.version downgrade from {current} to {level}. {reason}"));
    }
    let record = FeatureLevelRecord { name: name.clone().into(), feature_level: *level, ..Default::default() };
    Ok((*level != current).then(|| record.into()))
}
