//! Pages made to hurt: each ends as a recipe or a reason, and none takes the process down.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on says so by a panic"
)]

use parser_recipes::{NoRecipe, Page, Rules, encoding, extract};
use proptest::prelude::*;

fn try_page(bytes: &[u8]) -> Result<parser_recipes::Merged, NoRecipe> {
    extract(Page { bytes, url: None, content_type: None }, &Rules::built_in().unwrap())
}

const SOUP: &str = r##"<html lang="en"><head><title>Soup</title><script type="application/ld+json">{"@context":
    "https://schema.org","@graph":[{"@type":"Recipe","name":"Soup","author":{"@id":"#a"},"recipeIngredient":["1 egg","½ cup milk"],
    "recipeInstructions":[{"@type":"HowToStep","text":"Mix."},{"@type":"HowToStep","text":"Boil."}],"recipeYield":["4"],
    "totalTime":"PT1H","nutrition":{"calories":"250 kcal"}},{"@id":"#a","@type":"Person","name":"Ann"}]}</script></head>
    <body><h1>Soup</h1><div itemscope itemtype="http://schema.org/Recipe"><b itemprop="name">Soup</b><ul>
    <li itemprop="recipeIngredient">1 egg</li><li itemprop="recipeIngredient">½ cup milk</li></ul></div>
    <h2>Ingredients</h2><ul><li>1 egg<li>½ cup milk</ul><h2>Method</h2><ol><li>Mix it all very well.<li>Boil.</ol></body></html>"##;

#[test]
fn bodies_past_the_limit_are_refused() {
    let body = vec![b'a'; 100 << 20];
    assert_eq!(try_page(&body).unwrap_err(), NoRecipe::TooLarge(100 << 20));
}

#[test]
fn deep_nesting_of_every_kind_is_survived() {
    for (open, close) in [
        ("<div>", "</div>"),
        ("<b>", "</b>"),
        ("<ul><li>", "</li></ul>"),
        ("<table><tr><td>", ""),
        ("<p>", ""),
        ("<div itemscope itemtype=http://schema.org/Recipe itemprop=recipeIngredient>", ""),
        ("<!--", ""),
        ("<a b=\"", ""),
        ("<script>", ""),
    ] {
        let page = format!("{}<h2>Ingredients</h2>{}{}", open.repeat(10_000), SOUP, close.repeat(10_000));
        let _ = try_page(page.as_bytes());
        let page = format!(
            "{}{}{}",
            SOUP.replace("application/ld+json", "text/plain"),
            open.repeat(10_000),
            close.repeat(10_000)
        );
        let _ = try_page(page.as_bytes());
    }
    let json = format!(
        "<script type=application/ld+json>{{\"@type\":\"Recipe\",\"recipeIngredient\":{}",
        "[{\"a\":".repeat(50_000)
    );
    assert!(try_page(json.as_bytes()).is_err());
}

#[test]
fn long_attributes_and_many_of_them_are_survived() {
    let long =
        format!("<h1 class='{}' title=\"{}\">Soup</h1>{SOUP}", "ingredient ".repeat(100_000), "x".repeat(1 << 20));
    assert_eq!(try_page(long.as_bytes()).unwrap().draft.title.as_deref(), Some("Soup"));
    let many = format!("<h1 {}>Soup</h1>{SOUP}", "itemprop=name ".repeat(100_000));
    assert!(try_page(many.as_bytes()).is_ok());
}

#[test]
fn entities_do_not_grow() {
    let bomb = "&amp;".repeat(200_000);
    let page = SOUP.replace("\"name\":\"Soup\"", &format!("\"name\":\"Soup {bomb}\""));
    let title = try_page(page.as_bytes()).unwrap().draft.title.unwrap();
    assert!(title.len() <= bomb.len());
    let declared = "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;&lol;\">]><p>&lol2;</p>";
    assert!(try_page(declared.as_bytes()).is_err());
}

#[test]
fn wrong_types_in_structured_data_are_survived() {
    for value in [
        "null",
        "1",
        "true",
        "[]",
        "{}",
        "[[[]]]",
        "[null,1,{}]",
        "\"\"",
        "{\"@type\":\"HowToSection\"}",
        "[{\"@list\":[1]}]",
    ] {
        for key in [
            "name",
            "author",
            "recipeIngredient",
            "recipeInstructions",
            "recipeYield",
            "totalTime",
            "nutrition",
            "image",
            "aggregateRating",
            "datePublished",
            "url",
            "@type",
        ] {
            let json = format!(
                "{{\"@type\":\"Recipe\",\"name\":\"Soup\",\"recipeIngredient\":[\"1 egg\"],\"{key}\":{value}}}"
            );
            let _ = try_page(format!("<script type='application/ld+json'>{json}</script>").as_bytes());
        }
    }
}

#[test]
fn a_page_cut_anywhere_ends() {
    let bytes = SOUP.as_bytes();
    for end in 0..bytes.len() {
        let _ = try_page(&bytes[..end]);
    }
    assert_eq!(try_page(bytes).unwrap().draft.authors, ["Ann"]);
}

/// A megabyte of `unit` again and again, in `page` where it says `MANY`.
fn filled(page: &str, unit: &str) -> String {
    page.replace("MANY", &unit.repeat((1 << 20) / unit.len()))
}

#[test]
fn no_page_takes_ten_times_its_size_in_memory() {
    let json_ld = SOUP.replace("<title>", "MANY<title>");
    let plain = json_ld.replace("application/ld+json", "text/plain");
    let in_recipe =
        |key: &str, open: &str| SOUP.replace("\"@type\":\"Recipe\"", &format!("\"@type\":\"Recipe\",\"{key}\":{open}"));
    let script = "<script type=application/ld+json>MANY";
    let pages = [
        // Tags that never end, in a head that is read without a tree.
        filled(&json_ld, "<meta "),
        filled(&json_ld, "<title "),
        filled(&json_ld, "<script type=application/ld+json>{\"@type\":\"Recipe\",\"name\":\"x\"}</script>"),
        filled(&plain, "<script type=application/ld+json>{\"@type\":\"Recipe\",\"author\":{\"@id\":\"#b\"}}</script>"),
        filled(script, "{\"@type\":\"Recipe\",\"author\":{\"@id\":\"#b\"},\"publisher\":{\"@id\":\"#b\"}},"),
        filled(&in_recipe("recipeIngredient", "[MANY],\"x\":1"), "1,"),
        filled(&in_recipe("recipeInstructions", "[MANY],\"x\":1"), "{\"text\":\"1\"},"),
        filled(&in_recipe("recipeCategory", "\"MANY\",\"x\":1"), "a,b,"),
        filled(&in_recipe("name", "\"MANY\",\"x\":1"), "&amp;"),
        filled(script, "[{\"a\":"),
        filled(&plain, "<div>"),
        filled(&plain, "<p>1 cup milk"),
        filled(&plain, "<div itemprop=name>egg "),
        filled(&plain, "<div itemscope itemtype=http://schema.org/Recipe itemref='a b c'>"),
        filled("<div itemscope itemtype=Recipe><p itemprop='MANY'>egg</p></div>", "a "),
        format!("<div itemscope itemtype=Recipe>{}{SOUP}", filled("<b itemprop=name>MANY", "<p itemprop=name>egg</p>")),
        format!("<div itemscope itemtype=Recipe>{}MANY", "<div itemprop=name>".repeat(200))
            .replace("MANY", &"egg ".repeat(60_000)),
        filled(&plain, "<div class=wprm-recipe-container><li class=wprm-recipe-ingredient>1 egg</li>"),
        format!("<h1 class='{}'>Soup</h1>{plain}", "x".repeat(1 << 20)),
    ];
    for page in pages {
        let allocated = allocation_counter::measure(|| drop(try_page(page.as_bytes())));
        let (most, size) = (allocated.bytes_max, page.len() as u64);
        let (start, end) = (&page[..page.floor_char_boundary(300)], &page[page.ceil_char_boundary(page.len() - 300)..]);
        assert!(most <= 10 * size, "{most} bytes for a page of {size}: {start} … {end}");
    }
}

#[test]
fn a_page_that_is_not_read_as_utf8_is_not_read_so_in_parts() {
    let broken = [SOUP.as_bytes(), &[0xE4, b' '].repeat(40)].concat();
    let page = Page { bytes: &broken, url: None, content_type: None };
    let rules = Rules::built_in().unwrap();
    assert_eq!(parser_recipes::extract::fast(page, &rules), None);
    let utf8 = Page { content_type: Some("text/html; charset=utf-8"), ..page };
    let (fast, full) = (parser_recipes::extract::fast(utf8, &rules), parser_recipes::extract::full(utf8, &rules));
    assert_eq!(fast.unwrap().draft.ingredients, full.unwrap().draft.ingredients);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn broken_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..400), content_type in prop::option::of("text/html; charset=[a-z0-9-]{1,12}")) {
        let rules = Rules::built_in().unwrap();
        let _ = extract(Page { bytes: &bytes, url: None, content_type: content_type.as_deref() }, &rules);
        let _ = encoding::decode(&bytes, content_type.as_deref());
    }

    #[test]
    fn a_page_with_bytes_overwritten_ends(at in prop::collection::vec((0..SOUP.len(), any::<u8>()), 1..12)) {
        let mut bytes = SOUP.as_bytes().to_vec();
        for (at, byte) in at {
            bytes[at] = byte;
        }
        let _ = try_page(&bytes);
    }
}
