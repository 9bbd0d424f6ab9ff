//! A CEL expression over a recipe or a site: compiled and checked once, asked often.

use std::sync::{Arc, LazyLock};

use cel::common::ast::{Expr, operators};
use cel::common::types::CelBool;
use cel::{Context, Env, ExecutionError, IdedExpr, Program, Value};
use recipes::Per;

use crate::rules::facts::{FIELDS, Facts, Fields, STATS, probe};
use crate::stats::window::SiteNumbers;

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    // The standard library and `strings` share no name, and a test compiles with both.
    let _ = env.add_extension(cel::extensions::strings);
    Arc::new(env)
});

/// A condition, true or false of a recipe or unknown.
#[derive(Debug, Clone)]
pub struct Condition {
    source: String,
    program: Arc<Program>,
    fields: Fields,
}

/// One part of a condition with what it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its text.
    pub source: String,
    /// True, false, or why it is neither.
    pub result: Result<bool, String>,
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Condition {
    /// Compiles an expression, and tries it and each of its parts on a recipe that says everything.
    ///
    /// # Errors
    /// What is wrong, in one line: syntax, a name that no recipe has, a comparison of a number with a text.
    pub fn compile(source: &str) -> Result<Self, String> {
        Self::compile_for(source, Per::Recipe)
    }

    /// The same for a condition on recipes or on sites.
    ///
    /// # Errors
    /// As [`Condition::compile`].
    pub fn compile_for(source: &str, per: Per) -> Result<Self, String> {
        let program = ENV.compile(source).map_err(|errors| syntax(source, &errors))?;
        let mut fields = Fields::default();
        names(program.expression(), &mut Vec::new(), &mut fields)?;
        if let (Per::Site, Some(field)) = (per, fields.names().find(|field| *field != "site")) {
            return Err(format!("`{field}` is a recipe's; a rule per site knows site and {STATS}"));
        }
        let condition = Self { source: source.to_owned(), program: Arc::new(program), fields };
        condition.try_out()?;
        Ok(condition)
    }

    /// The expression.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The fields it names.
    #[must_use]
    pub const fn fields(&self) -> Fields {
        self.fields
    }

    /// Whether it holds; none when the recipe does not say what it asks for.
    #[must_use]
    pub fn holds(&self, context: &Context<'_, '_>) -> Option<bool> {
        evaluate(self.program.expression(), context).ok()
    }

    /// The parts between `&&`, `||` and `!`, with what each comes to.
    #[must_use]
    pub fn explain(&self, facts: &Facts<'_>) -> Vec<Part> {
        let context = context(facts);
        let parts = leaves(self.program.expression());
        let result = |part: &IdedExpr| evaluate(part, &context).map_err(|error| why(&error));
        parts.into_iter().map(|part| Part { source: self.snippet(part), result: result(part) }).collect()
    }

    fn try_out(&self) -> Result<(), String> {
        let recipe = probe();
        let facts = Facts::of(&recipe, self.fields).with_stats(&SiteNumbers::PROBE);
        let context = context(&facts);
        for part in leaves(self.program.expression()) {
            match Value::resolve_val(part, &context) {
                Ok(value) if value.downcast_ref::<CelBool>().is_none() => {
                    let kind = value.get_type().name().to_owned();
                    return Err(format!("`{}` is of type {kind}; expected true or false", self.snippet(part)));
                }
                // They depend on the values, which another recipe has others of.
                Ok(_)
                | Err(
                    ExecutionError::IndexOutOfBounds(_)
                    | ExecutionError::DivisionByZero(_)
                    | ExecutionError::RemainderByZero(_)
                    | ExecutionError::Overflow(..),
                ) => {}
                Err(error) => return Err(format!("`{}`: {}", self.snippet(part), why(&error))),
            }
        }
        Ok(())
    }

    /// The text of a part. The compiler keeps where each name and operator stands: the part reaches from the first to
    /// the last of its own, and on to the brackets that it opens.
    fn snippet(&self, part: &IdedExpr) -> String {
        let info = self.program.source_info();
        let (mut start, mut stop) = (u32::MAX, 0);
        visit(part, &mut |expr| {
            if let Some((from, to)) = info.offset_for(expr.id) {
                start = start.min(from);
                stop = stop.max(to);
            }
        });
        let rest: Vec<char> = self.source.chars().skip(start as usize).collect();
        let mut end = (stop.saturating_sub(start) as usize + 1).min(rest.len());
        let open = |text: &[char]| {
            let count = |wanted: &[char]| text.iter().filter(|c| wanted.contains(c)).count();
            count(&['(', '[', '{']) > count(&[')', ']', '}'])
        };
        while end < rest.len() && open(&rest[..end]) {
            end += 1;
        }
        let text: String = rest[..end].iter().collect();
        if text.is_empty() { self.source.clone() } else { text }
    }
}

/// The context in which conditions are asked about one recipe.
#[must_use]
pub fn context<'v>(facts: &'v Facts<'_>) -> Context<'v, 'v> {
    let mut context = Context::with_env(Arc::clone(&ENV));
    context.set_variable_resolver(facts);
    context
}

fn evaluate(expr: &IdedExpr, context: &Context<'_, '_>) -> Result<bool, ExecutionError> {
    let value = Value::resolve_val(expr, context)?;
    match value.downcast_ref::<CelBool>() {
        Some(holds) => Ok(*holds.inner()),
        None => {
            Err(ExecutionError::UnexpectedType { got: value.get_type().name().to_owned(), want: "bool".to_owned() })
        }
    }
}

fn why(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchOverload(overload) => {
            let types = overload.argument_types().join(" and ");
            let function = overload.function().trim_matches(['_', '@']);
            if types.contains("null") {
                format!("unknown: `{function}` of {types}")
            } else {
                format!("`{function}` does not go with {types}")
            }
        }
        ExecutionError::NoSuchKey(key) => format!("unknown: there is no {key}"),
        ExecutionError::UndeclaredReference(name) => format!("there is no function `{name}`"),
        ExecutionError::ValuesNotComparable(a, b) if [a, b].iter().any(|value| matches!(value, Value::Null)) => {
            "unknown: null cannot be compared".to_owned()
        }
        ExecutionError::ValuesNotComparable(a, b) => {
            format!("{} and {} cannot be compared", a.type_of(), b.type_of())
        }
        error => error.to_string(),
    }
}

fn syntax(source: &str, errors: &cel::ParseErrors) -> String {
    let Some(first) = errors.errors.first() else { return format!("`{source}` is no expression") };
    let message = first.msg.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("`{}`, column {}: {message}", source.trim(), first.pos.1.max(1))
}

/// The operands of the logical operators at the top, the whole where there are none.
fn leaves(expr: &IdedExpr) -> Vec<&IdedExpr> {
    match &expr.expr {
        Expr::Call(call)
            if [operators::LOGICAL_AND, operators::LOGICAL_OR, operators::LOGICAL_NOT].contains(&&*call.func_name) =>
        {
            call.args.iter().flat_map(leaves).collect()
        }
        _ => vec![expr],
    }
}

/// Notes the fields an expression names; `bound` are the variables of the comprehensions around it.
fn names<'e>(expr: &'e IdedExpr, bound: &mut Vec<&'e str>, fields: &mut Fields) -> Result<(), String> {
    match &expr.expr {
        Expr::Ident(name) if bound.contains(&&**name) || fields.add(name) => Ok(()),
        Expr::Ident(name) => {
            let near = FIELDS.into_iter().chain([STATS]).find(|field| near(field, name));
            let near = near.map(|near| format!("; did you mean {near}?"));
            Err(format!("no recipe has a field `{name}`{}", near.unwrap_or_default()))
        }
        Expr::Comprehension(inner) => {
            names(&inner.iter_range, bound, fields)?;
            let before = bound.len();
            bound.push(&inner.iter_var);
            bound.extend(inner.iter_var2.as_deref());
            bound.push(&inner.accu_var);
            for part in [&inner.accu_init, &inner.loop_cond, &inner.loop_step, &inner.result] {
                names(part, bound, fields)?;
            }
            bound.truncate(before);
            Ok(())
        }
        _ => children(expr).into_iter().try_for_each(|child| names(child, bound, fields)),
    }
}

/// One letter too many, too few or wrong.
fn near(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a.as_bytes(), b.as_bytes()) } else { (b.as_bytes(), a.as_bytes()) };
    let same = short.iter().zip(long).take_while(|(a, b)| a == b).count();
    let rest = |text: &[u8], skip: usize| text.get(same + skip..).unwrap_or_default().to_vec();
    long.len() - short.len() <= 1
        && (rest(short, 0) == rest(long, 1) || (short.len() == long.len() && rest(short, 1) == rest(long, 1)))
}

fn visit(expr: &IdedExpr, each: &mut dyn FnMut(&IdedExpr)) {
    each(expr);
    for child in children(expr) {
        visit(child, each);
    }
}

fn children(expr: &IdedExpr) -> Vec<&IdedExpr> {
    use cel::common::ast::EntryExpr;
    match &expr.expr {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(inner) => {
            vec![&inner.iter_range, &inner.accu_init, &inner.loop_cond, &inner.loop_step, &inner.result]
        }
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Map(cel::common::ast::MapExpr { entries })
        | Expr::Struct(cel::common::ast::StructExpr { entries, .. }) => entries
            .iter()
            .flat_map(|entry| match &entry.expr {
                EntryExpr::StructField(field) => vec![&field.value],
                EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
            })
            .collect(),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use recipes::ParsedRecipe;

    use super::*;

    fn holds(source: &str, recipe: &ParsedRecipe) -> Option<bool> {
        let condition = Condition::compile(source).unwrap();
        let facts = Facts::of(recipe, condition.fields());
        condition.holds(&context(&facts))
    }

    fn pie(calories: Option<f64>) -> ParsedRecipe {
        ParsedRecipe {
            title: "Plum Pie".to_owned(),
            calories,
            category: vec!["dessert".to_owned()],
            ingredients: vec!["2 eggs".to_owned(), "peanut butter".to_owned()],
            ..ParsedRecipe::default()
        }
    }

    #[test]
    fn conditions_ask_any_field() {
        let (some, none) = (pie(Some(250.0)), pie(None));
        for (source, of_some, of_none) in [
            ("calories > 200", Some(true), None),
            ("calories > 200.5 && \"dessert\" in category", Some(true), None),
            ("calories > 200 && \"vegan\" in category", Some(false), Some(false)),
            ("calories > 300 || title.contains(\"Pie\")", Some(true), Some(true)),
            ("!ingredients.exists(i, i.contains(\"peanut\"))", Some(false), Some(false)),
            ("title.lowerAscii().matches('^plum .*')", Some(true), Some(true)),
            ("total_time < 30", None, None),
            ("has(nutrition.fat) && nutrition.fat.value > 3", Some(false), Some(false)),
            ("nutrition.fat.value > 3.0", None, None),
            ("size(ingredients) == 2", Some(true), Some(true)),
            ("rating.value >= 4", None, None),
        ] {
            assert_eq!((holds(source, &some), holds(source, &none)), (of_some, of_none), "{source}");
        }
    }

    #[test]
    fn conditions_ask_for_the_last_hour_of_the_site() {
        let numbers = SiteNumbers { alerts_last_hour: 21, mean_calories: None, ..SiteNumbers::PROBE };
        for (source, expected) in [
            ("site == 'a.example' && stats.alerts_last_hour > 20", Some(true)),
            ("stats.failures_last_hour * 2 > stats.recipes_last_hour", Some(true)),
            ("stats.mean_calories > 300", None),
        ] {
            let condition = Condition::compile_for(source, Per::Site).unwrap();
            assert_eq!(condition.holds(&context(&Facts::of_site("a.example", &numbers))), expected, "{source}");
        }
        let held = Condition::compile("calories > 200 && stats.alerts_last_hour <= 20").unwrap();
        let pie = pie(Some(250.0));
        let facts = |numbers| Facts::of(&pie, held.fields()).with_stats(numbers);
        assert_eq!(held.holds(&context(&facts(&numbers))), Some(false));
        assert_eq!(held.holds(&context(&facts(&SiteNumbers::default()))), Some(true));
        let error = |source, per| Condition::compile_for(source, per).unwrap_err();
        assert_eq!(
            error("calories > 200", Per::Site),
            "`calories` is a recipe's; a rule per site knows site and stats"
        );
        assert!(error("stats.alerts > 20", Per::Recipe).contains("there is no alerts"));
        assert!(error("stat.alerts_last_hour > 20", Per::Site).contains("did you mean stats?"));
    }

    #[test]
    fn what_can_never_work_is_refused_with_what_to_do() {
        for (source, said) in [
            ("calories >", "column"),
            ("kalories > 200", "no recipe has a field `kalories`; did you mean calories?"),
            ("calories > 200 || calorie > 3", "did you mean calories?"),
            ("calories > 'many'", "`calories > 'many'`: `>` does not go with double and string"),
            ("calories > 200 && title", "`title` is of type string; expected true or false"),
            ("title.starts('P')", "there is no function `starts`"),
            ("nutrition.vitamin_c.value > 2", "there is no vitamin_c"),
            ("calories + 1.0", "expected true or false"),
        ] {
            let error = Condition::compile(source).unwrap_err();
            assert!(error.contains(said) && !error.contains('\n'), "{source}: {error}");
        }
    }

    #[test]
    fn a_verdict_is_explained_part_by_part() {
        let condition =
            Condition::compile("calories > 200 && !(\"vegan\" in category || ingredients.exists(i, i.contains('x')))");
        let (condition, pie) = (condition.unwrap(), pie(None));
        let parts = condition.explain(&Facts::of(&pie, condition.fields()));
        assert_eq!(
            parts.iter().map(|part| &*part.source).collect::<Vec<_>>(),
            ["calories > 200", "\"vegan\" in category", "ingredients.exists(i, i.contains('x'))"]
        );
        assert!(parts[0].result.as_ref().is_err_and(|why| why.starts_with("unknown")), "{parts:?}");
        assert_eq!(parts[1].result, Ok(false));
    }
}
