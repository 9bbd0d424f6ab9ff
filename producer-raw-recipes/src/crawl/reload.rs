//! New sources while the crawl runs: what is new begins, what is changed begins anew, what is gone is forgotten.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::info;

use super::Crawl;
use crate::frontier::SourceId;
use crate::publisher::Publisher;
use crate::source::SourceSpec;

/// The next version of the sources; never, when none can come.
pub(super) async fn next(reloads: &mut Option<mpsc::Receiver<Vec<SourceSpec>>>) -> Option<Vec<SourceSpec>> {
    match reloads {
        Some(from) => from.recv().await,
        None => None,
    }
}

impl<P: Publisher> Crawl<P> {
    pub(super) fn on_reload(&mut self, specs: Vec<SourceSpec>) {
        let names: HashSet<&str> = specs.iter().map(|spec| &*spec.name).collect();
        let live = (0..self.specs.len()).filter(|source| !self.retired.contains(source));
        let gone: Vec<SourceId> = live.filter(|source| !names.contains(&*self.specs[*source].name)).collect();
        let before = self.specs.len();
        for source in &gone {
            self.retire(*source);
        }
        let mut changed = 0;
        for spec in specs {
            match self.source_named(&spec.name) {
                Some(source) if *self.specs[source] == spec => {}
                // Another address is another source: what was found by the old one is not its own.
                Some(source)
                    if (self.specs[source].kind, &self.specs[source].address) != (spec.kind, &spec.address) =>
                {
                    self.retire(source);
                    self.add_source(spec);
                }
                Some(source) => {
                    changed += 1;
                    self.specs[source] = Arc::new(spec);
                }
                None => self.add_source(spec),
            }
        }
        info!(new = self.specs.len() - before, changed, gone = gone.len(), "sources read again");
        if self.joined {
            self.begin_sources();
        }
    }

    /// The number of a source that is still there.
    pub(super) fn source_named(&self, name: &str) -> Option<SourceId> {
        (0..self.specs.len()).find(|source| !self.retired.contains(source) && self.specs[*source].name == name)
    }

    fn add_source(&mut self, spec: SourceSpec) {
        self.sources.add(&spec);
        self.specs.push(Arc::new(spec));
    }

    fn retire(&mut self, source: SourceId) {
        self.retired.insert(source);
        self.sources.retire(source);
        self.locals_due.retain(|(_, planned)| *planned != source);
        // Another source may find them.
        for url in self.frontier.forget(|_, of| of == source) {
            self.forget(&url);
        }
    }
}
