//! The facts of Google's published matcher tests and of RFC 9309, restated.

use super::*;
use proptest::prelude::*;

/// Whether `agent` may fetch `url`, whose path is taken as it stands.
fn allowed(robots: &str, agent: &str, url: &str) -> bool {
    Robots::parse(robots.as_bytes(), agent).allows_path(path(url))
}

fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find(['/', '?']).map_or("/", |at| &rest[at..]);
    path.split('#').next().unwrap_or("/")
}

#[test]
fn an_empty_file_or_agent_allows() {
    assert!(allowed("", "FooBot", ""));
    assert!(allowed("user-agent: FooBot\ndisallow: /\n", "", ""));
    assert!(!allowed("user-agent: FooBot\ndisallow: /\n", "FooBot", ""));
}

#[test]
fn lines_need_a_known_field_but_no_colon() {
    let url = "http://foo.bar/x/y";
    assert!(!allowed("user-agent: FooBot\ndisallow: /\n", "FooBot", url));
    assert!(allowed("foo: FooBot\nbar: /\n", "FooBot", url));
    assert!(!allowed("user-agent FooBot\ndisallow /\n", "FooBot", url));
}

#[test]
fn groups_may_name_several_agents() {
    let robots = "allow: /foo/bar/\n\nuser-agent: FooBot\ndisallow: /\nallow: /x/\nuser-agent: BarBot\ndisallow: /\n\
                  allow: /y/\n\n\nallow: /w/\nuser-agent: BazBot\n\nuser-agent: FooBot\nallow: /z/\ndisallow: /\n";
    assert!(allowed(robots, "FooBot", "http://foo.bar/x/b"));
    assert!(allowed(robots, "FooBot", "http://foo.bar/z/d"));
    assert!(!allowed(robots, "FooBot", "http://foo.bar/y/c"));
    assert!(allowed(robots, "BarBot", "http://foo.bar/y/c"));
    assert!(allowed(robots, "BarBot", "http://foo.bar/w/a"));
    assert!(!allowed(robots, "BarBot", "http://foo.bar/z/d"));
    assert!(allowed(robots, "BazBot", "http://foo.bar/z/d"));
    // Lines before the first group belong to nobody.
    assert!(!allowed(robots, "FooBot", "http://foo.bar/foo/bar/"));
    assert!(!allowed(robots, "BarBot", "http://foo.bar/foo/bar/"));
    assert!(!allowed(robots, "BazBot", "http://foo.bar/foo/bar/"));
}

#[test]
fn other_fields_do_not_close_the_list_of_agents() {
    for other in ["Sitemap: https://foo.bar/sitemap", "Invalid-Unknown-Line: unknown"] {
        let robots = format!("User-agent: BarBot\n{other}\nUser-agent: *\nDisallow: /\n");
        assert!(!allowed(&robots, "FooBot", "http://foo.bar/"));
        assert!(!allowed(&robots, "BarBot", "http://foo.bar/"));
        let robots = format!("User-agent: FooBot\n{other}\nUser-agent: *\nDisallow: /\n");
        assert!(!allowed(&robots, "FooBot", "http://foo.bar/"));
        assert!(!allowed(&robots, "BarBot", "http://foo.bar/"));
    }
}

#[test]
fn field_names_ignore_case_and_paths_do_not() {
    for (agent, allow, disallow) in
        [("USER-AGENT", "ALLOW", "DISALLOW"), ("user-agent", "allow", "disallow"), ("uSeR-aGeNt", "AlLoW", "dIsAlLoW")]
    {
        let robots = format!("{agent}: FooBot\n{allow}: /x/\n{disallow}: /\n");
        assert!(allowed(&robots, "FooBot", "http://foo.bar/x/y"));
        assert!(!allowed(&robots, "FooBot", "http://foo.bar/a/b"));
    }
    assert!(!allowed("user-agent: FooBot\ndisallow: /x/\n", "FooBot", "http://foo.bar/x/y"));
    assert!(allowed("user-agent: FooBot\ndisallow: /X/\n", "FooBot", "http://foo.bar/x/y"));
}

#[test]
fn agents_ignore_case_and_end_at_the_first_other_character() {
    for agent in ["FOO BAR", "foo bar", "FoO bAr"] {
        let robots = format!("User-Agent: {agent}\nAllow: /x/\nDisallow: /\n");
        assert!(allowed(&robots, "Foo", "http://foo.bar/x/y"));
        assert!(allowed(&robots, "foo", "http://foo.bar/x/y"));
        assert!(!allowed(&robots, "Foo", "http://foo.bar/a/b"));
        assert!(!allowed(&robots, "foo", "http://foo.bar/a/b"));
    }
    let robots = "User-Agent: *\nDisallow: /\nUser-Agent: Foo Bar\nAllow: /x/\nDisallow: /\n";
    assert!(allowed(robots, "Foo", "http://foo.bar/x/y"));
    assert!(!allowed(robots, "Foo Bar", "http://foo.bar/x/y"));
}

#[test]
fn everybodys_group_counts_only_without_an_own_one() {
    let global = "user-agent: *\nallow: /\nuser-agent: FooBot\ndisallow: /\n";
    assert!(allowed("", "FooBot", "http://foo.bar/x/y"));
    assert!(!allowed(global, "FooBot", "http://foo.bar/x/y"));
    assert!(allowed(global, "BarBot", "http://foo.bar/x/y"));
    let specific = "user-agent: FooBot\nallow: /\nuser-agent: BarBot\ndisallow: /\nuser-agent: BazBot\ndisallow: /\n";
    assert!(allowed(specific, "QuxBot", "http://foo.bar/x/y"));
    assert!(!allowed("user-agent: * baz\ndisallow: /\n", "FooBot", "http://foo.bar/x/y"));
    assert!(allowed("user-agent: *baz\ndisallow: /\n", "FooBot", "http://foo.bar/x/y"));
    // An own group that forbids nothing goes before everybody's that does.
    assert!(allowed("user-agent: *\ndisallow: /\nuser-agent: FooBot\n", "FooBot", "http://foo.bar/x/y"));
}

#[test]
fn the_longest_match_counts_and_allow_wins_a_tie() {
    let url = "http://foo.bar/x/page.html";
    let says = |rules: &str, url: &str| allowed(&format!("user-agent: FooBot\n{rules}"), "FooBot", url);
    assert!(says("disallow: /x/page.html\nallow: /x/page.html\n", url));
    assert!(!says("allow: /x/\ndisallow: /x/page.html\n", url));
    assert!(says("allow: /x/page.html\ndisallow: /x/\n", url));
    assert!(!says("allow: /x/page.html\ndisallow: /x/\n", "http://foo.bar/x/"));
    assert!(says("disallow:\nallow:\n", url));
    assert!(says("disallow: /\nallow: /\n", url));
    assert!(!says("disallow: /x\nallow: /x/\n", "http://foo.bar/x"));
    assert!(says("disallow: /x\nallow: /x/\n", "http://foo.bar/x/"));
    assert!(says("allow: /page\ndisallow: /*.html\n", "http://foo.bar/page"));
    assert!(!says("allow: /page\ndisallow: /*.html\n", "http://foo.bar/page.html"));
    assert!(says("allow: /x/page.\ndisallow: /*.html\n", url));
    assert!(!says("allow: /x/page.\ndisallow: /*.html\n", "http://foo.bar/x/y.html"));
}

#[test]
fn encodings_are_compared_as_they_stand() {
    let says =
        |rule: &str, url: &str| allowed(&format!("User-agent: FooBot\nDisallow: /\nAllow: {rule}\n"), "FooBot", url);
    let query = "http://foo.bar/foo/bar?qux=taz&baz=http://foo.bar?tar&par";
    assert!(says("/foo/bar?qux=taz&baz=http://foo.bar?tar&par", query));
    // Beyond ASCII: the pattern is encoded, the URL is expected to be.
    assert!(says("/foo/bar/ツ", "http://foo.bar/foo/bar/%E3%83%84"));
    assert!(!says("/foo/bar/ツ", "http://foo.bar/foo/bar/ツ"));
    assert!(says("/foo/bar/%E3%83%84", "http://foo.bar/foo/bar/%E3%83%84"));
    assert!(!says("/foo/bar/%E3%83%84", "http://foo.bar/foo/bar/ツ"));
    assert!(says("/foo/bar/%e3%83%84", "http://foo.bar/foo/bar/%E3%83%84"));
    // Encodings of characters that need none.
    assert!(says("/foo/bar/%62%61%7A", "http://foo.bar/foo/bar/%62%61%7A"));
    assert!(!says("/foo/bar/%62%61%7A", "http://foo.bar/foo/bar/baz"));
}

#[test]
fn a_crawler_obeys_a_rule_however_either_side_encodes_it() {
    let forbids = |rule: &str, url: &str| {
        let robots = Robots::parse(format!("User-agent: *\nDisallow: {rule}\n").as_bytes(), "FooBot");
        !robots.allows(&Url::parse(url).unwrap())
    };
    assert!(forbids("/%7Ejoe/", "http://foo.bar/~joe/a"));
    assert!(forbids("/~joe/", "http://foo.bar/%7Ejoe/a"));
    assert!(forbids("/a%3cd.html", "http://foo.bar/a%3Cd.html"));
    assert!(forbids("/ツ", "http://foo.bar/ツ"));
    assert!(!forbids("/a%2Fb", "http://foo.bar/a/b"));
}

#[test]
fn wildcards_and_the_end_mark() {
    let says = |rule: &str, url: &str| allowed(&format!("user-agent: FooBot\ndisallow: {rule}\n"), "FooBot", url);
    assert!(!says("/foo/bar/quz*", "http://foo.bar/foo/bar/quz") && says("/foo/bar/quz*", "http://foo.bar/foo/bar/q"));
    assert!(!says("/foo/*/qux", "http://foo.bar/foo/bar/qux") && !says("/foo/*/qux", "http://foo.bar/foo//qux"));
    assert!(says("/foo/*/qux", "http://foo.bar/foo/bax/quz"));
    assert!(!says("/foo/bar$", "http://foo.bar/foo/bar") && says("/foo/bar$", "http://foo.bar/foo/bar/qux"));
    assert!(says("/foo/bar$", "http://foo.bar/foo/bar/") && says("/foo/bar$", "http://foo.bar/foo/bar/baz"));
    // A dollar sign anywhere else is itself.
    assert!(!says("/a$b", "http://foo.bar/a$b") && says("/a$b", "http://foo.bar/a"));
}

#[test]
fn an_index_page_stands_for_its_directory() {
    let robots = "User-Agent: *\nAllow: /allowed-slash/index.html\nDisallow: /\n";
    assert!(allowed(robots, "foobot", "http://foo.com/allowed-slash/"));
    assert!(allowed(robots, "foobot", "http://foo.com/allowed-slash/index.html"));
    assert!(
        allowed(robots, "foobot", "http://foo.com/allowed-slash/index.htm")
            == allowed(robots, "foobot", "http://foo.com/x")
    );
    assert!(!allowed(robots, "foobot", "http://foo.com/anyother-url"));
}

#[test]
fn overlong_lines_are_cut() {
    // The limit counts the line's end: 2083 * 8 bytes with it.
    let fill = "a".repeat(MAX_LINE - "disallow: /x/".len());
    let robots = format!("user-agent: FooBot\ndisallow: /x/{fill}/qux\n");
    assert!(allowed(&robots, "FooBot", "http://foo.bar/fux"));
    assert!(!allowed(&robots, "FooBot", &format!("http://foo.bar/x/{fill}/fux")));
    let fill = "a".repeat(MAX_LINE - "allow: /x/".len());
    let robots = format!("user-agent: FooBot\ndisallow: /\nallow: /x/{fill}/qux\n");
    assert!(!allowed(&robots, "FooBot", "http://foo.bar/"));
    assert!(!allowed(&robots, "FooBot", "http://foo.bar/fux"));
    assert!(allowed(&robots, "FooBot", &format!("http://foo.bar/x/{fill}/qux")));
}

#[test]
fn the_documented_examples_hold() {
    let says = |rule: &str, url: &str| {
        allowed(&format!("user-agent: FooBot\ndisallow: /\nallow: {rule}\n"), "FooBot", &format!("http://foo.bar{url}"))
    };
    for rule in ["/fish", "/fish*"] {
        for url in [
            "/fish",
            "/fish.html",
            "/fish/salmon.html",
            "/fishheads",
            "/fishheads/yummy.html",
            "/fish.html?id=anything",
        ] {
            assert!(says(rule, url), "{rule} {url}");
        }
        for url in ["/bar", "/Fish.asp", "/catfish", "/?id=fish"] {
            assert!(!says(rule, url), "{rule} {url}");
        }
    }
    for (url, expected) in [
        ("/fish/", true),
        ("/fish/salmon", true),
        ("/fish/?salmon", true),
        ("/fish/salmon.html", true),
        ("/fish/?id=anything", true),
        ("/fish", false),
        ("/fish.html", false),
        ("/Fish/Salmon.html", false),
    ] {
        assert_eq!(says("/fish/", url), expected, "{url}");
    }
    for (url, expected) in [
        ("/filename.php", true),
        ("/folder/filename.php", true),
        ("/folder/filename.php?parameters", true),
        ("//folder/any.php.file.html", true),
        ("/filename.php/", true),
        ("/index?f=filename.php/", true),
        ("/php/", false),
        ("/index?php", false),
        ("/windows.PHP", false),
    ] {
        assert_eq!(says("/*.php", url), expected, "{url}");
    }
    for (url, expected) in [
        ("/filename.php", true),
        ("/folder/filename.php", true),
        ("/filename.php?parameters", false),
        ("/filename.php/", false),
        ("/filename.php5", false),
        ("/php/", false),
        ("/filename?php", false),
        ("/aaaphpaaa", false),
        ("//windows.PHP", false),
    ] {
        assert_eq!(says("/*.php$", url), expected, "{url}");
    }
    for (url, expected) in [("/fish.php", true), ("/fishheads/catfish.php?parameters", true), ("/Fish.PHP", false)] {
        assert_eq!(says("/fish*.php", url), expected, "{url}");
    }
}

#[test]
fn the_documented_order_of_precedence_holds() {
    let says = |rules: &str, url: &str| allowed(&format!("user-agent: FooBot\n{rules}"), "FooBot", url);
    assert!(says("allow: /p\ndisallow: /\n", "http://example.com/page"));
    assert!(says("allow: /folder\ndisallow: /folder\n", "http://example.com/folder/page"));
    assert!(!says("allow: /page\ndisallow: /*.htm\n", "http://example.com/page.htm"));
    assert!(says("allow: /$\ndisallow: /\n", "http://example.com/"));
    assert!(!says("allow: /$\ndisallow: /\n", "http://example.com/page.html"));
}

#[test]
fn every_kind_of_line_end_is_one() {
    let unix = "User-Agent: foo\nAllow: /some/path\nUser-Agent: bar\n\n\nDisallow: /\n";
    for end in ["\n", "\r\n", "\r"] {
        let robots = unix.replace('\n', end);
        assert!(!allowed(&robots, "bar", "http://x/a"));
        assert!(allowed(&robots, "foo", "http://x/a"));
    }
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_start_only() {
    let text = b"User-Agent: foo\nDisallow: /\n";
    let forbids = |mark: &[u8]| !Robots::parse(&[mark, text].concat(), "foo").allows_path("/x");
    assert!(forbids(b"\xEF\xBB\xBF") && forbids(b"\xEF\xBB") && forbids(b"\xEF"));
    assert!(!forbids(b"\xEF\x11\xBF"));
    let inside = b"User-Agent: foo\n\xEF\xBB\xBFDisallow: /\n";
    assert!(Robots::parse(inside, "foo").allows_path("/x"));
}

#[test]
fn sitemaps_stand_anywhere() {
    for robots in [
        "User-Agent: foo\nAllow: /some/path\nUser-Agent: bar\n\n\nSitemap: http://foo.bar/sitemap.xml\n",
        "Sitemap: http://foo.bar/sitemap.xml\nUser-Agent: foo\nAllow: /some/path\n",
    ] {
        assert_eq!(Robots::parse(robots.as_bytes(), "foo").sitemaps, ["http://foo.bar/sitemap.xml"]);
    }
}

#[test]
fn the_usual_misspellings_are_understood() {
    for word in ["dissallow", "dissalow", "disalow", "diasllow", "disallaw"] {
        assert!(!allowed(&format!("useragent: FooBot\n{word}: /a/\n"), "FooBot", "http://foo.bar/a/b"), "{word}");
    }
}

#[test]
fn crawl_delay_belongs_to_its_group() {
    let delay = |robots: &str| Robots::parse(robots.as_bytes(), "FooBot").crawl_delay;
    assert_eq!(delay("User-agent: *\nCrawl-delay: 2.5\n"), Some(Duration::from_millis(2500)));
    assert_eq!(
        delay("User-agent: *\nCrawl-delay: 9\nUser-agent: FooBot\nDisallow: /x\n"),
        Some(Duration::from_secs(9))
    );
    assert_eq!(delay("User-agent: *\nDisallow: /y\nCrawl-delay: 9\nUser-agent: FooBot\nDisallow: /x\n"), None);
    for nonsense in ["-1", "soon", "NaN", "inf", ""] {
        assert_eq!(delay(&format!("User-agent: *\nCrawl-delay: {nonsense}\n")), None, "{nonsense}");
    }
    assert_eq!(delay("User-agent: *\nCrawl-delay: 1e300\n"), Some(MAX_DELAY));
}

#[test]
fn no_more_than_the_limit_is_read() {
    let mut robots = b"User-agent: *\nDisallow: /a\n".to_vec();
    robots.resize(MAX_BYTES, b'\n');
    robots.extend_from_slice(b"Disallow: /b\n");
    let robots = Robots::parse(&robots, "FooBot");
    assert!(!robots.allows_path("/a") && robots.allows_path("/b"));
}

/// What `matches` means, without its shortcuts.
fn by_definition(path: &[u8], pattern: &[u8]) -> bool {
    match pattern {
        [] => true,
        [b'$'] => path.is_empty(),
        [b'*', rest @ ..] => (0..=path.len()).any(|skip| by_definition(&path[skip..], rest)),
        [byte, rest @ ..] => path.split_first().is_some_and(|(first, path)| first == byte && by_definition(path, rest)),
    }
}

proptest! {
    #[test]
    fn matching_is_what_its_definition_says(path in "/[ab/$]{0,12}", pattern in "/[ab/*$]{0,8}") {
        prop_assert_eq!(matches(path.as_bytes(), pattern.as_bytes()), by_definition(path.as_bytes(), pattern.as_bytes()));
    }

    #[test]
    fn any_bytes_are_a_robots_txt(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        let _ = Robots::parse(&bytes, "FooBot").allows_path("/x");
    }
}
