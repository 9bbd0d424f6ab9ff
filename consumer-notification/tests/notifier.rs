//! The whole notifier against librdkafka's mock cluster: recipes in, alerts and the live page out.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use consumer_notification::{Notifier, Settings};
use rdkafka::mocking::MockCluster;
use recipes::{ParsedRecipe, topics};
use service_kit::kafka::{Delivery, Kafka, Output};
use service_kit::{Failure, Handle, Service, metrics};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

fn settings(servers: &str, port: u16) -> Settings {
    let mut settings = Settings::new(servers);
    settings.listen = format!("127.0.0.1:{port}");
    // The mock cluster forgets offsets that are committed in transactions; those are tested with a real broker.
    settings.kafka.delivery = Delivery::AtLeastOnce;
    for (name, value) in [("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "500")] {
        settings.kafka.properties.insert(name.to_owned(), value.to_owned());
    }
    settings
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start(settings: Settings) -> (Handle, CancellationToken, JoinHandle<Result<(), Failure>>) {
    let notifier = Notifier::new(settings).unwrap();
    let (handle, shutdown) = (notifier.handle(), CancellationToken::new());
    let running = tokio::spawn(notifier.run(shutdown.clone()));
    (handle, shutdown, running)
}

async fn write(servers: &str, recipes: &[(&str, Option<f64>)]) {
    let (handle, shutdown) = (Handle::new("writer"), CancellationToken::new());
    let kafka = Kafka::connect(service_kit::kafka::KafkaSettings::new(servers), &handle, &shutdown).await.unwrap();
    let producer = kafka.producer().unwrap();
    for (title, calories) in recipes {
        let url = format!("https://a.example/{title}");
        let recipe = ParsedRecipe {
            title: (*title).to_owned(),
            url: url.clone(),
            site: "a.example".to_owned(),
            calories: *calories,
            ..ParsedRecipe::default()
        };
        producer.send(Output::to(topics::PARSED_RECIPES).key(url).value(recipe.to_json().unwrap())).await.unwrap();
    }
    producer.send(Output::to(topics::PARSED_RECIPES).key("x").value("no recipe")).await.unwrap();
}

async fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Reads server-sent events until one holds the text.
async fn event_with(port: u16, text: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if line.starts_with("data:") && line.contains(text) {
            return line;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recipes_become_alerts_once_and_show_on_the_page() {
    metrics::install();
    let cluster = MockCluster::new(1).unwrap();
    let keyed = [topics::SITE_EVENTS, topics::RECIPE_STATS, topics::SITE_ALERT_STATE, topics::CRAWL_SOURCES];
    for topic in [topics::PARSED_RECIPES, topics::ALERT_STATE, topics::RECIPE_ALERTS].into_iter().chain(keyed) {
        cluster.create_topic(topic, 2, 1).unwrap();
    }
    for topic in [topics::PARSED_RECIPES, topics::RAW_RECIPES, topics::RECIPE_ALERTS, topics::SITE_EVENTS] {
        cluster.create_topic(&topics::dead(topic), 1, 1).unwrap();
    }
    let servers = cluster.bootstrap_servers();
    let port = free_port();

    let (handle, shutdown, running) = start(settings(&servers, port));
    handle.wait_ready().await;
    write(&servers, &[("pie", Some(310.0)), ("soup", Some(150.0)), ("tea", None), ("<b>pie</b>", Some(500.0))]).await;
    handle.wait_until(|handle| handle.count("recipes") == 4 && handle.count("alerts_log_consumed") == 2).await;
    let counts = handle.counts();
    assert_eq!(
        (counts["alerts"], counts["below_threshold"], counts["no_calories"], counts["dead_letters"]),
        (2, 1, 1, 1)
    );

    let html = get(port, "/").await;
    assert!(html.contains("content-security-policy: default-src 'none'"), "{html}");
    event_with(port, "&lt;b&gt;pie").await;
    let html = get(port, "/").await;
    assert!(html.contains("&lt;b&gt;pie&lt;&#x2f;b&gt;") && !html.contains("<b>pie"), "{html}");
    assert!(get(port, "/api/alerts?limit=1").await.contains(r#""rule":"calories""#));
    assert!(get(port, "/api/recipes").await.contains(r#""title":"tea""#));
    event_with(port, "a.example</th><td>2</td><td>4</td>").await;
    assert!(get(port, "/api/sites").await.contains(r#"{"alerts_last_hour":2,"#));
    assert!(get(port, "/metrics").await.contains(r#"pipeline_alerts_total{service="consumer-notification"} 2"#));
    shutdown.cancel();
    running.await.unwrap().unwrap();

    // The same recipes again, to a notifier that has only what Kafka remembers.
    write(&servers, &[("pie", Some(310.0)), ("soup", Some(250.0)), ("<b>pie</b>", Some(500.0))]).await;
    let (handle, shutdown, running) = start(settings(&servers, free_port()));
    handle.wait_until(|handle| handle.count("recipes") == 3).await;
    let counts = handle.counts();
    assert_eq!((counts.get("alerts"), counts.get("repeated")), (Some(&1), Some(&2)), "only soup crossed: {counts:?}");
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
