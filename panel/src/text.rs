//! What a person types into a field: kept in one place, never printed, wiped when it goes.

use zeroize::Zeroizing;

/// Bytes that a field reserves at once, so that it never moves and leaves a copy behind.
const BYTES_MAX: usize = 512;
/// The longest text of a field: a password has at most 128 characters, an address 190.
const CHARS_MAX: usize = 192;

/// A line of text with a caret.
pub struct Text {
    content: Zeroizing<String>,
    /// In bytes; always between two characters.
    caret: usize,
}

/// What a key does to a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// Puts a character at the caret.
    Insert(char),
    /// Takes the character before the caret away.
    Backspace,
    /// Takes the character after the caret away.
    Delete,
    /// Moves the caret.
    Left,
    /// Moves the caret.
    Right,
    /// Moves the caret to the start.
    Home,
    /// Moves the caret to the end.
    End,
    /// Moves the caret before a character, counted from the start.
    To(usize),
    /// Takes everything away.
    Clear,
}

impl std::fmt::Debug for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Edit(..)")
    }
}

impl Default for Text {
    fn default() -> Self {
        Self { content: Zeroizing::new(String::with_capacity(BYTES_MAX)), caret: 0 }
    }
}

impl Text {
    /// What it holds.
    pub fn as_str(&self) -> &str {
        &self.content
    }

    /// A copy for a request, which wipes itself, too.
    pub fn copy(&self) -> Zeroizing<String> {
        self.content.clone()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.content.is_empty()
    }

    /// Where the caret stands, in characters.
    pub fn caret_chars(&self) -> usize {
        self.content[..self.caret].chars().count()
    }

    /// Does what a key does. What does not fit is left out.
    pub fn edit(&mut self, edit: Edit) {
        match edit {
            Edit::Insert(char) => {
                let fits = self.content.len() + char.len_utf8() <= BYTES_MAX;
                if fits && !char.is_control() && self.content.chars().count() < CHARS_MAX {
                    self.content.insert(self.caret, char);
                    self.caret += char.len_utf8();
                }
            }
            Edit::Backspace => {
                if let Some(char) = self.content[..self.caret].chars().next_back() {
                    self.caret -= char.len_utf8();
                    self.content.remove(self.caret);
                }
            }
            Edit::Delete => {
                if self.caret < self.content.len() {
                    self.content.remove(self.caret);
                }
            }
            Edit::Left => {
                self.caret -= self.content[..self.caret].chars().next_back().map_or(0, char::len_utf8);
            }
            Edit::Right => {
                self.caret += self.content[self.caret..].chars().next().map_or(0, char::len_utf8);
            }
            Edit::Home => self.caret = 0,
            Edit::End => self.caret = self.content.len(),
            Edit::To(chars) => {
                self.caret = self.content.char_indices().nth(chars).map_or(self.content.len(), |(at, _)| at);
            }
            Edit::Clear => *self = Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(edits: &[Edit]) -> Text {
        let mut text = Text::default();
        edits.iter().for_each(|edit| text.edit(*edit));
        text
    }

    #[test]
    fn it_edits_like_any_line() {
        use Edit::{Backspace, Delete, Home, Insert, Left, Right, To};
        let text =
            typed(&[Insert('a'), Insert('\u{fc}'), Insert('c'), Left, Left, Insert('-'), Right, Delete]);
        assert_eq!((text.as_str(), text.caret_chars()), ("a-\u{fc}", 3));
        let text =
            typed(&[Insert('\u{fc}'), Insert('b'), Home, Backspace, Delete, To(9), Backspace, Backspace]);
        assert_eq!((text.as_str(), text.caret_chars()), ("", 0));
    }

    #[test]
    fn it_never_moves_and_takes_no_control_characters() {
        let mut text = Text::default();
        let place = text.as_str().as_ptr();
        for _ in 0..1000 {
            text.edit(Edit::Insert('\u{5bc6}'));
        }
        text.edit(Edit::Insert('\n'));
        assert_eq!(text.as_str().as_ptr(), place);
        assert!(text.as_str().chars().count() <= CHARS_MAX && text.as_str().len() <= BYTES_MAX);
        assert!(!text.as_str().contains('\n'));
    }
}
