//! Passwords, tokens and addresses that open doors: named in the file, kept elsewhere, never shown.

use std::fmt;
use std::path::PathBuf;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In an environment variable.
    Env(String),
    /// In a file; white space at its end is no part of it.
    File(PathBuf),
}

/// A secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl SecretSource {
    /// Fetches the secret.
    ///
    /// # Errors
    /// It is not there, or empty.
    pub fn read(&self) -> Result<Secret, String> {
        let (found, place) = match self {
            Self::Env(name) => (std::env::var(name).ok(), format!("the variable {name}")),
            Self::File(path) => (std::fs::read_to_string(path).ok(), format!("the file {}", path.display())),
        };
        let text = found.map(|text| text.trim_end().to_owned()).filter(|text| !text.is_empty());
        text.map(Secret).ok_or_else(|| format!("{place} is missing or empty, which holds a secret"))
    }
}

impl Secret {
    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
