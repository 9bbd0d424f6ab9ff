//! Where a value came from.

use recipes::Extractor;

/// A source of values, from the best known to the least. Merging goes by this order, field by field: see
/// [`crate::merge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A rule with `prefer = true`: somebody looked at this very site.
    Preferred,
    /// JSON-LD.
    JsonLd,
    /// Microdata.
    Microdata,
    /// RDFa.
    Rdfa,
    /// A rule: recipe plugins, microformats, configured sites.
    Selectors,
    /// `<meta>`, `<title>`, `<html lang>`.
    Meta,
    /// Headings and lists that look like a recipe.
    Heuristics,
}

impl Source {
    /// The name used in `parsed_recipes`.
    pub fn extractor(self) -> Extractor {
        match self {
            Source::JsonLd => Extractor::JsonLd,
            Source::Microdata | Source::Rdfa => Extractor::Microdata,
            Source::Preferred | Source::Selectors => Extractor::Selectors,
            Source::Meta | Source::Heuristics => Extractor::Heuristics,
        }
    }
}
