//! Channels against real receivers: one that fails, one that is slow, one that is down.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use consumer_notification::{Notifier, Settings};
use parking_lot::Mutex;
use rdkafka::mocking::MockCluster;
use recipes::{Alert, DeadLetter, ParsedRecipe, topics};
use service_kit::kafka::{Delivery, Kafka, KafkaSettings, Output, Record};
use service_kit::{Handle, Service};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What a receiver got: title and `Idempotency-Key` of each request, in order.
type Got = Arc<Mutex<Vec<(String, String)>>>;

/// The third request fails, one alert is refused, one is answered too late the first time.
async fn receive(State(got): State<Got>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let alert = Alert::from_json(&body).unwrap();
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    assert_eq!(key, alert.alert_id.to_string());
    assert!(headers["webhook-signature"].to_str().unwrap().starts_with("v1,"));
    let (requests, seen) = {
        let mut got = got.lock();
        let seen = got.iter().filter(|(_, known)| *known == key).count();
        got.push((alert.title.clone(), key));
        (got.len(), seen)
    };
    match &*alert.title {
        "refused" => StatusCode::BAD_REQUEST,
        "late" if seen == 0 => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            StatusCode::OK
        }
        _ if requests == 3 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::NO_CONTENT,
    }
}

async fn receiver() -> (u16, Got) {
    let got = Got::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = Router::new().route("/", post(receive)).with_state(Arc::clone(&got));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (port, got)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_channel_delivers_in_order_and_none_waits_for_another() {
    let cluster = MockCluster::new(1).unwrap();
    for topic in [
        topics::PARSED_RECIPES,
        topics::ALERT_STATE,
        topics::RECIPE_ALERTS,
        topics::SITE_EVENTS,
        topics::RECIPE_STATS,
        topics::SITE_ALERT_STATE,
    ] {
        cluster.create_topic(topic, 1, 1).unwrap();
    }
    for topic in [topics::PARSED_RECIPES, topics::RAW_RECIPES, topics::RECIPE_ALERTS, topics::SITE_EVENTS] {
        cluster.create_topic(&topics::dead(topic), 1, 1).unwrap();
    }
    let (port, got) = receiver().await;
    let folder = tempfile::tempdir().unwrap();
    let (rules, secret) = (folder.path().join("rules.toml"), folder.path().join("secret"));
    std::fs::write(&secret, "key").unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let secret = secret.display();
    let text = format!(
        "[[rule]]\nname = \"calories\"\nwhen = \"calories > 200\"\n\
         [[rule]]\nname = \"elsewhere\"\nwhen = \"calories > 200\"\nchannels = [\"down\"]\n\
         [channel.ops]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\nsecret_file = \"{secret}\"\ntimeout = \"2s\"\n\
         [channel.down]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{nobody}/\"\n"
    );
    std::fs::write(&rules, text).unwrap();
    let mut settings = Settings::new(&cluster.bootstrap_servers());
    settings.listen = "127.0.0.1:0".to_owned();
    settings.kafka.delivery = Delivery::AtLeastOnce;
    settings.log_channel = false;
    settings.rules.file = Some(rules);
    let notifier = Notifier::new(settings).unwrap();
    let (handle, shutdown) = (notifier.handle(), CancellationToken::new());
    let running = tokio::spawn(notifier.run(shutdown.clone()));
    handle.wait_ready().await;

    let titles = ["one", "two", "three", "refused", "late", "six"];
    let kafka = writer(&cluster.bootstrap_servers()).await;
    let producer = kafka.producer().unwrap();
    for title in titles {
        let url = format!("https://a.example/{title}");
        let recipe = ParsedRecipe {
            title: title.to_owned(),
            url: url.clone(),
            calories: Some(310.0),
            ..ParsedRecipe::default()
        };
        producer.send(Output::to(topics::PARSED_RECIPES).key(url).value(recipe.to_json().unwrap())).await.unwrap();
    }
    // Each alert of `elsewhere` counts as consumed too: it passes by.
    handle.wait_until(|handle| handle.count("alerts_ops_consumed") == 2 * titles.len() as u64).await;
    let requests: Vec<String> = got.lock().iter().map(|(title, _)| title.clone()).collect();
    assert_eq!(requests, ["one", "two", "three", "three", "refused", "late", "late", "six"]);
    assert_eq!(handle.count("alerts_down_consumed"), 0, "waits for its receiver, and nobody else does");
    handle
        .wait_until(|handle| handle.count("alerts_down_retries") > 0 && handle.lag_of("alerts-down") == Some(12))
        .await;

    let dead = kafka_records(&kafka, topics::dead(topics::RECIPE_ALERTS)).await;
    let letter = DeadLetter::from_headers(&dead[0].header_pairs()).unwrap();
    assert_eq!((dead.len(), &*letter.group), (1, "alerts-ops"));
    assert!(letter.reason.starts_with("ops: answered 400"), "{}", letter.reason);
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

async fn writer(servers: &str) -> Kafka {
    Kafka::connect(KafkaSettings::new(servers), &Handle::new("writer"), &CancellationToken::new()).await.unwrap()
}

async fn kafka_records(kafka: &Kafka, topic: String) -> Vec<Record> {
    let kafka = kafka.clone();
    let read = move || {
        let mut records = Vec::new();
        kafka.read_to_end(&topic, &[0], &CancellationToken::new(), |record| records.push(record)).unwrap();
        records
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}
