//! Any text makes a tape that can be walked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parser_recipes::json::Json;
use parser_recipes::schema;

fuzz_target!(|text: &str| {
    let json = Json::parse(text);
    for object in json.objects() {
        for (key, value) in object.entries() {
            let _ = (key.len(), value.text(), value.items().count());
        }
    }
    let _ = schema::recipes(&json, &[]);
});
