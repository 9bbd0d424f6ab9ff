//! Writing the tape, for markups that are read by the rules of JSON-LD.

use super::{Json, Kind, Node, offset};

/// Writes a [`Json`] whose strings it owns, so that other markups are read by the same rules as JSON-LD.
#[derive(Debug)]
pub struct Builder {
    json: Json<'static>,
    open: Vec<u32>,
    /// Bytes of text that it takes.
    room: usize,
}

impl Builder {
    /// A builder that is full once it holds so many bytes of text.
    pub fn with_room(bytes: usize) -> Builder {
        Builder { json: Json::empty(), open: vec![0], room: bytes }
    }

    /// Whether there is as much text as there is room for; more is still taken.
    pub fn is_full(&self) -> bool {
        self.json.added.len() > self.room
    }

    fn push(&mut self, kind: Kind, text: &str) -> u32 {
        let start = offset(self.json.added.len());
        self.json.added.push_str(text);
        let id = offset(self.json.nodes.len());
        let stop = offset(self.json.added.len());
        self.json.nodes.push(Node { start, stop, next: id + 1, kind });
        id
    }

    /// Writes a member's name; its value must follow.
    pub fn key(&mut self, name: &str) {
        self.push(Kind::Added, name);
    }

    /// Writes a string.
    pub fn string(&mut self, text: &str) {
        self.push(Kind::Added, text);
    }

    /// Opens an object.
    pub fn begin_object(&mut self) {
        let id = self.push(Kind::Object, "");
        self.open.push(id);
    }

    /// Opens an array.
    pub fn begin_array(&mut self) {
        let id = self.push(Kind::Array, "");
        self.open.push(id);
    }

    /// Closes the innermost open object or array.
    pub fn end(&mut self) {
        if self.open.len() > 1
            && let Some(id) = self.open.pop()
        {
            self.json.nodes[id as usize].next = offset(self.json.nodes.len());
        }
    }

    /// The values written.
    pub fn finish(mut self) -> Json<'static> {
        while self.open.len() > 1 {
            self.end();
        }
        self.json.nodes[0].next = offset(self.json.nodes.len());
        self.json
    }
}
