//! Recipes on pages that say nothing to machines.
//!
//! The page is read as lines. A line such as "Ingredients" or "Zubereitung" opens a list, which runs until a heading of
//! the same rank, another topic, or the end of the element that holds both. Of several lists for the same topic the one
//! that looks most like its topic counts.

mod amounts;
mod facts;
mod labels;
mod lines;
mod noise;
mod words;

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use crate::doubt;
use crate::draft::{Draft, Section, has_items};
use crate::html::{Document, NodeId, Tag};
use crate::values::{self, clean};
pub use amounts::ingredient_likeness;
use lines::Line;
use words::Topic;

/// A list of ingredients with fewer items is none.
const MIN_INGREDIENTS: usize = 2;

/// What can be guessed. `wanted` tells what other sources left open.
pub fn read(page: &Document<'_>, known: &Draft) -> Draft {
    let lines = lines::lines(page);
    let mut draft = Draft::default();
    let reader = Reader { page, lines: &lines, items: Items::default(), classes: OnceCell::new() };
    let wants_ingredients = !has_items(&known.ingredients) || doubt::ingredients(known);
    let wants_instructions = !has_items(&known.instructions) || doubt::instructions(known);
    let mut behind = None;
    if wants_ingredients || wants_instructions {
        let found = reader.ingredients();
        behind = found.as_ref().map(|f| f.lines.end);
        draft.ingredients = values::tidy_ingredients(found.map(|f| f.sections).unwrap_or_default());
    }
    // Steps without ingredients are an article, not a recipe.
    if wants_instructions && (has_items(&known.ingredients) || has_items(&draft.ingredients)) {
        let found = reader.instructions(behind);
        draft.instructions = values::tidy_steps(found.map(|f| f.sections).unwrap_or_default());
    }
    if has_items(&known.ingredients) || has_items(&draft.ingredients) {
        facts::read(page, &lines, behind.unwrap_or(lines.len()), known, &mut draft);
    }
    draft
}

struct Reader<'p, 'd> {
    page: &'p Document<'d>,
    lines: &'p [Line],
    items: Items,
    /// Elements whose class or id names a topic, in document order.
    classes: OnceCell<Vec<(NodeId, Topic)>>,
}

/// Elements whose class or id gives a topic away.
fn classes(page: &Document<'_>) -> Vec<(NodeId, Topic)> {
    let hinted = page.nodes_at(words::topic_stems(page.source()));
    let blocks = hinted.filter(|&n| page.is_element(n) && !page.tag(n).is_inline() && page.tag(n) != Tag::Body);
    blocks.filter_map(|node| Some((node, page.names(node).find_map(words::topic_of_class)?))).collect()
}

/// Which lines belong together as one item: those of a list item, a table row, or of one of several siblings alike.
#[derive(Default)]
struct Items {
    /// Elements that were asked for, and whether each has a twin.
    alike: RefCell<HashMap<NodeId, bool>>,
}

impl Items {
    /// The item that the line belongs to.
    fn of_line(&self, page: &Document<'_>, line: &Line) -> NodeId {
        line.item.unwrap_or_else(|| {
            let mut alike = self.alike.borrow_mut();
            let around = std::iter::once(line.block).chain(page.ancestors(line.block)).take(4);
            let repeated = around
                .take_while(|&n| page.tag(n).heading_level().is_none())
                .find(|&n| *alike.entry(n).or_insert_with(|| has_twin(page, n)));
            repeated.unwrap_or(line.block)
        })
    }
}

/// Whether an element of the same name and classes stands right behind or before it.
fn has_twin(page: &Document<'_>, node: NodeId) -> bool {
    let Some(parent) = page.parent(node) else { return false };
    if matches!(page.tag(node), Tag::Td | Tag::Th | Tag::Section | Tag::Article | Tag::Ul | Tag::Ol) {
        return false;
    }
    let class = page.attr_raw(node, "class");
    let mut before = None;
    for sibling in page.children(parent).filter(|&n| page.is_element(n)).take(400) {
        let twin = page.tag(sibling) == page.tag(node) && page.attr_raw(sibling, "class") == class;
        if sibling == node {
            if before == Some(true) {
                return true;
            }
        } else if sibling > node {
            return twin;
        }
        before = Some(twin);
    }
    false
}

/// The lines of one topic, joined to items.
struct Found {
    sections: Vec<Section>,
    score: u32,
    /// Index of the line that opens the list, and of the first behind it.
    lines: std::ops::Range<usize>,
}

/// Where a list may begin.
#[derive(Clone, Copy)]
struct Mark {
    /// Index of the line before its first.
    line: usize,
    /// Rank of the heading: one of this rank or above ends the list.
    rank: u8,
    /// The node where it ends at the latest.
    end: NodeId,
    /// How sure the mark is, as a factor of the list's score.
    weight: u32,
}

impl Reader<'_, '_> {
    fn ingredients(&self) -> Option<Found> {
        let found =
            self.marks(Topic::Ingredients).into_iter().filter_map(|mark| self.list_or_wider(mark, Topic::Ingredients));
        best(found).or_else(|| self.unheaded_ingredients())
    }

    /// Of several lists of steps the one that follows the ingredients is the recipe's; the others are the story around.
    fn instructions(&self, ingredients: Option<usize>) -> Option<Found> {
        let found = self
            .marks(Topic::Instructions)
            .into_iter()
            .filter_map(|mark| self.list_or_wider(mark, Topic::Instructions));
        let found = best(found.map(|mut found| {
            if ingredients.is_some_and(|end| found.lines.start + 1 >= end && found.lines.start < end + 12) {
                found.score *= 4;
            }
            found
        }));
        found.or_else(|| self.unheaded_instructions(ingredients?))
    }

    /// Paragraphs right behind the ingredients, up to the next heading: steps that nothing announces.
    fn unheaded_instructions(&self, behind: usize) -> Option<Found> {
        let lines = self.lines.get(behind..)?;
        let says = |line: &Line| line.text.len() >= 60 && likeness_of_step(&line.text) == 3;
        let start = lines.iter().take(3).position(|l| !l.aside && l.heading.is_none() && says(l))?;
        let lines = &lines[start..];
        let parent = |line: &Line| self.page.parent(line.block);
        let together = |line: &&Line| {
            line.heading.is_none()
                && line.topic.is_none()
                && !line.aside
                && (line.block == lines[0].block || parent(line) == parent(&lines[0]))
        };
        let items: Vec<String> = lines.iter().take_while(together).take(40).map(|l| tidy(&l.text)).collect();
        let words: usize = items.iter().map(|i| i.split_whitespace().count()).sum();
        let lines = behind + start..behind + start + items.len();
        (words >= 25).then(|| Found { sections: vec![Section { name: None, items }], score: 1, lines })
    }

    /// Lines that announce the topic, and elements whose class does.
    fn marks(&self, topic: Topic) -> Vec<Mark> {
        let named = self.lines.iter().enumerate().filter(|(_, l)| !l.aside && l.topic == Some(topic));
        let mut marks: Vec<Mark> = named
            .take(32)
            .map(|(line, head)| Mark {
                line,
                rank: head.heading.unwrap_or(8),
                end: self.scope_end(line),
                weight: if head.exact { 3 } else { 1 },
            })
            .collect();
        let mut until = 0;
        for &(node, _) in self.classes.get_or_init(|| classes(self.page)).iter().filter(|(_, t)| *t == topic) {
            let end = self.page.end(node);
            if node < until || marks.len() >= 64 {
                continue;
            }
            let first = self.lines.partition_point(|l| l.block < node);
            if let Some(line) = first.checked_sub(1).filter(|_| self.lines.get(first).is_some_and(|l| l.block < end)) {
                until = end;
                marks.push(Mark { line, rank: 0, end, weight: 2 });
            }
        }
        marks
    }

    /// The list that a mark opens; where the element around the heading holds none, the elements around that are tried.
    fn list_or_wider(&self, mark: Mark, topic: Topic) -> Option<Found> {
        let narrow = self.list(mark, topic);
        // One step in a list of its own may be the first of several such lists.
        let first = |found: &Found| {
            let mut items = found.sections.iter().flat_map(|s| &s.items);
            let lines = &self.lines[found.lines.start + 1..found.lines.end.max(found.lines.start + 1)];
            topic == Topic::Instructions
                && items.next().is_some()
                && items.next().is_none()
                && lines.iter().all(|l| l.item.is_some())
        };
        if mark.rank == 0 || narrow.as_ref().is_some_and(|found| !first(found)) {
            return narrow;
        }
        let head = self.lines[mark.line].block;
        let wider = self.page.ancestors(head).map(|n| self.page.end(n)).filter(|&end| end > mark.end).take(3);
        wider.into_iter().find_map(|end| self.list(Mark { end, ..mark }, topic)).or(narrow)
    }

    /// The list that a mark opens.
    fn list(&self, mark: Mark, topic: Topic) -> Option<Found> {
        let mut list =
            List { sections: vec![Section::default()], last_item: None, listed: 0, dashed: 0, lines: Vec::new() };
        let mut stop = self.lines.len();
        for (at, line) in self.lines.iter().enumerate().skip(mark.line + 1) {
            if line.block >= mark.end || list.count() > 300 {
                stop = at;
                break;
            }
            if line.aside || noise::is_noise(&line.lower) {
                continue;
            }
            let step = self.take(&mut list, at, line, mark, topic);
            if !step {
                stop = at;
                break;
            }
        }
        list.finish(topic, mark, stop)
    }

    /// Adds a line to the list; false where the list ends before it.
    fn take(&self, list: &mut List, at: usize, line: &Line, mark: Mark, topic: Topic) -> bool {
        let item = self.items.of_line(self.page, line);
        let continues = list.last_item == Some(item);
        let short = line.heading.is_some() || line.text.ends_with(':') || line.text.len() < 30;
        // "Oil for frying" is an ingredient in every language: only a heading may say more than the topic's name.
        let says = line.topic.filter(|_| line.exact || line.heading.is_some() || line.text.ends_with(':'));
        match says.filter(|_| short && !continues) {
            Some(found) if found != topic => return list.count() == 0 && mark.rank == 0,
            // The topic's own name once more, inside the element that the class marked.
            Some(_) if line.exact && list.count() == 0 => return true,
            _ => {}
        }
        if let Some(level) = line.heading.filter(|_| line.item.is_none()) {
            // "Sauce method" beneath "Method": a part of the list, whatever its rank.
            let part = line.topic == Some(topic) && !line.exact;
            if level <= 6 && level <= mark.rank && (list.count() > 0 || list.sections.len() > 1) && !part {
                return false;
            }
            list.open(&line.text);
            return true;
        }
        // Once items come as a list, a long paragraph is the text that follows it.
        let listed = line.item.is_some();
        // A short line right before a list names it.
        if topic == Topic::Ingredients && list.count() == 0 && !listed && line.text.len() < 60 && self.list_follows(at)
        {
            list.open(&line.text);
            return true;
        }
        if list.listed > 0 && !listed {
            let heading = line.text.len() < 60
                && match topic {
                    Topic::Ingredients => self.list_goes_on(at),
                    _ => self.list_follows(at) && (line.text.ends_with(':') || line.topic == Some(topic)),
                };
            if heading {
                list.open(&line.text);
            }
            return heading;
        }
        if topic == Topic::Ingredients && (line.text.len() > 300 || (list.dashed > 2 && !is_dashed(&line.text))) {
            return false;
        }
        list.push(&line.text, item, listed);
        true
    }

    /// Whether the very next line is a list item.
    fn list_follows(&self, at: usize) -> bool {
        self.lines.get(at + 1).is_some_and(|l| l.item.is_some())
    }

    /// Whether the next lines are list items again.
    fn list_goes_on(&self, at: usize) -> bool {
        self.lines.iter().skip(at + 1).take(2).any(|l| l.item.is_some())
    }

    /// The end of the smallest element around the mark that holds something behind it.
    fn scope_end(&self, mark: usize) -> NodeId {
        let page = self.page;
        let head = self.lines[mark].block;
        let Some(next) = self.lines.iter().skip(mark + 1).find(|l| !l.aside).map(|l| l.block) else {
            return page.len();
        };
        let holder =
            page.ancestors(head).find(|&n| page.contains(n, next) && !matches!(page.tag(n), Tag::Li | Tag::Tr));
        holder.map_or(page.len(), |n| page.end(n))
    }

    /// Lists without a heading: together at least four items, most of them amounts.
    fn unheaded_ingredients(&self) -> Option<Found> {
        let page = self.page;
        let mut sections: Vec<Section> = Vec::new();
        let (mut measured, mut with_units, mut until) = (0, 0, 0);
        for list in page.all().filter(|&n| matches!(page.tag(n), Tag::Ul | Tag::Ol | Tag::Table)).take(500) {
            // Lists of lists of lists are menus.
            if list < until || page.descendants(list).len() > 3000 {
                continue;
            }
            let items = page.descendants(list).filter(|&n| matches!(page.tag(n), Tag::Li | Tag::Tr)).take(200);
            let items: Vec<String> = items.map(|n| tidy(&page.text(n))).filter(|t| !t.is_empty()).collect();
            let amounts = items.iter().filter(|i| i.len() < 120 && ingredient_likeness(i) > 0).count();
            let units = items.iter().filter(|i| i.len() < 120 && ingredient_likeness(i) > 1).count();
            if amounts > 0 && (amounts == items.len() || (units > 0 && amounts * 5 >= items.len() * 3)) {
                with_units += units;
                until = page.end(list);
                measured += amounts;
                sections.push(Section { name: None, items });
            }
        }
        let score = u32::try_from(measured).unwrap_or(u32::MAX);
        (measured >= 4 && with_units > 0).then_some(Found { sections, score, lines: 0..0 })
    }
}

/// A list while it is read.
struct List {
    sections: Vec<Section>,
    last_item: Option<NodeId>,
    listed: usize,
    dashed: usize,
    /// The lines as they came, for a list that turns out to be one item.
    lines: Vec<String>,
}

impl List {
    fn count(&self) -> usize {
        self.sections.iter().map(|s| s.items.len()).sum()
    }

    fn open(&mut self, name: &str) {
        self.sections.push(Section { name: Some(name.to_owned()), items: Vec::new() });
        self.last_item = None;
    }

    fn push(&mut self, text: &str, item: NodeId, listed: bool) {
        self.dashed += usize::from(is_dashed(text));
        self.lines.push(text.to_owned());
        let Some(section) = self.sections.last_mut() else { return };
        match section.items.last_mut() {
            Some(last) if self.last_item == Some(item) => {
                last.push(' ');
                last.push_str(text);
            }
            _ => {
                self.listed += usize::from(listed);
                section.items.push(text.to_owned());
            }
        }
        self.last_item = Some(item);
    }

    /// The list, if it looks like its topic.
    fn finish(mut self, topic: Topic, mark: Mark, stop: usize) -> Option<Found> {
        // All steps in one list item: its paragraphs are the steps.
        if topic == Topic::Instructions && self.count() == 1 && self.lines.len() > 1 {
            self.sections = vec![Section { name: None, items: std::mem::take(&mut self.lines) }];
        }
        let mut score = 0;
        for section in &mut self.sections {
            for item in &mut section.items {
                *item = tidy(item);
                score += match topic {
                    Topic::Ingredients => 1 + 3 * ingredient_likeness(item),
                    _ => likeness_of_step(item),
                };
            }
            section.items.retain(|i| !i.is_empty());
        }
        // What a page's buttons for more or fewer servings say stands at the top of the list.
        if topic == Topic::Ingredients
            && let Some(first) = self.sections.iter_mut().find(|s| !s.items.is_empty())
            && first.items.first().is_some_and(|item| facts::is_yield(item))
        {
            first.items.remove(0);
        }
        let count = self.count();
        let length: usize = self.sections.iter().flat_map(|s| &s.items).map(String::len).sum();
        let enough = match topic {
            // Under the exact heading a list of foods alone will do.
            Topic::Ingredients if mark.weight == 3 && self.listed == count => {
                count >= MIN_INGREDIENTS && length < count * 60
            }
            Topic::Ingredients => count >= MIN_INGREDIENTS && score > u32::try_from(count).unwrap_or(0) * 3 / 2,
            // Comments and menus have many short lines.
            _ => (1..=80).contains(&count) && length >= count * 15 && score >= 2,
        };
        let listed = if self.listed * 2 > count { 2 } else { 1 };
        let score =
            score.saturating_mul(mark.weight).saturating_mul(if topic == Topic::Ingredients { 1 } else { listed });
        self.sections.retain(|s| !s.items.is_empty());
        enough.then_some(Found { sections: self.sections, score, lines: mark.line..stop })
    }
}

/// The list with the highest score, the first of equals.
fn best(found: impl Iterator<Item = Found>) -> Option<Found> {
    found.reduce(|best, next| if next.score > best.score { next } else { best })
}

fn is_dashed(text: &str) -> bool {
    text.starts_with("- ") || text.starts_with("– ") || text.starts_with("• ")
}

/// List marks at the start of a line go.
fn tidy(item: &str) -> String {
    let text = clean(item);
    let text = values::unmarked(&text);
    let text = without_step(text).unwrap_or(text);
    text.trim_end_matches([' ', ';']).to_owned()
}

/// "Step 3: Bake" without what counts.
fn without_step(text: &str) -> Option<&str> {
    const WORDS: &[&str] = &["step", "schritt", "étape", "etape", "paso", "passo", "stap", "krok", "steg", "trin"];
    let length = text.find(|c: char| !c.is_alphabetic())?;
    let word = text[..length].to_lowercase();
    let rest = text[length..].trim_start();
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let (counted, after) = (after.len() < rest.len(), after.trim_start());
    // "Etape 1 /8"
    let after = after.strip_prefix('/').map_or(after, |of| of.trim_start_matches(|c: char| c.is_ascii_digit()));
    let after = after.trim_start_matches([':', '.', ')', '-', '–', ' ']);
    (WORDS.contains(&&*word) && counted && !after.is_empty()).then_some(after)
}

/// Steps are sentences.
fn likeness_of_step(text: &str) -> u32 {
    match text.split_whitespace().count() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_page(html: &str) -> (Vec<String>, Vec<String>) {
        let page = Document::parse(html);
        let draft = read(&page, &Draft::default());
        (draft.ingredient_lines().map(str::to_owned).collect(), draft.instruction_lines().map(str::to_owned).collect())
    }

    #[test]
    fn lists_under_headings_are_found() {
        let (ingredients, steps) = read_page(
            "<h1>Soup</h1><p>We love it.</p><h2>Ingredients</h2><ul><li>2 eggs<li>1 cup milk<li>salt</ul>\
             <h2>Method</h2><ol><li>Mix the eggs well.<li>Boil with the milk.</ol><h2>Notes</h2><p>Keep it cool.</p>",
        );
        assert_eq!(ingredients, ["2 eggs", "1 cup milk", "salt"]);
        assert_eq!(steps, ["Mix the eggs well.", "Boil with the milk."]);
    }

    #[test]
    fn paragraphs_under_bold_lines_are_found() {
        let (ingredients, steps) = read_page(
            "<div><p><strong>Zutaten:</strong></p><p>- 250g Mehl</p><p>- 2 Eier</p><p><b>Zubereitung:</b></p>\
             <p>Alles gut verrühren.</p><p>Eine Stunde lang backen.</p></div><footer>Impressum</footer>",
        );
        assert_eq!(ingredients, ["250g Mehl", "2 Eier"]);
        assert_eq!(steps, ["Alles gut verrühren.", "Eine Stunde lang backen."]);
    }

    #[test]
    fn parts_of_an_item_are_joined() {
        let (ingredients, _) = read_page(
            "<div><h2>Υλικά</h2><div><div class=i><span>2</span><p>αβοκάντο</p></div><div class=i><span>4</span><p>αυγά</p></div></div></div>",
        );
        assert_eq!(ingredients, ["2 αβοκάντο", "4 αυγά"]);
    }

    #[test]
    fn steps_in_lists_of_their_own_are_joined() {
        let (_, steps) = read_page(
            "<h2>Ingredients</h2><ul><li>2 servings<li>2 eggs<li>1 cup milk</ul><div><h2>Method</h2><div><ol><li>Mix the eggs \
             very well.</ol></div><div><ol><li>Boil them with the milk.</ol></div></div><h2>Notes</h2><p>Keep it cool.",
        );
        assert_eq!(steps, ["Mix the eggs very well.", "Boil them with the milk."]);
    }

    #[test]
    fn paragraphs_behind_the_ingredients_are_steps_where_nothing_announces_any() {
        let (ingredients, steps) = read_page(
            "<h2>Ingredients</h2><ul><li>4 servings<li><b>2</b><b>eggs</b><li><i>200 g</i><i>flour</i></ul>\
             <p>Beat the eggs until they are as light as they can be, for two minutes or three.</p>\
             <p>Add the flour bit by bit and go on until the dough is smooth, then bake it.</p><h3>Soups</h3><p>More.",
        );
        assert_eq!(ingredients, ["2 eggs", "200 g flour"]);
        assert_eq!(steps.len(), 2);
    }

    #[test]
    fn articles_are_no_recipes() {
        let (ingredients, steps) = read_page(
            "<h1>Method acting</h1><h2>Ingredients of success</h2><p>Work hard and never give up on what you do.</p>\
             <h2>Method</h2><p>Read every day for an hour or more.</p><ul><li>Home<li>About<li>Contact</ul>",
        );
        assert!(ingredients.is_empty() && steps.is_empty(), "{ingredients:?} {steps:?}");
    }
}
