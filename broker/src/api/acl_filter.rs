//! Which ACLs a request means. Source: `ResourcePatternFilter`, `AccessControlEntryFilter`, `AclBindingFilter`.

use wire::ErrorCode;

use super::{Context, RequestError};
use crate::metadata::{Acl, ApiError};

/// Code of a kind that does not exist, in all four enumerations; a request with it is not answered.
const UNKNOWN: i8 = 0;
/// Code of "any".
pub const ANY: i8 = 1;
/// Pattern type of a filter: all patterns that a name falls under.
const MATCH: i8 = 2;
/// Pattern type of a resource: one name, or with `*` all.
const LITERAL: i8 = 3;
const LAST_RESOURCE_TYPE: i8 = 7;
const LAST_PATTERN_TYPE: i8 = 4;
const LAST_OPERATION: i8 = 15;
const LAST_PERMISSION: i8 = 3;
/// The one cluster resource.
pub const CLUSTER: (i8, &str) = (4, "kafka-cluster");

/// Whether an authorizer is configured, whose ACLs can be asked for.
pub fn has_authorizer(context: &Context<'_>) -> bool {
    let config = context.node.config();
    config.statics().get("authorizer.class.name").is_some_and(|class| !class.trim().is_empty())
}

/// The four codes of an ACL or a filter: resource, pattern, operation, permission.
#[derive(Debug, Clone, Copy)]
pub struct Codes(pub [i8; 4]);

impl Codes {
    const LAST: [i8; 4] = [LAST_RESOURCE_TYPE, LAST_PATTERN_TYPE, LAST_OPERATION, LAST_PERMISSION];
    const NAMES: [&'static str; 4] = ["resourceType", "patternType", "operation", "permissionType"];

    /// Kafka's request classes do not even take code 0.
    ///
    /// # Errors
    /// [`RequestError::Invalid`]: the connection is to be closed.
    pub fn check(self) -> Result<(), RequestError> {
        if self.0.contains(&UNKNOWN) { Err(RequestError::Invalid("an ACL with unknown elements")) } else { Ok(()) }
    }

    /// Whether it names exactly one thing, as an ACL must.
    pub fn is_exact(self) -> bool {
        let [resource, pattern, operation, permission] = self.0;
        ![resource, operation, permission].contains(&ANY) && pattern != ANY && pattern != MATCH
    }

    /// The first code that Kafka knows no kind for.
    pub fn unknown(self) -> Option<&'static str> {
        let known = |at: usize| (ANY..=Self::LAST[at]).contains(&self.0[at]);
        (0..4).find(|at| !known(*at)).map(|at| Self::NAMES[at])
    }

    /// Whether the pattern's or the entry's half has a code that Kafka knows no kind for.
    pub fn unknown_half(self) -> Option<&'static str> {
        self.unknown().map(|name| match name {
            "resourceType" | "patternType" => "Unknown patternFilter.",
            _ => "Unknown entryFilter.",
        })
    }
}

/// A filter of ACLs. Codes are those of `ResourceType`, `PatternType`, `AclOperation` and `AclPermissionType`; `None`
/// is any.
#[derive(Debug, Clone)]
pub struct AclFilter {
    /// Resource, pattern, operation, permission.
    pub codes: Codes,
    /// Name of the resource.
    pub name: Option<String>,
    /// Principal.
    pub principal: Option<String>,
    /// Host.
    pub host: Option<String>,
}

impl AclFilter {
    /// Whether it means `acl`.
    pub fn matches(&self, acl: &Acl) -> bool {
        let [_, _, operation, permission] = self.codes.0;
        let text = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let code = |wanted: i8, found: i8| wanted == ANY || wanted == found;
        self.matches_resource(acl)
            && text(&self.principal, &acl.principal)
            && text(&self.host, &acl.host)
            && code(operation, acl.operation)
            && code(permission, acl.permission_type)
    }

    fn matches_resource(&self, acl: &Acl) -> bool {
        let [resource, pattern, ..] = self.codes.0;
        if resource != ANY && resource != acl.resource_type {
            return false;
        }
        if pattern != ANY && pattern != MATCH && pattern != acl.pattern_type {
            return false;
        }
        let Some(name) = self.name.as_deref() else { return true };
        if pattern != MATCH {
            return name == acl.resource_name;
        }
        match acl.pattern_type {
            LITERAL => name == acl.resource_name || acl.resource_name == "*",
            _ => name.starts_with(&acl.resource_name),
        }
    }
}

/// Whether a new ACL can be stored, in the words of `AclControlManager.validateNewAcl` and `AclApis`.
pub fn check_new(acl: &Acl) -> Result<(), ApiError> {
    let invalid = |message: String| Err(ApiError::new(ErrorCode::InvalidRequest, message));
    let (cluster, only_name) = CLUSTER;
    if acl.resource_type == cluster && acl.resource_name != only_name {
        return invalid(format!("The only valid name for the CLUSTER resource is {only_name}"));
    }
    if acl.resource_name.is_empty() {
        return invalid("Invalid empty resource name".to_owned());
    }
    let codes = Codes([acl.resource_type, acl.pattern_type, acl.operation, acl.permission_type]);
    if let Some(unknown) = codes.unknown() {
        return invalid(format!("Invalid {unknown} UNKNOWN"));
    }
    if !acl.principal.contains(':') {
        return invalid(format!(
            "Could not parse principal from `{}` (no colon is present separating the principal type from the principal \
             name)",
            acl.principal
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(name: &str, pattern_type: i8) -> Acl {
        Acl {
            resource_type: 2,
            resource_name: name.to_owned(),
            pattern_type,
            principal: "User:x".to_owned(),
            host: "*".to_owned(),
            operation: 3,
            permission_type: 3,
        }
    }

    fn filter(name: Option<&str>, pattern: i8) -> AclFilter {
        AclFilter { codes: Codes([ANY, pattern, ANY, ANY]), name: name.map(str::to_owned), principal: None, host: None }
    }

    #[test]
    fn a_match_filter_finds_every_pattern_a_name_falls_under() {
        let filter = filter(Some("prefix1"), MATCH);
        assert!(filter.matches(&acl("prefix1", 3)));
        assert!(filter.matches(&acl("*", 3)));
        assert!(filter.matches(&acl("pre", 4)));
        assert!(!filter.matches(&acl("pre", 3)));
        assert!(!filter.matches(&acl("prefix12", 4)));
    }

    #[test]
    fn other_filters_compare_names() {
        assert!(filter(Some("pre"), ANY).matches(&acl("pre", 4)));
        assert!(filter(Some("pre"), 4).matches(&acl("pre", 4)));
        assert!(!filter(Some("pre"), 3).matches(&acl("pre", 4)));
        assert!(!filter(Some("a"), 3).matches(&acl("*", 3)));
        assert!(filter(None, MATCH).matches(&acl("anything", 4)));
    }

    #[test]
    fn a_new_acl_is_refused_in_kafkas_words() {
        let refused = |change: fn(&mut Acl)| {
            let mut acl = acl("a", 3);
            change(&mut acl);
            check_new(&acl).unwrap_err().message.unwrap()
        };
        assert_eq!(check_new(&acl("a", 3)), Ok(()));
        assert_eq!(refused(|acl| acl.resource_name.clear()), "Invalid empty resource name");
        assert_eq!(refused(|acl| acl.resource_type = 99), "Invalid resourceType UNKNOWN");
        assert_eq!(refused(|acl| acl.operation = 99), "Invalid operation UNKNOWN");
        assert!(refused(|acl| acl.principal = "x".to_owned()).starts_with("Could not parse principal from `x`"));
        assert!(refused(|acl| acl.resource_type = 4).contains("kafka-cluster"));
    }
}
