//! Rust source of the error codes.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;

use crate::emit::HEADER;
use crate::jars::java;
use crate::names::pascal_case;

/// `error_code.rs`, from what the Java program beside the vectors prints of `Errors.java`.
pub fn module(jars: &Path, wire: &Path) -> anyhow::Result<String> {
    let printed = java(jars, &wire.join("vectors/ErrorCodes.java"))?;
    let mut errors = Vec::new();
    for line in printed.lines() {
        let mut columns = line.splitn(4, '\t');
        let mut column = || columns.next().with_context(|| format!("too few columns in {line:?}"));
        errors.push((column()?.parse::<i16>()?, column()?, column()? == "true", column()?));
    }
    errors.sort_unstable();
    let mut out = String::from(HEADER);
    out.push_str(
        "//! Kafka's error codes (`org.apache.kafka.common.protocol.Errors`).\n\nuse crate::error_info::ErrorInfo;\n\n",
    );
    out.push_str("/// An error that a reply can carry.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]\n#[repr(i16)]\npub enum ErrorCode {\n");
    for (code, name, _, message) in &errors {
        let about = if *code == 0 { "No error.".to_owned() } else { escape(message) };
        let default = if *code == 0 { "#[default]\n" } else { "" };
        let _ = writeln!(out, "/// {about}\n{default}{} = {code},", pascal_case(name));
    }
    out.push_str("}\n\nimpl ErrorCode {\n/// Every error, in ascending order of the codes.\npub const ALL: &'static [ErrorCode] = &[\n");
    for (_, name, ..) in &errors {
        let _ = writeln!(out, "Self::{},", pascal_case(name));
    }
    out.push_str(
        "];\n\n/// What is known of the error.\npub(crate) const fn info(self) -> ErrorInfo {\nmatch self {\n",
    );
    for (_, name, retriable, message) in &errors {
        let _ = writeln!(
            out,
            "Self::{} => ErrorInfo {{ name: \"{name}\", retriable: {retriable}, message: {message:?} }},",
            pascal_case(name)
        );
    }
    out.push_str("}\n}\n}\n");
    Ok(out)
}

fn escape(message: &str) -> String {
    message.replace('[', "\\[").replace(']', "\\]").replace('<', "\\<").replace('_', "\\_")
}
