//! Flags and variables of the all-in-one program.

use service_kit::settings::Source;

/// The sources on the sample site: the list page of the tutorial's kind, and the sitemap.
const SAMPLE_SOURCES: [(&str, &str); 2] = [("list", "/recipes/"), ("sitemap", "/sitemap.xml")];

/// What to run, and where.
#[derive(Clone)]
pub struct Settings {
    /// Another Kafka to use instead of the broker in this process.
    pub bootstrap_servers: Option<String>,
    /// Where the broker listens.
    pub broker_listen: String,
    /// The broker's data.
    pub data: String,
    /// Where the live page is.
    pub listen: String,
    /// Where the sample site is, if no sources are named.
    pub sample_site_listen: String,
    /// What to crawl instead of the sample site.
    pub sources: Vec<String>,
    /// The rules' file.
    pub rules: Option<String>,
    /// Calories a serving above which a recipe raises an alert, without rules.
    pub threshold: f64,
    /// What whoever replays dead letters on the live page has to show; without one it is read-only.
    pub admin_token: Option<String>,
    /// End when every source is done.
    pub once: bool,
}

impl Settings {
    /// Reads them; what is wrong is noted in the source.
    pub fn read(from: &mut Source) -> Self {
        Self {
            bootstrap_servers: from
                .get::<String>("bootstrap_servers", "Another Kafka to use (host:port), instead of the broker in this process")
                .maybe(),
            broker_listen: from
                .get::<String>("broker_listen", "Address of the broker; port 0 takes a free one")
                .or("127.0.0.1:9092".to_owned()),
            data: from.get::<String>("data", "Folder of the broker's data, a Kafka log directory").or("data".to_owned()),
            listen: from
                .get::<String>("listen", "Address of the live page, its API, health and metrics; port 0 takes a free one")
                .or("127.0.0.1:8080".to_owned()),
            sample_site_listen: from
                .get::<String>("sample_site_listen", "Address of the sample site; port 0 takes a free one")
                .or("127.0.0.1:8088".to_owned()),
            sources: from
                .get::<Vec<String>>(
                    "source",
                    "What to read instead of the sample site: a folder of HTML files, a web address, or KIND=ADDRESS as \
                     producer-raw-recipes takes it; may be given more than once",
                )
                .or(Vec::new()),
            rules: from.get::<String>("rules", "TOML file with the rules, read again when it changes").maybe(),
            threshold: from
                .get::<f64>("calories_threshold", "Calories above which a recipe raises an alert; without --rules")
                .flag("threshold")
                .unit("kcal a serving")
                .within(0.0..=recipes::MAX_KCAL)
                .or(200.0),
            admin_token: from
                .get::<String>("admin_token", "Lets whoever knows it replay dead letters on the live page")
                .maybe(),
            once: from.get("once", "End when every source is done, with a summary").or(false),
        }
    }

    /// The sources to crawl, given where the sample site is.
    pub(crate) fn sources(&self, sample_site: Option<&str>) -> Vec<String> {
        match sample_site {
            Some(address) => {
                SAMPLE_SOURCES.iter().map(|(kind, path)| format!("{kind}=http://{address}{path}")).collect()
            }
            None => self.sources.clone(),
        }
    }
}
