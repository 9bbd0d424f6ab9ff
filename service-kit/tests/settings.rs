//! Settings from every place they can stand in.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use service_kit::kafka::{Delivery, KafkaSettings};
use service_kit::settings::{Size, Source};
use service_kit::{Exit, Failure};

fn source(arguments: &[&str], env: &[(&str, &str)]) -> Source {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let env: BTreeMap<String, String> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Source::from_parts(&arguments, env, &["run"]).unwrap().source
}

fn threshold(from: &mut Source) -> f64 {
    from.get::<f64>("calories_threshold", "Limit").flag("threshold").unit("kcal").within(0.0..=1000.0).or(200.0)
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    (folder, path)
}

#[test]
fn flags_win_over_environment_over_file_over_default() {
    let (_folder, path) = file("calories_threshold = 400");
    let path = path.to_str().unwrap();
    let env = ("CALORIES_THRESHOLD", "300");
    assert_eq!(threshold(&mut source(&["--threshold", "250", "--config", path], &[env])), 250.0);
    assert_eq!(threshold(&mut source(&["--calories-threshold=260"], &[env])), 260.0);
    assert_eq!(threshold(&mut source(&["--config", path], &[env])), 300.0);
    assert_eq!(threshold(&mut source(&[], &[("CONFIG", path)])), 400.0);
    assert_eq!(threshold(&mut source(&[], &[("CALORIES_THRESHOLD", "")])), 200.0, "empty is not set");
}

#[test]
fn everything_that_is_wrong_is_reported_at_once() {
    let (_folder, path) = file("colour = \"red\"\n[kafka]\n\"no.such\" = 1");
    let mut from = source(
        &["--treshold", "1", "--calories-threshold", "abc", "--config", path.to_str().unwrap()],
        &[("KAFKA_ACKS", "1"), ("KAFKA_LINGER_MS", "-7"), ("BATCH_RECORDS", "0"), ("KAFKA_HEAP_OPTS", "-Xmx1g")],
    );
    threshold(&mut from);
    KafkaSettings::read(&mut from);
    let failure = from.finish().unwrap_err();
    assert_eq!(failure.exit(), Exit::Usage);
    let text = failure.to_string();
    for part in [
        "7 settings are wrong",
        "--calories-threshold \"abc\": expected a number",
        "--treshold: unknown flag; did you mean --threshold?",
        "BATCH_RECORDS \"0\": expected 1 to 10000",
        "KAFKA_ACKS: acks is up to the service and cannot be set",
        "KAFKA_LINGER_MS: ",
        "librdkafka has no property no.such",
        "colour in ",
    ] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
}

#[test]
fn any_property_of_librdkafka_passes_through() {
    let mut from = source(
        &["--kafka-sasl-mechanism", "PLAIN", "--bootstrap-servers", "a:1,b:2"],
        &[("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"), ("KAFKA_SASL_PASSWORD", "secret"), ("DELIVERY", "transactional")],
    );
    let settings = KafkaSettings::read(&mut from);
    from.finish().unwrap();
    assert_eq!((settings.bootstrap_servers(), settings.delivery), ("a:1,b:2", Delivery::Transactional));
    assert_eq!(settings.properties["security.protocol"], "SASL_SSL");
    assert_eq!(settings.properties["sasl.mechanism"], "PLAIN");
    assert!(!format!("{settings:?}").contains("secret"), "secrets stay out of logs");
}

#[test]
fn switches_lists_sizes_and_times_are_read() {
    let (_folder, path) = file("urls = [\"http://a/?x=1,2\", \"http://b/\"]\nwait = \"2m\"");
    let mut from = source(&["--dry-run", "--size", "2KiB", "--config", path.to_str().unwrap()], &[]);
    assert!(from.get::<bool>("dry_run", "Do nothing").or(false));
    assert_eq!(from.get::<Size>("size", "Size").or(Size(0)), Size(2048));
    assert_eq!(from.get::<Vec<String>>("urls", "Pages").or(Vec::new()), ["http://a/?x=1,2", "http://b/"]);
    assert_eq!(from.get::<Duration>("wait", "Pause").or(Duration::ZERO), Duration::from_secs(120));
    assert_eq!(from.get::<PathBuf>("folder", "Folder").maybe(), None);
    from.finish().unwrap();

    let mut from = source(&["--dry-run=false", "--urls", "x", "--urls", "y,z"], &[]);
    assert!(!from.get::<bool>("dry_run", "Do nothing").or(true));
    assert_eq!(from.get::<Vec<String>>("urls", "Pages").or(Vec::new()), ["x", "y,z"]);
    let mut from = source(&[], &[("URLS", "a, b")]);
    assert_eq!(from.get::<Vec<String>>("urls", "Pages").or(Vec::new()), ["a", "b"]);
}

#[test]
fn a_value_that_is_missing_or_misplaced_is_named() {
    let problems = |mut from: Source| -> Failure {
        from.get::<bool>("dry_run", "Do nothing").or(false);
        from.get::<String>("name", "Name").required();
        from.finish().unwrap_err()
    };
    assert!(problems(source(&["--name"], &[])).to_string().contains("--name: a value is missing"));
    assert!(problems(source(&[], &[])).to_string().contains("name: is needed; set --name or NAME"));
    let stray = problems(source(&["--name", "x", "--dry-run", "y"], &[])).to_string();
    assert!(stray.contains("\"y\": unexpected after --dry-run"), "{stray}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let missing =
        |path: &str| Source::from_parts(&["--config".to_owned(), path.to_owned()], BTreeMap::new(), &[]).err().unwrap();
    assert_eq!(missing("/no/such/file").exit(), Exit::NoInput);
    let (_folder, path) = file("a = ");
    assert_eq!(missing(path.to_str().unwrap()).exit(), Exit::Usage);
}

#[test]
fn commands_are_known_or_refused() {
    let invoke = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Source::from_parts(&arguments, BTreeMap::new(), &["run", "test-rule"])
    };
    let invocation = invoke(&["test-rule", "a", "b", "--name", "x"]).unwrap();
    assert_eq!(
        (invocation.verb.as_deref(), invocation.arguments),
        (Some("test-rule"), vec!["a".to_owned(), "b".to_owned()])
    );
    assert!(invoke(&["fly"]).err().unwrap().to_string().contains("there are: run, test-rule"));
}

#[test]
fn help_tells_default_unit_and_range() {
    let mut from = source(&[], &[]);
    threshold(&mut from);
    let help = from.help();
    assert!(help.contains("--calories-threshold, --threshold <NUMBER>  (CALORIES_THRESHOLD)"), "{help}");
    assert!(help.contains("Limit [default: 200 kcal; 0 to 1000]"), "{help}");
}
