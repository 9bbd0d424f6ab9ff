//! What RFC 9309 says, what Google's parser does beyond its published cases, and the matcher against its definition.

use super::*;
use proptest::prelude::*;

/// Whether a crawler may fetch a path by a file's bytes, as Google's matcher would answer.
fn allows_path(robots: &[u8], path: &str) -> bool {
    Robots::parse(robots, "FooBot").allows_path(path)
}

/// Whether the only rule there is forbids the crawler a URL.
fn forbids(rule: &str, url: &str) -> bool {
    let robots = Robots::parse(format!("User-agent: *\nDisallow: {rule}\n").as_bytes(), "FooBot");
    !robots.allows(&Url::parse(url).unwrap())
}

/// RFC 9309 sections 5.1 and 5.2
#[test]
fn the_examples_of_the_rfc_hold() {
    let robots = "User-Agent: *\nDisallow: *.gif$\nDisallow: /example/\nAllow: /publications/\n\n\
                  User-Agent: foobot\nDisallow:/\nAllow:/example/page.html\nAllow:/example/allowed.gif\n\n\
                  User-Agent: barbot\nUser-Agent: bazbot\nDisallow: /example/page.html\n\n\
                  User-Agent: quxbot\n";
    let page = "/example/page.html";
    for (agent, allowed, forbidden) in [
        ("anybot", ["/publications/a", "/other"].as_slice(), ["/a.gif", page].as_slice()),
        ("foobot", &[page, "/example/allowed.gif"], &["/", "/example/", "/publications/a"]),
        ("barbot", &["/", "/a.gif", "/example/"], &[page]),
        ("bazbot", &["/", "/a.gif", "/example/"], &[page]),
        ("quxbot", &["/", "/a.gif", page], &[]),
    ] {
        let robots = Robots::parse(robots.as_bytes(), agent);
        assert!(allowed.iter().all(|path| robots.allows_path(path)), "{agent}");
        assert!(!forbidden.iter().any(|path| robots.allows_path(path)), "{agent}");
    }
    let longest = b"User-Agent: foobot\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif\n";
    assert!(!allows_path(longest, "/example/page/disallowed.gif"));
    assert!(allows_path(longest, "/example/page/allowed.gif"));
}

/// RFC 9309 section 2.2.2, where Google's matcher leaves it to its caller
#[test]
fn a_crawler_obeys_a_rule_however_either_side_encodes_it() {
    assert!(forbids("/%7Ejoe/", "http://foo.bar/~joe/a"));
    assert!(forbids("/~joe/", "http://foo.bar/%7Ejoe/a"));
    assert!(forbids("/a%3cd.html", "http://foo.bar/a%3Cd.html"));
    assert!(forbids("/foo/bar/%62%61%7A", "http://foo.bar/foo/bar/baz"));
    assert!(forbids("/ツ", "http://foo.bar/ツ"));
    assert!(forbids("/my recipes/", "http://foo.bar/my recipes/soup"));
    assert!(forbids("/?q={term}", "http://foo.bar/?q={term}"));
    assert!(forbids("/?q=shepherd's pie", "http://foo.bar/?q=shepherd's pie"));
    assert!(!forbids("/a%2Fb", "http://foo.bar/a/b"));
}

/// RFC 9309 section 2.2.3
#[test]
fn special_characters_are_encoded_to_stand_for_themselves() {
    assert!(forbids("/path/file-with-a-%2A.html", "https://www.example.com/path/file-with-a-*.html"));
    assert!(!forbids("/path/file-with-a-%2A.html", "https://www.example.com/path/file-with-a-b.html"));
    assert!(forbids("/path/foo-%24", "https://www.example.com/path/foo-$"));
    assert!(!forbids("/path/foo-%24", "https://www.example.com/path/foo-"));
    // A dollar sign anywhere but at the end is itself.
    assert!(forbids("/a$b", "http://foo.bar/a$b") && !forbids("/a$b", "http://foo.bar/a"));
    assert!(forbids("/a$$", "http://foo.bar/a$") && !forbids("/a$$", "http://foo.bar/a$b"));
    assert!(
        forbids("/a*b", "http://foo.bar/a*$b") && forbids("/*", "http://foo.bar/") && !forbids("$", "http://foo.bar/")
    );
}

#[test]
fn whitespace_and_comments_mean_nothing_around_words() {
    for robots in [
        "\t user-agent \t:\t FooBot \t# name\n \t disallow\t : \t/a \t#/b\n",
        "user-agent:FooBot\ndisallow:/a\n",
        "user-agent: FooBot\n\n# between\n \t\ndisallow \t /a\n",
        "user-agent: FooBot/1.0 (+http://foo.bar)\ndisallow: /a\n",
        "user-agents: FooBot\ndisallowed: /a\n",
        "user agent: FooBot\ndisallow: /a\0b\n",
    ] {
        let robots = robots.as_bytes();
        assert!(!allows_path(robots, "/a") && allows_path(robots, "/b"), "{}", robots.escape_ascii());
    }
    // Other white space is no white space (RFC 9309 section 2.2), and without a colon two words are a line, three are not.
    for nothing in ["disallow:\u{a0}/a", "disallow /a /b", "disallow", "disallow/a", ": /a", "disallow #: /a"] {
        assert!(allows_path(format!("user-agent: FooBot\n{nothing}\n").as_bytes(), "/a"), "{nothing}");
    }
}

#[test]
fn the_usual_misspellings_are_understood() {
    for agent in ["useragent", "user agent", "user-agent"] {
        for word in ["dissallow", "dissalow", "disalow", "diasllow", "disallaw"] {
            assert!(!allows_path(format!("{agent}: FooBot\n{word}: /a\n").as_bytes(), "/a"), "{agent} {word}");
        }
    }
}

#[test]
fn a_star_and_words_is_everybody_and_no_name_is_nobody() {
    for everybody in ["*", "* baz", "*\tbaz"] {
        assert!(!allows_path(format!("user-agent: {everybody}\ndisallow: /\n").as_bytes(), "/"), "{everybody}");
    }
    for nobody in ["", " ", "*baz", "FooBots", "FooBot-News", "(FooBot)", "1FooBot"] {
        assert!(allows_path(format!("user-agent: {nobody}\ndisallow: /\n").as_bytes(), "/"), "{nobody}");
    }
    // An own group that forbids nothing goes before everybody's that does.
    for own in ["", "Disallow:\n"] {
        let robots = format!("user-agent: *\ndisallow: /\nuser-agent: FooBot\n{own}");
        assert!(allows_path(robots.as_bytes(), "/x"), "{own}");
    }
}

/// RFC 9309 wants UTF-8; Google's parser encodes what bytes there are, so that a site in Latin 1 is obeyed as well.
#[test]
fn a_file_need_not_be_utf_8() {
    let robots = b"User-agent: *\nDisallow: /caf\xE9\n";
    assert!(!allows_path(robots, "/caf%E9/menu") && allows_path(robots, "/caf%C3%A9/menu"));
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
    assert!(!allows_path(&robots, "/a") && allows_path(&robots, "/b"));
    let (start, last) = (b"User-agent: *\n#".to_vec(), b"\nDisallow: /private");
    let filled = |bytes: usize| {
        let mut robots = start.clone();
        robots.resize(bytes - last.len(), b'#');
        [robots.as_slice(), last].concat()
    };
    // The last line just fits, whatever follows it; the one that is cut says nothing rather than something else.
    for rest in ["", "\n", "\nDisallow: /x"] {
        let robots = [&filled(MAX_BYTES), rest.as_bytes()].concat();
        assert!(!allows_path(&robots, "/private") && allows_path(&robots, "/public"), "{rest:?}");
    }
    for beyond in 1..last.len() {
        let robots = filled(MAX_BYTES + beyond);
        assert!(allows_path(&robots, "/private") && allows_path(&robots, "/public"), "{beyond}");
    }
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

/// A line of a file that a test makes up.
#[derive(Debug, Clone)]
enum Line {
    Agent(&'static str),
    Rule(bool, String),
    Other(&'static str),
}

fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        2 => prop::sample::select(vec!["FooBot", "BarBot", "*"]).prop_map(Line::Agent),
        6 => (any::<bool>(), "(/[ab*$]{0,3}){0,2}").prop_map(|(allow, pattern)| Line::Rule(allow, pattern)),
        1 => prop::sample::select(vec!["Sitemap: http://a/b", "", "# Disallow: /", "nonsense"]).prop_map(Line::Other),
    ]
}

/// What FooBot is told, by the letter of RFC 9309: all groups that name it, else all of everybody's; the longest rule that
/// matches, of equally long ones that which allows.
fn told(lines: &[Line], path: &str) -> bool {
    type Rules<'a> = Vec<(bool, &'a str)>;
    let mut groups: Vec<(Vec<&str>, Rules)> = Vec::new();
    for line in lines {
        match line {
            Line::Agent(agent) => match groups.last_mut() {
                Some((agents, rules)) if rules.is_empty() => agents.push(agent),
                _ => groups.push((vec![agent], Vec::new())),
            },
            Line::Rule(allow, pattern) => {
                if let Some((_, rules)) = groups.last_mut() {
                    rules.push((*allow, pattern));
                }
            }
            Line::Other(_) => {}
        }
    }
    let named = |agent: &str| groups.iter().any(|(agents, _)| agents.contains(&agent));
    let who = if named("FooBot") { "FooBot" } else { "*" };
    let rules = groups.iter().filter(|(agents, _)| agents.contains(&who)).flat_map(|(_, rules)| rules);
    let matching =
        rules.filter(|(_, pattern)| !pattern.is_empty() && by_definition(path.as_bytes(), pattern.as_bytes()));
    matching.map(|(allow, pattern)| (pattern.len(), *allow)).max().is_none_or(|(_, allow)| allow)
}

proptest! {
    #[test]
    fn matching_is_what_its_definition_says(path in "/[ab/$]{0,12}", pattern in "/[ab/*$]{0,8}") {
        prop_assert_eq!(matches(path.as_bytes(), pattern.as_bytes()), by_definition(path.as_bytes(), pattern.as_bytes()));
    }

    #[test]
    fn a_file_says_what_the_rfc_says_it_does(lines in prop::collection::vec(line(), 0..20), path in "(/[ab]{0,2}){1,2}") {
        let text = lines.iter().map(|line| match line {
            Line::Agent(agent) => format!("User-agent: {agent}\n"),
            Line::Rule(allow, pattern) => format!("{}: {pattern}\n", if *allow { "Allow" } else { "Disallow" }),
            Line::Other(other) => format!("{other}\n"),
        });
        let text: String = text.collect();
        let robots = Robots::parse(text.as_bytes(), "FooBot");
        prop_assert_eq!(robots.allows_path(&path), told(&lines, &path), "{} {}", text, path);
    }

    /// Nothing makes it panic.
    #[test]
    fn any_bytes_are_a_robots_txt(bytes in prop::collection::vec(any::<u8>(), 0..500), path in "[ -~]{0,20}") {
        for body in [bytes.clone(), [b"user-agent: *\ndisallow:", bytes.as_slice()].concat()] {
            let robots = Robots::parse(&body, "FooBot");
            let _ = robots.allows_path(&path);
            let _ = Url::parse("http://foo.bar/").unwrap().join(&path).map(|url| robots.allows(&url));
        }
    }
}
