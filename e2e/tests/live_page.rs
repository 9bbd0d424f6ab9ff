//! The live page as people have it open: in Chromium, many at once, for long.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::{Broker, Process, free_port, prerequisites, programs};
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use recipes::topics::{CRAWL_SOURCES, PARSED_RECIPES};
use recipes::{ParsedRecipe, SourceReport};
use serde_json::{Value, json};

/// Longest wait for anything to show up, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const TOKEN: &str = "open sesame";
/// Entries of a list that the page keeps in the browser.
const MOST_ENTRIES: usize = 100;

/// A broker, a notifier, and somebody who writes recipes.
struct Pipeline {
    folder: tempfile::TempDir,
    broker: Broker,
    notifier: Process,
    port: u16,
    producer: BaseProducer,
}

impl Pipeline {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let broker = Broker::start(&folder.path().join("data"), &[]);
        let port = free_port();
        let notifier = notifier(&broker, port);
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker.address()).set("partitioner", "murmur2_random");
        let producer = config.set("enable.idempotence", "true").create().expect("a producer");
        Self { folder, broker, notifier, port, producer }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn write(&self, url: &str, value: &[u8]) {
        while let Err((error, _)) = self.producer.send(BaseRecord::to(PARSED_RECIPES).key(url).payload(value)) {
            assert_eq!(error.rdkafka_error_code(), Some(rdkafka::types::RDKafkaErrorCode::QueueFull), "{error}");
            self.producer.poll(Duration::from_millis(100));
        }
    }

    fn recipe(&self, title: &str, calories: f64) {
        let url = format!("https://a.example/{}", title.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        let recipe = ParsedRecipe {
            title: title.to_owned(),
            url: url.clone(),
            site: "a.example".to_owned(),
            calories: Some(calories),
            ..ParsedRecipe::default()
        };
        self.write(&url, &recipe.to_json().expect("a recipe"));
    }

    /// A producer tells of a source.
    fn source(&self, name: &str, pages: u64) {
        let report = json!({
            "source": name, "instance": "one", "kind": "list", "address": "https://a.example/", "pages": pages,
            "failures": {"timeout": 1}, "last_failure": {"url": "https://a.example/slow", "reason": "no answer"},
            "last_success": "2026-11-21T12:00:00Z", "next_visit": "2026-11-21T13:00:00Z",
            "reported_at": "2026-11-21T12:00:01Z",
        });
        let (key, value) = (SourceReport::key_of("one", name), report.to_string());
        let sent = self.producer.send(BaseRecord::to(CRAWL_SOURCES).key(&key).payload(&value));
        sent.map_err(|(error, _)| error).expect("sent");
    }

    fn flush(&self) {
        self.producer.flush(PATIENCE).expect("acknowledged");
    }

    /// The broker goes away and comes back with what it had.
    fn restart_broker(self) -> Self {
        let Self { folder, broker, notifier, port, producer } = self;
        let at = broker.port();
        broker.stop();
        let broker = Broker::start_at(at, &folder.path().join("data"), &[]);
        Self { folder, broker, notifier, port, producer }
    }

    fn restart_notifier(mut self) -> Self {
        let (code, lines) = self.notifier.terminate();
        assert_eq!(code, Some(0), "{}", lines.join("\n"));
        self.notifier = notifier(&self.broker, self.port);
        self
    }
}

fn notifier(broker: &Broker, port: u16) -> Process {
    let mut command = Command::new(programs::program("consumer-notification"));
    command.env_clear().env("ADMIN_TOKEN", TOKEN).args(["--bootstrap-servers", &broker.address()]);
    command.args(["--listen", &format!("127.0.0.1:{port}"), "--log-channel=false"]);
    let mut process = Process::start(&mut command);
    process.wait_for("assignment changed");
    process
}

/// Chromium without a window, driven over WebDriver.
struct Browser {
    client: Client,
    _driver: Process,
    _profile: tempfile::TempDir,
}

impl Browser {
    async fn open() -> Self {
        let port = free_port();
        let mut driver = Process::start(Command::new("chromedriver").arg(format!("--port={port}")));
        driver.wait_for("started successfully");
        let profile = tempfile::tempdir().expect("a folder");
        let options = json!({
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
                // It ends with its driver, whatever becomes of the test.
                "--remote-debugging-pipe",
                format!("--user-data-dir={}", profile.path().display()),
            ]
        });
        let wanted = [("goog:chromeOptions".to_owned(), options)].into_iter().collect();
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("Chromium starts");
        Self { client, _driver: driver, _profile: profile }
    }

    async fn goto(&self, url: &str) {
        self.client.goto(url).await.expect("the page opens");
    }

    /// Waits for an element.
    async fn wait(&self, xpath: &str) -> Element {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(xpath)).await;
        match found {
            Ok(element) => element,
            Err(error) => panic!("{xpath}: {error}\n{}", self.client.source().await.unwrap_or_default()),
        }
    }

    /// Clicks on an entry of a list, which may be replaced by a newer one while the page settles.
    async fn click(&self, xpath: &str) {
        loop {
            match self.wait(xpath).await.click().await {
                Ok(()) => return,
                Err(error) if error.is_stale_element_reference() => {}
                Err(error) => panic!("{xpath}: {error}"),
            }
        }
    }

    async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("the script runs")
    }

    /// Titles in a list that are not hidden.
    async fn shown(&self, list: &str) -> Vec<String> {
        let script = format!(
            "return [...document.querySelectorAll('#{list} > li:not([hidden]) a')].map(link => link.textContent)"
        );
        serde_json::from_value(self.run(&script).await).expect("texts")
    }

    /// What axe-core has against the page that is open.
    async fn violations(&self, axe: &Path) -> Vec<String> {
        let source = std::fs::read_to_string(axe).expect("axe-core can be read");
        self.run(&source).await;
        let script = "const done = arguments[arguments.length - 1];
            axe.run().then(result => done(result.violations.map(one => one.id + ' ' + one.nodes[0].html)))";
        let found = self.client.execute_async(script, Vec::new()).await.expect("axe runs");
        serde_json::from_value(found).expect("texts")
    }
}

#[tokio::test]
async fn alerts_come_by_themselves_are_found_and_dead_letters_go_back() {
    let Some(axe) = prerequisites::browser("alerts_come_by_themselves_are_found_and_dead_letters_go_back") else {
        return;
    };
    let pipeline = Pipeline::start();
    let browser = Browser::open().await;
    browser.goto(&pipeline.url("/")).await;
    browser.wait("//*[@id='link'][@data-state='live']").await;

    pipeline.recipe("Plum pie", 310.0);
    pipeline.recipe("Lentil soup", 410.0);
    pipeline.recipe("<img src=x onerror=window.hacked=1>", 510.0);
    pipeline.recipe("Plum compote", 90.0);
    pipeline.write("https://a.example/broken", b"{\"title\": 3}");
    pipeline.source("weekly", 3);
    pipeline.flush();
    browser.wait("//*[@id='alerts']/li//a[.='Plum pie']").await;
    browser.wait("//strong[@data-stat='alerts'][.='3']").await;
    browser.wait("//strong[@data-stat='recipes'][.='4']").await;
    assert_eq!(browser.run("return window.hacked ?? null").await, Value::Null);

    // The key that leads to the search, and what it finds.
    browser.wait("//body").await.send_keys("/").await.expect("typed");
    let search = browser.client.active_element().await.expect("the search has the focus");
    search.send_keys("plum").await.expect("typed");
    assert_eq!(browser.shown("alerts").await, ["Plum pie"]);
    let mut recipes = browser.shown("recipes").await;
    recipes.sort();
    assert_eq!(recipes, ["Plum compote", "Plum pie"]);
    pipeline.recipe("Plum cake", 610.0);
    pipeline.recipe("Bean stew", 610.0);
    pipeline.flush();
    browser.wait("//strong[@data-stat='alerts'][.='5']").await;
    assert_eq!(browser.shown("alerts").await, ["Plum cake", "Plum pie"], "what comes is filtered too");
    browser
        .wait(
            "//*[@id='sources']/tr[th[starts-with(., 'weekly')]][td[2]='3'][contains(., '1 timeout; last no answer')]",
        )
        .await;
    browser.wait("//*[@id='sites']/tr[th='a.example'][td[1]='5'][td[2]='6']").await;
    assert_eq!(browser.violations(&axe).await, <[&str; 0]>::default());

    // Without a script the server does the same.
    browser.goto(&pipeline.url("/?q=plum")).await;
    assert_eq!(browser.shown("alerts").await, ["Plum cake", "Plum pie"]);

    // One recipe, with its history.
    browser.click("//*[@id='alerts']/li//a[.='Plum pie']").await;
    browser.wait("//section[@aria-labelledby='history']//li[contains(., 'alert of rule calories')]").await;
    assert_eq!(browser.violations(&axe).await, <[&str; 0]>::default());

    // A dead letter goes back to its topic, for whoever knows the token, and dies again.
    browser.goto(&pipeline.url("/")).await;
    browser.click("//*[@id='dead']/li//a").await;
    browser.wait("//td[.='https://a.example/broken']").await;
    assert_eq!(browser.violations(&axe).await, <[&str; 0]>::default());
    browser.wait("//input[@name='token']").await.send_keys("wrong").await.expect("typed");
    browser.wait("//form//button").await.click().await.expect("a button");
    browser.wait("//body[contains(., 'the token is wrong')]").await;
    browser.client.back().await.expect("back");
    let token = browser.wait("//input[@name='token']").await;
    token.clear().await.expect("cleared");
    token.send_keys(TOKEN).await.expect("typed");
    browser.wait("//form//button").await.click().await.expect("a button");
    browser.wait("//*[@id='dead']/li[contains(., 'replayed')]").await;
    browser.wait("//strong[@data-stat='dead_letters'][.='2']").await;
}

#[tokio::test]
async fn a_page_that_stays_open_does_not_grow_and_comes_back() {
    if prerequisites::browser("a_page_that_stays_open_does_not_grow_and_comes_back").is_none() {
        return;
    }
    let pipeline = Pipeline::start();
    let browser = Browser::open().await;
    browser.goto(&pipeline.url("/")).await;
    browser.wait("//*[@id='link'][@data-state='live']").await;
    for index in 0..10_000 {
        pipeline.recipe(&format!("Pie {index}"), 310.0);
    }
    pipeline.flush();
    browser.wait("//strong[@data-stat='alerts'][.='10000']").await;
    let elements = "return document.querySelectorAll('#alerts > li, #recipes > li').length";
    assert_eq!(browser.run(elements).await, json!(2 * MOST_ENTRIES));

    let pipeline = pipeline.restart_broker();
    pipeline.recipe("After the broker", 310.0);
    pipeline.flush();
    browser.wait("//*[@id='alerts']/li//a[.='After the broker']").await;

    let pipeline = pipeline.restart_notifier();
    pipeline.recipe("After the notifier", 310.0);
    pipeline.flush();
    browser.wait("//*[@id='alerts']/li//a[.='After the notifier']").await;
    browser.wait("//*[@id='link'][@data-state='live']").await;
    assert_eq!(browser.run(elements).await, json!(2 * MOST_ENTRIES));
}

#[test]
fn a_thousand_readers_hear_of_an_alert() {
    let pipeline = Pipeline::start();
    let readers: Vec<TcpStream> = (0..1000)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", pipeline.port)).expect("connected");
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            stream.write_all(b"GET /events HTTP/1.1\r\nHost: a.example\r\n\r\n").expect("asked");
            stream
        })
        .collect();
    pipeline.recipe("Plum pie", 310.0);
    pipeline.flush();
    for reader in readers {
        let mut lines = BufReader::new(reader).lines();
        let told =
            lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("Plum pie") && line.contains("alerts")));
        told.expect("the connection stays open").expect("in time");
    }
}
