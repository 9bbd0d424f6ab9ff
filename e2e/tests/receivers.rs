//! Channels and real receivers: a mail server, and one that is down while hundreds of alerts wait for it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use e2e::{Broker, Process, free_port, prerequisites, programs};
use parking_lot::Mutex;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use recipes::topics::PARSED_RECIPES;
use recipes::{Alert, ParsedRecipe};
use serde_json::Value;
use tokio::net::TcpListener;

/// Longest wait for anything, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

fn notifier(broker: &Broker, port: u16, rules: &Path) -> Process {
    let mut command = Command::new(programs::program("consumer-notification"));
    command.env_clear().args(["--bootstrap-servers", &broker.address(), "--log-channel=false", "--rules"]).arg(rules);
    command.args(["--listen", &format!("127.0.0.1:{port}")]);
    // One partition: the alerts have one order. A member that was killed is missed soon.
    command.args(["--topic-partitions", "1", "--kafka-session-timeout-ms", "6000"]);
    let mut process = Process::start(command.env("SMTP_PASSWORD", "s3cret"));
    process.wait_for("state restored");
    process
}

fn write(broker: &Broker, titles: impl IntoIterator<Item = String>) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address()).set("enable.idempotence", "true");
    let producer: BaseProducer = config.create().expect("a producer");
    for title in titles {
        let url = format!("https://a.example/{}", title.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        let recipe = ParsedRecipe { title, url, calories: Some(310.0), ..ParsedRecipe::default() };
        let value = recipe.to_json().expect("a recipe");
        let sent = producer.send(BaseRecord::to(PARSED_RECIPES).key(&recipe.url).payload(&value));
        sent.map_err(|(error, _)| error).expect("sent");
    }
    producer.flush(PATIENCE).expect("acknowledged");
}

/// A real mail server, and the channel's table for it.
fn mail_server(python: &Path, mode: &str, folder: &Path) -> (Process, String) {
    std::fs::create_dir(folder).expect("a folder");
    let port = free_port();
    let script = programs::root().join("e2e/clients/smtp.py");
    let mut server = Process::start(Command::new(python).arg(script).args([mode, &port.to_string()]).arg(folder));
    server.wait_for("listening");
    let table = format!(
        "type = \"email\"\nserver = \"localhost\"\nport = {port}\ntls = \"{mode}\"\nuser = \"alerts\"\n\
         password_env = \"SMTP_PASSWORD\"\nfrom = \"Alerts <alerts@a.example>\"\nto = [\"Zoë <zoe@a.example>\"]\n"
    );
    (server, table)
}

#[test]
fn a_mail_server_gets_text_and_html_over_starttls_and_tls() {
    let Some(python) = prerequisites::python("a_mail_server_gets_text_and_html_over_starttls_and_tls") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(&folder.path().join("data"), &[]);
    let mut rules = "[[rule]]\nname = \"calories\"\nwhen = \"calories > 200\"\n".to_owned();
    let modes = ["starttls", "tls"];
    let mut servers: Vec<Process> = modes
        .iter()
        .map(|mode| {
            let own = folder.path().join(mode);
            let (server, table) = mail_server(&python, mode, &own);
            let trusted = format!("ca_file = \"{}\"\n", own.join("ca.pem").display());
            rules +=
                &format!("[channel.{mode}]\n{table}{trusted}[channel.{mode}-stranger]\n{table}timeout = \"20s\"\n");
            server
        })
        .collect();
    let path = folder.path().join("rules.toml");
    std::fs::write(&path, &rules).expect("written");

    // Nobody gets the password, or a mail, whose certificate is of an authority that is not trusted.
    for mode in modes {
        let mut command = Command::new(programs::program("consumer-notification"));
        command.env_clear().env("SMTP_PASSWORD", "s3cret").args(["send-test", &format!("{mode}-stranger"), "--rules"]);
        let finished = Process::run(command.arg(&path));
        let said = finished.one_line(69);
        assert!(said.contains("certificate") && !said.contains("s3cret"), "{said}");
    }
    let strangers = rules.find("[channel.starttls-stranger]").expect("it is there");
    let second = rules.find("[channel.tls]").expect("it is there");
    let last = rules.find("[channel.tls-stranger]").expect("it is there");
    std::fs::write(&path, format!("{}{}", &rules[..strangers], &rules[second..last])).expect("written");

    let notifier = notifier(&broker, free_port(), &path);
    let title = "Crème brûlée – süß & <b>heiß</b> 🍮";
    write(&broker, [title.to_owned()]);
    for server in &mut servers {
        // The first try was put off by the server.
        let line = server.wait_for("mail {");
        let mail: Value = serde_json::from_str(line.trim_start_matches("mail ")).expect("JSON");
        assert_eq!(mail["subject"], format!("[warning] {title}"));
        assert_eq!((&mail["from"], &mail["to"][0]), (&"alerts@a.example".into(), &"zoe@a.example".into()));
        assert_eq!(mail["encrypted"], true);
        let [text, html, id] = ["text", "html", "id"].map(|part| mail[part].as_str().unwrap_or_default());
        assert!(text.contains(&format!("Alert: {title} calories count is 310")), "{text}");
        assert!(html.contains("Crème brûlée – süß &amp; &lt;b&gt;heiß"), "{html}");
        assert!(id.ends_with("@recipe-alert>"), "{id}");
    }
    let (code, lines) = notifier.terminate();
    assert_eq!(code, Some(0), "{}", lines.join("\n"));
    broker.stop();
}

/// What a receiver got, and when.
type Got = Arc<Mutex<Vec<(String, Instant)>>>;

async fn receive(State(got): State<Got>, body: Bytes) {
    let alert = Alert::from_json(&body).expect("an alert");
    got.lock().push((alert.title, Instant::now()));
}

async fn receiver(port: u16) -> Got {
    let got = Got::default();
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    let router = axum::Router::new().route("/", post(receive)).with_state(Arc::clone(&got));
    tokio::spawn(async move { axum::serve(listener, router).await });
    got
}

async fn wait_for(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The lag of the channel that is down, as the metrics have it.
async fn lag_of_down(port: u16) -> Option<f64> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("connected");
    let ask = b"GET /metrics HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    stream.write_all(ask).await.expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    let is_it = |line: &&str| line.starts_with("pipeline_lag_records{") && line.contains("group=\"alerts-down\"");
    answer.lines().find(is_it)?.rsplit(' ').next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_was_down_delivers_everything_in_order_within_its_rate() {
    const ALERTS: usize = 400;
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(&folder.path().join("data"), &[]);
    let (up, down, page) = (free_port(), free_port(), free_port());
    let rules = folder.path().join("rules.toml");
    let text = format!(
        "[[rule]]\nname = \"calories\"\nwhen = \"calories > 200\"\n\
         [channel.up]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{up}/\"\n\
         [channel.down]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{down}/\"\nrate = \"50/s\"\n"
    );
    std::fs::write(&rules, text).expect("written");
    let others = receiver(up).await;
    let titles: Vec<String> = (0..ALERTS).map(|index| format!("Pie {index:03}")).collect();
    let notifying = notifier(&broker, page, &rules);
    write(&broker, titles.clone());
    wait_for("the other channel has every alert", async || others.lock().len() >= ALERTS).await;
    // Marks of transactions count too.
    wait_for("the lag is in the metrics", async || lag_of_down(page).await.is_some_and(|lag| lag >= ALERTS as f64))
        .await;
    // Whoever notifies dies in the middle of the outage.
    drop(notifying.kill());
    let notifying = notifier(&broker, page, &rules);

    let got = receiver(down).await;
    wait_for("every alert comes when the receiver is back", async || got.lock().len() >= ALERTS).await;
    wait_for("the lag is gone", async || lag_of_down(page).await == Some(0.0)).await;
    let got = got.lock().clone();
    let order: Vec<&str> = got.iter().map(|(title, _)| &**title).collect();
    assert_eq!(order, titles.iter().map(String::as_str).collect::<Vec<_>>(), "in order, none lost, none twice");
    // At 50 a second a stretch of 101 takes two seconds; half of that leaves room for a busy machine.
    let shortest = got.windows(101).map(|stretch| stretch[100].1 - stretch[0].1).min().expect("more than a stretch");
    assert!(shortest >= Duration::from_secs(1), "101 alerts within {shortest:?}");
    let (code, lines) = notifying.terminate();
    assert_eq!(code, Some(0), "{}", lines.join("\n"));
    broker.stop();
}
