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
