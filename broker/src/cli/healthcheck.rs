//! `broker healthcheck`: does a broker answer ApiVersions?
//!
//! Spoken by hand, so that the check stays a small program without a client: ApiVersions version 0, which every broker
//! since 0.10 answers (KIP-35).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::HealthcheckArgs;
use super::exit::{Exit, Failure};

const API_VERSIONS: i16 = 18;
const CORRELATION_ID: i32 = 0x4845_414c;
const CLIENT_ID: &str = "healthcheck";
/// An answer lists some 90 APIs of 6 bytes each; far more than that is no answer to this question.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Asks once.
///
/// # Errors
/// A [`Failure`] with [`Exit::Usage`] for what is no address, else with [`Exit::Unavailable`]: nothing listens there, it does not answer in time, or is no Kafka broker.
pub async fn run(args: &HealthcheckArgs) -> Result<(), Failure> {
    let address = &args.bootstrap_server;
    let failed = |what: String| {
        Failure::new(Exit::Unavailable, format!("{address} {what}; is the broker running, and is this its address?"))
    };
    if address.rsplit_once(':').is_none_or(|(host, port)| host.is_empty() || port.parse::<u16>().is_err()) {
        let message =
            format!("--bootstrap-server {address} is no address; write host:port, for example localhost:9092");
        return Err(Failure::new(Exit::Usage, message));
    }
    let limit = Duration::from_millis(args.timeout_ms);
    match tokio::time::timeout(limit, ask(address)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(failed(format!("is not healthy: {error}"))),
        Err(_) => Err(failed(format!("did not answer within {} ms", args.timeout_ms))),
    }
}

async fn ask(address: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&request()).await?;
    let mut size = [0; 4];
    stream.read_exact(&mut size).await?;
    let size = usize::try_from(i32::from_be_bytes(size)).unwrap_or(usize::MAX);
    if !(10..=LARGEST_ANSWER).contains(&size) {
        return Err(io::Error::other("what answers there is no Kafka broker"));
    }
    let mut answer = vec![0; size];
    stream.read_exact(&mut answer).await?;
    check(&answer).map_err(io::Error::other)
}

fn request() -> Vec<u8> {
    let mut body = Vec::with_capacity(32);
    body.extend_from_slice(&API_VERSIONS.to_be_bytes());
    body.extend_from_slice(&0i16.to_be_bytes());
    body.extend_from_slice(&CORRELATION_ID.to_be_bytes());
    body.extend_from_slice(&(CLIENT_ID.len() as i16).to_be_bytes());
    body.extend_from_slice(CLIENT_ID.as_bytes());
    let mut frame = (body.len() as i32).to_be_bytes().to_vec();
    frame.append(&mut body);
    frame
}

/// Correlation id, error code, count of APIs.
fn check(answer: &[u8]) -> Result<(), String> {
    let [a, b, c, d, e, f, ..] = answer else { return Err("the answer is too short".to_owned()) };
    if i32::from_be_bytes([*a, *b, *c, *d]) != CORRELATION_ID {
        return Err("the answer belongs to another question: what answers there is no Kafka broker".to_owned());
    }
    match i16::from_be_bytes([*e, *f]) {
        0 => Ok(()),
        code => Err(format!("the broker answered with error code {code}")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answering(answer: Vec<u8>) -> Result<(), Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let bootstrap_server = listener.local_addr().expect("bound").to_string();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut asked = vec![0; request().len()];
            stream.read_exact(&mut asked).await.expect("a request");
            assert_eq!(asked, request());
            stream.write_all(&answer).await.expect("writes");
        });
        let outcome = run(&HealthcheckArgs { bootstrap_server, timeout_ms: 60_000 }).await;
        server.await.expect("no panic");
        outcome
    }

    fn frame(correlation_id: i32, error: i16) -> Vec<u8> {
        let mut frame = 10i32.to_be_bytes().to_vec();
        frame.extend_from_slice(&correlation_id.to_be_bytes());
        frame.extend_from_slice(&error.to_be_bytes());
        frame.extend_from_slice(&0i32.to_be_bytes());
        frame
    }

    #[tokio::test]
    async fn a_broker_that_answers_is_healthy() {
        assert!(answering(frame(CORRELATION_ID, 0)).await.is_ok());
    }

    #[tokio::test]
    async fn anything_else_is_not() {
        for answer in [frame(CORRELATION_ID, 35), frame(1, 0), b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Vec::new()]
        {
            let failure = answering(answer).await.expect_err("no broker");
            assert_eq!(failure.exit, Exit::Unavailable);
            assert!(failure.to_string().contains("is the broker running"), "{failure}");
        }
    }

    #[tokio::test]
    async fn what_is_no_address_is_a_wrong_flag() {
        for address in ["localhost", ":9092", "localhost:many"] {
            let args = HealthcheckArgs { bootstrap_server: address.to_owned(), timeout_ms: 60_000 };
            assert_eq!(run(&args).await.expect_err(address).exit, Exit::Usage);
        }
    }

    #[tokio::test]
    async fn nobody_listening_is_said() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let bootstrap_server = listener.local_addr().expect("bound").to_string();
        drop(listener);
        let args = HealthcheckArgs { bootstrap_server, timeout_ms: 60_000 };
        assert!(run(&args).await.expect_err("nobody").to_string().contains("refused"));
    }
}
