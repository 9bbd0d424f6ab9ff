//! The cases Google publishes for its own matcher (github.com/google/robotstxt, robots_test.cc and reporting_robots_test.cc;
//! the table "URL matching based on path values" of its documentation is among them), restated. Each test names theirs.
//!
//! Every URL is asked twice: as it stands, which is what Google's matcher is given, and as the crawler asks.

use super::*;

/// robots.txt, agent, URL, whether it may be fetched.
type Case<'a> = (&'a str, &'a str, &'a str, bool);

fn check(cases: &[Case]) {
    for (robots, agent, url, allowed) in cases {
        let told = Robots::parse(robots.as_bytes(), agent);
        assert_eq!(told.allows_path(as_it_stands(url)), *allowed, "as it stands: {agent} {url}\n{robots}");
        assert_eq!(told.allows(&Url::parse(url).unwrap()), *allowed, "as the crawler asks: {agent} {url}\n{robots}");
    }
}

/// The same of one group of FooBot's: rules, path, whether it may be fetched.
fn check_rules(cases: &[(&str, &str, bool)]) {
    for (rules, path, allowed) in cases {
        let (robots, url) = (format!("user-agent: FooBot\n{rules}"), format!("http://foo.bar{path}"));
        check(&[(&robots, "FooBot", &url, *allowed)]);
    }
}

/// What stands behind the host, encoded or not.
fn as_it_stands(url: &str) -> &str {
    let host = url.strip_prefix("http://").unwrap();
    &host[host.find('/').unwrap()..]
}

fn allows_path(robots: &str, agent: &str, path: &str) -> bool {
    Robots::parse(robots.as_bytes(), agent).allows_path(path)
}

/// How many lines are user-agent, allow, disallow or sitemap lines.
fn understood(robots: &[u8]) -> usize {
    directives(robots).count()
}

/// `GoogleOnly_SystemTest`. What is no URL is asked for as `/` there; a crawler has no such thing.
#[test]
fn nothing_is_forbidden_by_an_empty_file_or_to_nobody() {
    let robots = "user-agent: FooBot\ndisallow: /\n";
    assert!(allows_path("", "FooBot", "/"));
    assert!(allows_path(robots, "", "/"));
    assert!(!allows_path(robots, "FooBot", "/"));
    assert!(allows_path("", "", "/"));
}

/// `ID_LineSyntax_Line`
#[test]
fn a_line_needs_a_known_field_but_no_colon() {
    let url = "http://foo.bar/x/y";
    check(&[
        ("user-agent: FooBot\ndisallow: /\n", "FooBot", url, false),
        ("foo: FooBot\nbar: /\n", "FooBot", url, true),
        ("user-agent FooBot\ndisallow /\n", "FooBot", url, false),
    ]);
}

/// `ID_LineSyntax_Groups`
#[test]
fn a_group_has_agents_then_rules_and_groups_of_one_agent_are_one() {
    let robots = "allow: /foo/bar/\n\nuser-agent: FooBot\ndisallow: /\nallow: /x/\nuser-agent: BarBot\ndisallow: /\n\
                  allow: /y/\n\n\nallow: /w/\nuser-agent: BazBot\n\nuser-agent: FooBot\nallow: /z/\ndisallow: /\n";
    check(&[
        (robots, "FooBot", "http://foo.bar/x/b", true),
        (robots, "FooBot", "http://foo.bar/z/d", true),
        (robots, "FooBot", "http://foo.bar/y/c", false),
        (robots, "BarBot", "http://foo.bar/y/c", true),
        (robots, "BarBot", "http://foo.bar/w/a", true),
        (robots, "BarBot", "http://foo.bar/z/d", false),
        (robots, "BazBot", "http://foo.bar/z/d", true),
        // Rules before the first group are nobody's.
        (robots, "FooBot", "http://foo.bar/foo/bar/", false),
        (robots, "BarBot", "http://foo.bar/foo/bar/", false),
        (robots, "BazBot", "http://foo.bar/foo/bar/", false),
    ]);
}

/// `ID_LineSyntax_Groups_OtherRules`
#[test]
fn other_fields_do_not_end_the_list_of_agents() {
    let sitemap = "User-agent: BarBot\nSitemap: https://foo.bar/sitemap\nUser-agent: *\nDisallow: /\n";
    let unknown = "User-agent: FooBot\nInvalid-Unknown-Line: unknown\nUser-agent: *\nDisallow: /\n";
    let url = "http://foo.bar/";
    check(&[
        (sitemap, "FooBot", url, false),
        (sitemap, "BarBot", url, false),
        (unknown, "FooBot", url, false),
        (unknown, "BarBot", url, false),
    ]);
}

/// `ID_REPLineNamesCaseInsensitive`
#[test]
fn fields_ignore_case() {
    for robots in [
        "USER-AGENT: FooBot\nALLOW: /x/\nDISALLOW: /\n",
        "user-agent: FooBot\nallow: /x/\ndisallow: /\n",
        "uSeR-aGeNt: FooBot\nAlLoW: /x/\ndIsAlLoW: /\n",
    ] {
        check(&[(robots, "FooBot", "http://foo.bar/x/y", true), (robots, "FooBot", "http://foo.bar/a/b", false)]);
    }
}

/// `ID_VerifyValidUserAgentsToObey`
#[test]
fn a_product_token_is_letters_dashes_and_underscores() {
    let valid = |agent: &str| !agent.is_empty() && product(agent.as_bytes()) == agent.as_bytes();
    for agent in ["Foobot", "Foobot-Bar", "Foo_Bar", crate::job::AGENT] {
        assert!(valid(agent), "{agent}");
    }
    for agent in ["", "ツ", "Foobot*", " Foobot ", "Foobot/2.1", "Foobot Bar"] {
        assert!(!valid(agent), "{agent}");
    }
}

/// `ID_UserAgentValueCaseInsensitive`
#[test]
fn agents_ignore_case() {
    for named in ["FOO BAR", "foo bar", "FoO bAr"] {
        let robots = &format!("User-Agent: {named}\nAllow: /x/\nDisallow: /\n");
        for agent in ["Foo", "foo"] {
            check(&[(robots, agent, "http://foo.bar/x/y", true), (robots, agent, "http://foo.bar/a/b", false)]);
        }
    }
}

/// `GoogleOnly_AcceptUserAgentUpToFirstSpace`
#[test]
fn an_agent_ends_at_the_first_space() {
    let robots = "User-Agent: *\nDisallow: /\nUser-Agent: Foo Bar\nAllow: /x/\nDisallow: /\n";
    check(&[(robots, "Foo", "http://foo.bar/x/y", true), (robots, "Foo Bar", "http://foo.bar/x/y", false)]);
}

/// `ID_GlobalGroups_Secondary`; the third file is in Google's conformance tests (google/robotstxt-spec-test) only.
#[test]
fn everybodys_group_is_for_those_without_their_own() {
    let everybody = "user-agent: *\nallow: /\nuser-agent: FooBot\ndisallow: /\n";
    let others = "user-agent: FooBot\nallow: /\nuser-agent: BarBot\ndisallow: /\nuser-agent: BazBot\ndisallow: /\n";
    let reversed = "user-agent: *\ndisallow: /x\nuser-agent: FooBot\nallow: /x/y\n";
    let url = "http://foo.bar/x/y";
    check(&[
        ("", "FooBot", url, true),
        (everybody, "FooBot", url, false),
        (everybody, "BarBot", url, true),
        (others, "QuxBot", url, true),
        (reversed, "FooBot", url, true),
        (reversed, "BarBot", url, false),
    ]);
}

/// `ID_AllowDisallow_Value_CaseSensitive`
#[test]
fn paths_keep_case() {
    check_rules(&[("disallow: /x/\n", "/x/y", false), ("disallow: /X/\n", "/x/y", true)]);
}

/// `ID_LongestMatch`
#[test]
fn the_longest_match_counts_and_allow_wins_a_tie() {
    let page = "/x/page.html";
    check_rules(&[
        ("disallow: /x/page.html\nallow: /x/\n", page, false),
        ("allow: /x/page.html\ndisallow: /x/\n", page, true),
        ("allow: /x/page.html\ndisallow: /x/\n", "/x/", false),
        ("disallow: \nallow: \n", page, true),
        ("disallow: /\nallow: /\n", page, true),
        ("disallow: /x\nallow: /x/\n", "/x", false),
        ("disallow: /x\nallow: /x/\n", "/x/", true),
        ("disallow: /x/page.html\nallow: /x/page.html\n", page, true),
        ("allow: /page\ndisallow: /*.html\n", "/page.html", false),
        ("allow: /page\ndisallow: /*.html\n", "/page", true),
        ("allow: /x/page.\ndisallow: /*.html\n", page, true),
        ("allow: /x/page.\ndisallow: /*.html\n", "/x/y.html", false),
    ]);
    let robots = "User-agent: *\nDisallow: /x/\nUser-agent: FooBot\nDisallow: /y/\n";
    check(&[(robots, "FooBot", "http://foo.bar/x/page", true), (robots, "FooBot", "http://foo.bar/y/page", false)]);
}

/// `ID_Encoding`. RFC 9309 would have `%62%61%7A` match `baz`; the crawler obeys either reading, which here is Google's.
#[test]
fn rules_are_encoded_and_urls_are_expected_to_be() {
    let query = "/foo/bar?qux=taz&baz=http://foo.bar?tar&par";
    check_rules(&[
        (&format!("Disallow: /\nAllow: {query}\n"), query, true),
        ("Disallow: /\nAllow: /foo/bar/ツ\n", "/foo/bar/%E3%83%84", true),
        ("Disallow: /\nAllow: /foo/bar/%E3%83%84\n", "/foo/bar/%E3%83%84", true),
        ("Disallow: /\nAllow: /foo/bar/%62%61%7A\n", "/foo/bar/baz", false),
        ("Disallow: /\nAllow: /foo/bar/%62%61%7A\n", "/foo/bar/%62%61%7A", true),
    ]);
    // The crawler's URLs are encoded, so that it does not ask this.
    for rule in ["/foo/bar/ツ", "/foo/bar/%E3%83%84"] {
        let robots = format!("User-agent: FooBot\nDisallow: /\nAllow: {rule}\n");
        assert!(!allows_path(&robots, "FooBot", "/foo/bar/ツ"), "{rule}");
    }
}

/// `ID_SpecialCharacters`
#[test]
fn stars_dollars_and_comments() {
    let star = "Disallow: /foo/bar/quz\nAllow: /foo/*/qux\n";
    let end = "Disallow: /foo/bar$\nAllow: /foo/bar/qux\n";
    let comment = "# Disallow: /\nDisallow: /foo/quz#qux\nAllow: /\n";
    check_rules(&[
        (star, "/foo/bar/quz", false),
        (star, "/foo/quz", true),
        (star, "/foo//quz", true),
        (star, "/foo/bax/quz", true),
        (end, "/foo/bar", false),
        (end, "/foo/bar/qux", true),
        (end, "/foo/bar/", true),
        (end, "/foo/bar/baz", true),
        (comment, "/foo/bar", true),
        (comment, "/foo/quz", false),
    ]);
}

/// `GoogleOnly_IndexHTMLisDirectory`
#[test]
fn who_allows_the_index_page_allows_the_directory() {
    let robots = "User-Agent: *\nAllow: /allowed-slash/index.html\nDisallow: /\n";
    check(&[
        (robots, "foobot", "http://foo.com/allowed-slash/", true),
        (robots, "foobot", "http://foo.com/allowed-slash/index.htm", false),
        (robots, "foobot", "http://foo.com/allowed-slash/index.html", true),
        (robots, "foobot", "http://foo.com/anyother-url", false),
    ]);
}

/// `GoogleOnly_LineTooLong`: a line is 2083 * 8 bytes at most, its end included.
#[test]
fn an_overlong_line_is_cut() {
    let filled = |field: &str, letter: &str| format!("/x/{}", letter.repeat(2083 * 8 + 1 - 6 - field.len()));
    let forbidden = filled("disallow: ", "a");
    let rules = &format!("disallow: {forbidden}/qux\n");
    check_rules(&[(rules, "/fux", true), (rules, &format!("{forbidden}/fux"), false)]);
    let (exact, cut) = (filled("allow: ", "a"), filled("allow: ", "b"));
    let rules = &format!("disallow: /\nallow: {exact}/qux\nallow: {cut}/qux\n");
    check_rules(&[(rules, "/", false), (rules, &format!("{exact}/qux"), true), (rules, &format!("{cut}/fux"), true)]);
}

/// `GoogleOnly_DocumentationChecks`, "URL matching based on path values"
#[test]
fn the_documented_examples_hold() {
    let table: [(&str, &[&str], &[&str]); 6] = [
        (
            "/fish",
            &[
                "/fish",
                "/fish.html",
                "/fish/salmon.html",
                "/fishheads",
                "/fishheads/yummy.html",
                "/fish.html?id=anything",
            ],
            &["/bar", "/Fish.asp", "/catfish", "/?id=fish"],
        ),
        (
            "/fish*",
            &[
                "/fish",
                "/fish.html",
                "/fish/salmon.html",
                "/fishheads",
                "/fishheads/yummy.html",
                "/fish.html?id=anything",
            ],
            &["/bar", "/Fish.bar", "/catfish", "/?id=fish"],
        ),
        (
            "/fish/",
            &["/fish/", "/fish/salmon", "/fish/?salmon", "/fish/salmon.html", "/fish/?id=anything"],
            &["/bar", "/fish", "/fish.html", "/Fish/Salmon.html"],
        ),
        (
            "/*.php",
            &[
                "/filename.php",
                "/folder/filename.php",
                "/folder/filename.php?parameters",
                "//folder/any.php.file.html",
                "/filename.php/",
                "/index?f=filename.php/",
            ],
            &["/bar", "/php/", "/index?php", "/windows.PHP"],
        ),
        (
            "/*.php$",
            &["/filename.php", "/folder/filename.php"],
            &[
                "/bar",
                "/filename.php?parameters",
                "/filename.php/",
                "/filename.php5",
                "/php/",
                "/filename?php",
                "/aaaphpaaa",
                "//windows.PHP",
            ],
        ),
        ("/fish*.php", &["/fish.php", "/fishheads/catfish.php?parameters"], &["/bar", "/Fish.PHP"]),
    ];
    for (rule, matching, others) in table {
        let rules = format!("disallow: /\nallow: {rule}\n");
        let case = |allowed: bool| move |path: &&'static str| (*path, allowed);
        for (path, allowed) in matching.iter().map(case(true)).chain(others.iter().map(case(false))) {
            check_rules(&[(&rules, path, allowed)]);
        }
    }
}

/// `GoogleOnly_DocumentationChecks`, "Order of precedence for group-member records"
#[test]
fn the_documented_order_of_precedence_holds() {
    check_rules(&[
        ("allow: /p\ndisallow: /\n", "/page", true),
        ("allow: /folder\ndisallow: /folder\n", "/folder/page", true),
        ("allow: /page\ndisallow: /*.htm\n", "/page.htm", false),
        ("allow: /$\ndisallow: /\n", "/", true),
        ("allow: /$\ndisallow: /\n", "/page.html", false),
    ]);
}

/// `ID_LinesNumbersAreCountedCorrectly`; we number no lines, but must find the same.
#[test]
fn every_kind_of_line_end_ends_a_line() {
    for robots in [
        "User-Agent: foo\nAllow: /some/path\nUser-Agent: bar\n\n\nDisallow: /\n",
        "User-Agent: foo\r\nAllow: /some/path\r\nUser-Agent: bar\r\n\r\n\r\nDisallow: /\r\n",
        "User-Agent: foo\rAllow: /some/path\rUser-Agent: bar\r\r\rDisallow: /\r",
        "User-Agent: foo\nAllow: /some/path\nUser-Agent: bar\n\n\nDisallow: /",
        "User-Agent: foo\nAllow: /some/path\r\nUser-Agent: bar\n\r\n\nDisallow: /",
    ] {
        assert_eq!(understood(robots.as_bytes()), 4, "{robots:?}");
        check(&[(robots, "foo", "http://x/a", true), (robots, "bar", "http://x/a", false)]);
    }
}

/// `ID_UTF8ByteOrderMarkIsSkipped`. Google's conformance tests do not skip part of a mark; its matcher's tests do.
#[test]
fn a_byte_order_mark_is_skipped_at_the_start_only() {
    let text = b"User-Agent: foo\nAllow: /AnyValue\n";
    for mark in [b"\xEF\xBB\xBF".as_slice(), b"\xEF\xBB", b"\xEF"] {
        assert_eq!(understood(&[mark, text].concat()), 2, "{mark:x?}");
    }
    assert_eq!(understood(&[b"\xEF\x11\xBF".as_slice(), text].concat()), 1);
    assert_eq!(understood(b"User-Agent: foo\n\xEF\xBB\xBFAllow: /AnyValue\n"), 1);
}

/// `ID_NonStandardLineExample_Sitemap`
#[test]
fn sitemaps_stand_anywhere() {
    let sitemap = "http://foo.bar/sitemap.xml";
    let groups = "User-Agent: foo\nAllow: /some/path\nUser-Agent: bar\n\n\n";
    for robots in [format!("{groups}Sitemap: {sitemap}\n"), format!("Sitemap: {sitemap}\n{groups}")] {
        assert_eq!(Robots::parse(robots.as_bytes(), "foo").sitemaps, [sitemap]);
    }
}

/// `TestGetPathParamsQuery`, without what is no absolute URL: a crawler has a [`Url`] or none.
#[test]
fn rules_are_matched_against_path_and_query() {
    for (url, expected) in [
        ("http://www.example.com", "/"),
        ("http://www.example.com/", "/"),
        ("http://www.example.com/a", "/a"),
        ("http://www.example.com/a/", "/a/"),
        ("http://www.example.com/a/b?c=http://d.e/", "/a/b?c=http://d.e/"),
        ("http://www.example.com/a/b?c=d&e=f#fragment", "/a/b?c=d&e=f"),
        ("http://example.com?a", "/?a"),
        ("http://example.com/a;b#c", "/a;b"),
    ] {
        assert_eq!(path_and_query(&Url::parse(url).unwrap()), expected, "{url}");
    }
    for no_url in ["", "example.com", "example.com/a/b?c=d&e=f#fragment", "a", "/a", "a/b", "//a/b/c"] {
        assert!(Url::parse(no_url).is_err(), "{no_url}");
    }
}

/// `TestMaybeEscapePattern`
#[test]
fn rules_are_encoded_in_one_form() {
    for (value, expected) in [
        ("http://www.example.com", "http://www.example.com"),
        ("/a/b/c", "/a/b/c"),
        ("á", "%C3%A1"),
        ("%aa", "%AA"),
        // Not among theirs, but what their parser does.
        ("%ag%a", "%ag%a"),
        ("%%aa", "%%AA"),
    ] {
        assert_eq!(encoded(value.as_bytes()), expected, "{value}");
    }
}

/// `LinesNumbersAreCountedCorrectly` and `LinesTooLongReportedCorrectly` of reporting_robots_test.cc
#[test]
fn misspelt_fields_count_and_unknown_ones_do_not() {
    let robots = "User-Agent: foo\nAllow: /some/path\nUser-Agent bar # no\nabsolutely random line\n\
                  #so comment, much wow\n\nunicorns: /extinct\nnoarchive: /some\nDisallow: /\nError #and comment\n\
                  useragent: baz\ndisallaw: /some\nsite-map: https://e/s.xml #comment\nsitemap: https://e/t.xml\n\
                  Noarchive: /someCapital\n";
    assert_eq!(understood(robots.as_bytes()), 8);
    assert_eq!(Robots::parse(robots.as_bytes(), "foo").sitemaps, ["https://e/s.xml", "https://e/t.xml"]);
    check(&[(robots, "baz", "http://x/some", false), (robots, "bar", "http://x/", false)]);
    let long = format!("user-agent: foo\ndisallow: /x/{}\nallow: /\n", "a".repeat(2084 * 8 - 3));
    assert_eq!(understood(long.as_bytes()), 3);
}
