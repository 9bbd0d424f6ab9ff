//! The sample site as a process: `sample-site [--listen ADDRESS]` and `sample-site healthcheck`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

/// A small recipe website to run and test against.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Address and port to serve on.
    #[arg(long, env = "SAMPLE_SITE_LISTEN", default_value = "0.0.0.0:8088", global = true)]
    listen: SocketAddr,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Exits 0 when the site on this machine's port answers.
    Healthcheck,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { 64 } else { 0 };
            // Nothing is left to tell the user of a closed terminal.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let done = match arguments.command {
        Some(Command::Healthcheck) => healthcheck(arguments.listen.port()).await,
        None => serve(arguments.listen).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            // `EX_UNAVAILABLE` of sysexits.h: the address is taken, or nobody answers there.
            ExitCode::from(69)
        }
    }
}

#[expect(clippy::print_stderr, reason = "the one line a failed command leaves behind")]
fn report(error: &anyhow::Error) {
    eprintln!("sample-site: {error:#}");
}

async fn serve(address: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; name another with --listen ADDRESS:PORT"))?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    println!("sample site on http://{}", listener.local_addr().unwrap_or(address));
    let shutdown = async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    };
    sample_site::serve(listener, shutdown).await.context("serve the site")
}

async fn healthcheck(port: u16) -> anyhow::Result<()> {
    let check = async {
        let mut site = TcpStream::connect(("127.0.0.1", port)).await?;
        site.write_all(b"GET /health/live HTTP/1.0\r\nHost: localhost\r\n\r\n").await?;
        let mut answer = Vec::new();
        site.take(4096).read_to_end(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let limit = Duration::from_secs(5);
    let answer = tokio::time::timeout(limit, check).await.context("no answer within 5 s")?.context("ask the site")?;
    let line = String::from_utf8_lossy(&answer);
    let line = line.lines().next().unwrap_or_default();
    ensure!(line.split(' ').nth(1) == Some("200"), "the site answered {line:?}");
    Ok(())
}
