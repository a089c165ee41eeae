//! A small riddle before a mail is sent: letters in a picture, or, for whoever does not see it, a sum in
//! words. It travels sealed with the form, so nothing is kept for it; that it is answered once only, the
//! store counts.

use super::secrets::Secrets;
use crate::clock::draw;

/// Letters and digits that are told apart when they are bent.
const ALPHABET: &[u8] = b"ACDEFHJKLMNPRTUVWXY3479";
const LETTERS: usize = 5;
/// A form may lie open this long.
pub const VALIDITY_S: i64 = 20 * 60;
const WIDTH: usize = 280;
const HEIGHT: usize = 90;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Riddle {
    /// The letters in a picture.
    Letters(String),
    /// A sum of two numbers from 1 to 12.
    Sum(u8, u8),
}

impl Riddle {
    /// A new one.
    pub fn draw(as_picture: bool) -> Self {
        let random = draw::<LETTERS>();
        if as_picture {
            // The small bias of the remainder helps nobody.
            let letter = |byte: &u8| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]);
            Self::Letters(random.iter().map(letter).collect())
        } else {
            Self::Sum(random[0] % 12 + 1, random[1] % 12 + 1)
        }
    }

    /// The riddle as the form carries it.
    pub fn seal(&self, secrets: &Secrets, now_s: i64) -> String {
        let mut text = (now_s + VALIDITY_S).to_be_bytes().to_vec();
        match self {
            Self::Letters(letters) => text.extend(letters.as_bytes()),
            Self::Sum(a, b) => text.extend([*a, *b]),
        }
        secrets.seal("riddle", &text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Opens one that has not expired.
    pub fn open(secrets: &Secrets, token: &str, now_s: i64) -> Option<Self> {
        if token.len() > 256 || !token.is_ascii() {
            return None;
        }
        let pairs = token.as_bytes().chunks_exact(2);
        let sealed: Option<Vec<u8>> =
            pairs.map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect();
        let text = secrets.open("riddle", &sealed?)?;
        let (until_s, riddle) = text.split_first_chunk::<8>()?;
        if i64::from_be_bytes(*until_s) <= now_s {
            return None;
        }
        match riddle {
            [a, b] => Some(Self::Sum(*a, *b)),
            letters => Some(Self::Letters(String::from_utf8(letters.to_vec()).ok()?)),
        }
    }

    /// Whether an answer is right; blanks and small letters are forgiven.
    pub fn is_answer(&self, answer: &str) -> bool {
        let answer: String = answer.chars().filter(|c| !c.is_whitespace()).collect();
        match self {
            Self::Letters(letters) => letters.eq_ignore_ascii_case(&answer),
            Self::Sum(a, b) => answer.parse() == Ok(a + b),
        }
    }

    /// The picture of its letters, as PNG.
    pub fn picture(&self) -> Option<Vec<u8>> {
        let Self::Letters(letters) = self else { return None };
        let random = draw::<64>();
        let part = |i: usize| f32::from(random[i % random.len()]) / 255.0;
        let bends: Vec<Bend> = (0..letters.len()).map(|i| Bend::draw(i, &|k| part(8 * i + k))).collect();
        let mut points = vec![255_u8; WIDTH * HEIGHT];
        for (at, point) in points.iter_mut().enumerate() {
            let (x, y) = ((at % WIDTH) as f32, (at / WIDTH) as f32);
            // The whole swings, and a line runs through it.
            let swing = (x / 34.0 + part(60) * 6.0).sin() * 5.0;
            let inked = letters.bytes().zip(&bends).any(|(letter, bend)| bend.inks(letter, x, y + swing));
            let line = 45.0 + (x / 40.0 + part(61) * 6.0).sin() * 26.0;
            let dotted = draw_dot(at, &random);
            *point = match (inked, (y - line).abs() < 1.6) {
                (true, _) => 40,
                (false, true) => 90,
                (false, false) if dotted => 150,
                (false, false) => 250,
            };
        }
        let mut bytes = vec![];
        let (width, height) = (u32::try_from(WIDTH).ok()?, u32::try_from(HEIGHT).ok()?);
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().ok()?.write_image_data(&points).ok()?;
        Some(bytes)
    }
}

/// A dot in some thirty, without a pattern.
fn draw_dot(at: usize, random: &[u8; 64]) -> bool {
    let mixed = (at as u32 ^ u32::from(random[at % 64]) << 11).wrapping_mul(0x9e37_79b1);
    mixed >> 27 == 0
}

/// How one letter stands.
struct Bend {
    left: f32,
    top: f32,
    side: f32,
    turn: f32,
    lean: f32,
}

impl Bend {
    fn draw(i: usize, part: &dyn Fn(usize) -> f32) -> Self {
        Self {
            left: 14.0 + i as f32 * 51.0 + part(0) * 8.0,
            top: 16.0 + part(1) * 12.0,
            side: 46.0 + part(2) * 8.0,
            turn: (part(3) - 0.5) * 0.7,
            lean: (part(4) - 0.5) * 0.5,
        }
    }

    /// Whether a point lies on the letter: turned back, it is looked up in the font's grid of 8 by 8.
    fn inks(&self, letter: u8, x: f32, y: f32) -> bool {
        let half = self.side / 2.0;
        let (dx, dy) = (x - self.left - half, y - self.top - half);
        let (sin, cos) = self.turn.sin_cos();
        let (u, v) = (dx * cos + dy * sin, dy * cos - dx * sin);
        let (u, v) = (u + v * self.lean + half, v + half);
        let cell = |at: f32| (at / self.side * 8.0).floor();
        let (column, row) = (cell(u), cell(v));
        if !(0.0..8.0).contains(&column) || !(0.0..8.0).contains(&row) {
            return false;
        }
        let rows = font8x8::legacy::BASIC_LEGACY[usize::from(letter & 0x7f)];
        rows[row as usize] >> (column as u32) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_riddle_is_answered_as_people_answer() {
        assert!(Riddle::Letters("AC3DE".into()).is_answer(" ac3 de"));
        assert!(!Riddle::Letters("AC3DE".into()).is_answer("AC3D"));
        assert!(Riddle::Sum(12, 12).is_answer(" 24 "));
        assert!(!Riddle::Sum(1, 2).is_answer(""));
    }

    #[test]
    fn a_picture_shows_ink_and_ground_in_their_shares() {
        let bytes = Riddle::Letters("WMHKX".into()).picture().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut points = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut points).unwrap();
        let ink = points.iter().filter(|point| **point == 40).count() * 100 / points.len();
        assert!((8..50).contains(&ink), "{ink} %");
        assert_eq!(Riddle::Sum(1, 2).picture(), None);
    }
}
