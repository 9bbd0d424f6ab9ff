//! A test web for the crawler, [`e2e::Web`], on a port: `crawl_web [PORT] [HOSTS] [PAGES]` (18090, 1000, 100). Each line
//! on standard input asks what its hosts saw since the last; `change` changes one page in a hundred first.

use anyhow::Context;
use e2e::Web;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |text| text.parse());
    let port = u16::try_from(number(18090)?).context("PORT is 0 to 65535")?;
    let (hosts, pages) = (number(1000)?, number(100)?);
    let web = Web::serve(port, hosts, pages).await.with_context(|| format!("listen on port {port}"))?;
    println!("{} names {hosts} hosts of {pages} pages; {} are to be published", web.index(), web.published().len());
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if line.trim() == "change" {
            web.change();
        }
        let seen = web.take_seen();
        let shortest = seen.shortest.unwrap_or_default().as_millis();
        println!(
            "requests {}, forbidden {}, bytes {}, by status {:?}, shortest time between two requests to one host \
             {shortest} ms",
            seen.requests, seen.forbidden, seen.bytes, seen.by_status
        );
    }
    Ok(())
}
