//! The resource BROKER_LOGGER of the config APIs: levels of this broker's log (KIP-412). Source:
//! `ConfigAdminManager.validateLogLevelConfigs`, `ConfigHelper`.

use std::collections::HashSet;

use wire::ErrorCode;

use crate::config::alter::Operation;
use crate::metadata::{ApiError, ConfigAlteration};
use crate::observability::loggers::{self, LEVELS, Loggers, ROOT};

/// Does what IncrementalAlterConfigs asks of the loggers; all of it or nothing.
pub fn alter(alteration: &ConfigAlteration, node_id: i32, validate_only: bool) -> Result<(), ApiError> {
    check_node(&alteration.resource.name, node_id)?;
    let invalid = |message: String| ApiError::new(ErrorCode::InvalidRequest, message);
    let mut seen = HashSet::new();
    if !alteration.changes.iter().all(|change| seen.insert(&change.name)) {
        return Err(invalid("Error due to duplicate config keys".to_owned()));
    }
    let mut wanted = Vec::with_capacity(alteration.changes.len());
    for change in &alteration.changes {
        let name = change.name.as_str();
        match Operation::from_code(change.operation) {
            Some(Operation::Set) => {
                let null = || invalid(format!("Null value not supported for : {name}"));
                let level = change.value.as_deref().ok_or_else(null)?;
                check_exists(name)?;
                if !LEVELS.contains(&level) {
                    let levels = LEVELS.join(", ");
                    return Err(ApiError::new(
                        ErrorCode::InvalidConfig,
                        format!(
                            "Cannot set the log level of {name} to {level} as it is not a supported log level. Valid \
                             log levels are {levels}"
                        ),
                    ));
                }
                wanted.push((name, Some(level)));
            }
            Some(Operation::Delete) => {
                check_exists(name)?;
                if name == ROOT {
                    return Err(invalid(format!("Removing the log level of the {ROOT} logger is not allowed")));
                }
                wanted.push((name, None));
            }
            Some(Operation::Append) => return Err(not_allowed("APPEND")),
            Some(Operation::Subtract) => return Err(not_allowed("SUBTRACT")),
            None => return Err(ApiError::bare(ErrorCode::UnknownServerError)),
        }
    }
    if let (Some(loggers), false) = (Loggers::installed(), validate_only) {
        loggers.change(wanted);
    }
    Ok(())
}

fn check_node(name: &str, node_id: i32) -> Result<(), ApiError> {
    let invalid = |message: String| ApiError::new(ErrorCode::InvalidRequest, message);
    let id: i32 = name.parse().map_err(|_| invalid(format!("Node id must be an integer, but it is: {name}")))?;
    if id == node_id {
        return Ok(());
    }
    Err(invalid(format!("Unexpected node id. Expected {node_id}, but received {name}")))
}

fn check_exists(name: &str) -> Result<(), ApiError> {
    if Loggers::installed().is_some() && loggers::exists(name) {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::InvalidConfig, format!("Logger {name} does not exist!")))
}

fn not_allowed(operation: &str) -> ApiError {
    let message = format!("{operation} operation is not allowed for the BROKER_LOGGER resource");
    ApiError::new(ErrorCode::InvalidRequest, message)
}
