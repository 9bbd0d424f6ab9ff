//! A user's rules file, read again when it changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::{Rules, RulesError};

/// The built-in rules with those of a file before them.
#[derive(Debug)]
pub struct RulesFile {
    path: Option<PathBuf>,
    seen: Option<(SystemTime, u64)>,
    rules: Arc<Rules>,
}

impl RulesFile {
    /// Reads the file; without one there are only the built-in rules.
    ///
    /// # Errors
    /// The file cannot be read or used.
    pub fn open(path: Option<&Path>) -> Result<RulesFile, RulesError> {
        let mut file = RulesFile { path: path.map(Path::to_owned), seen: None, rules: Arc::new(Rules::built_in()?) };
        if file.path.is_some() {
            file.reload()?;
        }
        Ok(file)
    }

    /// The rules as last read.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules)
    }

    /// Reads the file again if its time or size changed; says whether it did. After an error the rules read before
    /// stay in use, and the file is not tried again until it changes once more.
    ///
    /// # Errors
    /// The changed file cannot be read or used.
    pub fn reload(&mut self) -> Result<bool, RulesError> {
        let Some(path) = &self.path else { return Ok(false) };
        let error = |source| RulesError::Io { path: path.clone(), source };
        let meta = std::fs::metadata(path).map_err(error)?;
        let stamp = (meta.modified().map_err(error)?, meta.len());
        if self.seen == Some(stamp) {
            return Ok(false);
        }
        self.seen = Some(stamp);
        let text = std::fs::read_to_string(path).map_err(error)?;
        self.rules = Arc::new(Rules::parse(&text)?.then(Rules::built_in()?));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_read_again_and_a_broken_one_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("selectors.toml");
        std::fs::write(&path, "[[rule]]\nname='x'\nhosts=['a.example']\nprefer=true\ntitle='h1'").unwrap();
        let mut file = RulesFile::open(Some(&path)).unwrap();
        assert!(file.rules().has_rule_for("a.example"));
        assert!(!file.reload().unwrap());
        std::fs::write(&path, "[[rule]]\nname='x'\nhosts=['bb.example']\nprefer=true\ntitle='h1'").unwrap();
        assert!(file.reload().unwrap());
        assert!(file.rules().has_rule_for("bb.example"));
        std::fs::write(&path, "[[rule]").unwrap();
        assert!(file.reload().is_err());
        assert!(file.rules().has_rule_for("bb.example"));
        assert!(RulesFile::open(Some(&dir.path().join("none"))).is_err());
    }
}
