//! Alerts for a program on this machine.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::channels::notice::Notice;
use crate::channels::sender::Undelivered;

/// `EX_TEMPFAIL` of `sysexits.h`: try again later.
const TRY_AGAIN: i32 = 75;

/// Runs a program for each notice: the alerts as JSON lines on its stdin, the gist in `ALERT_…` variables. Nothing goes
/// through a shell.
#[derive(Debug)]
pub struct Exec {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Longest run; then it is killed, and tried again.
    pub timeout: Duration,
}

impl Exec {
    /// Delivers a notice: exit code 0 is success, 75 asks for another try.
    ///
    /// # Errors
    /// The program cannot be started or takes too long (again), or has another exit code (never).
    pub async fn send(&self, notice: &Notice) -> Result<(), Undelivered> {
        let (program, arguments) = self.command.split_first().ok_or_else(|| Undelivered::never("no program"))?;
        let mut child = Command::new(program)
            .args(arguments)
            .env("ALERT_ID", notice.id().to_string())
            .env("ALERT_TITLE", notice.title().replace('\0', ""))
            .env("ALERT_MESSAGE", notice.text().replace('\0', ""))
            .env("ALERT_SEVERITY", notice.severity().as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Undelivered::later(format!("{program} cannot be started: {error}")))?;
        let mut lines = Vec::new();
        for alert in &notice.alerts {
            lines.extend(alert.to_json().map_err(|error| Undelivered::never(error.to_string()))?);
            lines.push(b'\n');
        }
        let mut stdin = child.stdin.take();
        let run = async {
            if let Some(stdin) = &mut stdin {
                // A program need not read what it is told.
                let _ = stdin.write_all(&lines).await;
            }
            drop(stdin);
            child.wait().await
        };
        let ended = tokio::time::timeout(self.timeout, run).await;
        let ended = ended.map_err(|_| Undelivered::later(format!("{program} took more than {:?}", self.timeout)))?;
        let status = ended.map_err(|error| Undelivered::later(format!("{program}: {error}")))?;
        match status.code() {
            Some(0) => Ok(()),
            Some(TRY_AGAIN) => Err(Undelivered::later(format!("{program} asks for another try"))),
            _ => Err(Undelivered::never(format!("{program} ended with {status}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::testing::alert;

    async fn run(script: &str, timeout: Duration) -> Result<(), Undelivered> {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        Exec { command, timeout }.send(&Notice::one(alert("Pie $(exit 9)"))).await
    }

    #[tokio::test]
    async fn a_program_gets_the_alert_and_its_exit_code_counts() {
        let long = Duration::from_secs(60);
        let reads = "grep -q '\"title\":\"Pie $(exit 9)\"' && test \"$ALERT_SEVERITY\" = warning";
        assert_eq!(run(reads, long).await, Ok(()));
        assert!(run("exit 75", long).await.unwrap_err().again);
        assert!(!run("exit 3", long).await.unwrap_err().again);
        assert!(run("sleep 60", Duration::from_millis(50)).await.unwrap_err().again);
        let missing = Exec { command: vec!["/no/such/program".to_owned()], timeout: long };
        assert!(missing.send(&Notice::one(alert("Pie"))).await.unwrap_err().again);
    }
}
