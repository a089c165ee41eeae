//! A list of things to paint becomes pixels, by the processor alone.
//!
//! The view gives the whole list every time. What differs from the list before is damage, and only that is
//! painted again: a blinking caret costs a few hundred pixels.
//!
//! Must not: know what a screen, a widget or a toolkit is.

mod area;
mod paint;

pub use area::{Area, Damage};
use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
};

/// A colour with its own alpha multiplied in, as red, green, blue, alpha.
pub type Colour = [u8; 4];

/// What can be painted. Lengths are pixels.
#[derive(Clone, Debug, PartialEq)]
pub enum Paint {
    /// A rectangle with round corners; its line runs inside of it.
    Box {
        /// Its outer edge.
        area: Area,
        /// Of every corner.
        radius_px: f32,
        /// Inside of the line.
        fill: Colour,
        /// How thick the line is; 0 for none.
        line_px: i32,
        /// The line's colour.
        line: Colour,
    },
    /// Glyphs of the atlas, in one colour.
    Text {
        /// Where they go, and where they come from.
        glyphs: Vec<Glyph>,
        /// Their colour.
        colour: Colour,
    },
    /// A line through points, with round ends and corners.
    Line {
        /// At least two.
        points: Vec<[f32; 2]>,
        /// How thick it is.
        width_px: f32,
        /// Its colour.
        colour: Colour,
    },
}

/// A glyph of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Glyph {
    /// Where its left top pixel goes.
    pub to: [i32; 2],
    /// Its left top pixel in the atlas.
    pub from: [u16; 2],
    /// Its size.
    pub size: [u16; 2],
}

/// Something to paint, with what it may touch.
#[derive(Clone, Debug)]
pub struct Item {
    /// The pixels that it may change.
    pub bounds: Area,
    /// What it is.
    pub paint: Paint,
    /// Of both.
    hash: u64,
}

impl Item {
    /// Something to paint inside of `clip`; nothing if nothing of it is inside.
    pub fn new(clip: &Area, paint: Paint) -> Option<Self> {
        let bounds = paint.bounds().within(clip);
        if bounds.is_empty() {
            return None;
        }
        let hash = paint.hash_with(&bounds);
        Some(Self { bounds, paint, hash })
    }
}

impl Paint {
    fn bounds(&self) -> Area {
        match self {
            Self::Box { area, .. } => *area,
            Self::Text { glyphs, .. } => glyphs.iter().fold(Area::default(), |all, glyph| {
                let [x, y] = glyph.to;
                let [width, height] = glyph.size.map(i32::from);
                all.with(&Area::new(x, y, x + width, y + height))
            }),
            Self::Line { points, width_px, .. } => {
                let reach = width_px / 2.0 + 1.0;
                points.iter().fold(Area::default(), |all, &[x, y]| {
                    all.with(&Area::new(
                        (x - reach).floor() as i32,
                        (y - reach).floor() as i32,
                        (x + reach).ceil() as i32,
                        (y + reach).ceil() as i32,
                    ))
                })
            }
        }
    }

    fn hash_with(&self, bounds: &Area) -> u64 {
        let mut hash = Mixed::default();
        bounds.hash(&mut hash);
        match self {
            Self::Box { area, radius_px, fill, line_px, line } => {
                (0_u8, area, radius_px.to_bits(), fill, line_px, line).hash(&mut hash);
            }
            Self::Text { glyphs, colour } => (1_u8, glyphs, colour).hash(&mut hash),
            Self::Line { points, width_px, colour } => {
                (2_u8, width_px.to_bits(), colour).hash(&mut hash);
                for [x, y] in points {
                    (x.to_bits(), y.to_bits()).hash(&mut hash);
                }
            }
        }
        hash.finish()
    }
}

/// Tells things apart in few steps. What is painted comes from nobody who could choose it to collide, and
/// two halves in a different order make that as unlikely by chance as 64 bits do.
#[derive(Default)]
struct Mixed(u32, u32);

impl Mixed {
    fn word(&mut self, word: u32) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9);
        self.1 = (self.1 ^ word).wrapping_mul(0x85eb_ca6b).rotate_left(13);
    }
}

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(4) {
            let mut word = [0; 4];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.word(u32::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.word(value.into());
    }

    fn write_u16(&mut self, value: u16) {
        self.word(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.word(value);
    }

    fn write_i32(&mut self, value: i32) {
        self.word(value as u32);
    }

    fn write_usize(&mut self, value: usize) {
        self.word(value as u32);
    }

    fn finish(&self) -> u64 {
        u64::from(self.0) << 32 | u64::from(self.1)
    }
}

/// Where glyphs are kept: how much of each pixel they cover, row by row.
#[derive(Default)]
pub struct Atlas {
    width: usize,
    cover: Vec<u8>,
}

impl Atlas {
    /// A new atlas, all of it.
    pub fn replace(&mut self, width: usize, cover: impl Iterator<Item = u8>) {
        self.width = width;
        self.cover.clear();
        self.cover.extend(cover);
    }

    /// A part of it is new.
    pub fn patch(&mut self, left: usize, top: usize, width: usize, cover: impl Iterator<Item = u8>) {
        for (index, value) in cover.enumerate() {
            let at = (top + index / width.max(1)) * self.width + left + index % width.max(1);
            if let Some(pixel) = self.cover.get_mut(at) {
                *pixel = value;
            }
        }
    }

    /// Part of a row.
    fn row(&self, x: usize, y: usize, width: usize) -> &[u8] {
        let start = y * self.width + x;
        self.cover.get(start..start + width).unwrap_or_default()
    }
}

/// The picture: 32 bits a pixel, `0x00rrggbb`, row by row.
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u32>,
    items: Vec<Item>,
    /// The caret as it is painted now, over everything.
    caret: Option<(Area, Colour)>,
    /// Nothing that was painted before is known any more.
    is_new: bool,
}

impl Canvas {
    /// A black picture.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0; width * height], items: Vec::new(), caret: None, is_new: true }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All pixels.
    pub fn pixels(&self) -> &[u32] {
        &self.pixels
    }

    /// All pixels, to be wiped.
    pub(crate) fn pixels_mut(&mut self) -> &mut [u32] {
        &mut self.pixels
    }

    /// Part of a row.
    pub fn row(&self, y: usize, left: usize, right: usize) -> &[u32] {
        self.pixels.get(y * self.width + left..y * self.width + right).unwrap_or_default()
    }

    /// Everything is painted again next time, as it is after the atlas was made anew.
    pub fn forget(&mut self) {
        self.is_new = true;
    }

    /// Paints a list, and tells what is different now.
    pub fn paint(&mut self, items: Vec<Item>, atlas: &Atlas) -> Damage {
        let mut damage = Damage::none();
        let whole = Area::of_size(self.width, self.height);
        if std::mem::take(&mut self.is_new) {
            damage.add(whole);
        } else {
            compare(&self.items, &items, &whole, &mut damage);
        }
        self.items = items;
        for area in damage.areas() {
            self.repaint(area, atlas);
        }
        damage
    }

    /// Puts the caret somewhere else, shows it or hides it, without a new list: it blinks all day.
    pub fn set_caret(&mut self, caret: Option<(Area, Colour)>, atlas: &Atlas) -> Damage {
        let mut damage = Damage::none();
        if caret != self.caret {
            let before = std::mem::replace(&mut self.caret, caret);
            for (area, _) in [before, caret].into_iter().flatten() {
                damage.add(area.within(&Area::of_size(self.width, self.height)));
            }
        }
        for area in damage.areas() {
            self.repaint(area, atlas);
        }
        damage
    }

    fn repaint(&mut self, area: &Area, atlas: &Atlas) {
        // What lies under something that covers the whole area need not be painted.
        let covering = |item: &Item| {
            matches!(&item.paint, Paint::Box { radius_px, fill, line_px: 0, .. }
                if *radius_px == 0.0 && fill[3] == 255 && item.bounds.within(area) == *area)
        };
        let first = self.items.iter().rposition(covering).unwrap_or(0);
        for item in &self.items[first..] {
            let clip = item.bounds.within(area);
            if !clip.is_empty() {
                paint::paint(&mut self.pixels, self.width, &clip, &item.paint, atlas);
            }
        }
        if let Some((caret, fill)) = self.caret.filter(|(caret, _)| caret.meets(area)) {
            let paint = Paint::Box { area: caret, radius_px: 0.0, fill, line_px: 0, line: [0; 4] };
            paint::paint(&mut self.pixels, self.width, &caret.within(area), &paint, atlas);
        }
    }
}

/// What was or is where the lists differ.
fn compare(before: &[Item], now: &[Item], whole: &Area, damage: &mut Damage) {
    let same = |(a, b): &(&Item, &Item)| a.hash == b.hash;
    let head = before.iter().zip(now).take_while(same).count();
    let (before, now) = (&before[head..], &now[head..]);
    let tail = before.iter().rev().zip(now.iter().rev()).take_while(same).count();
    let (before, now) = (&before[..before.len() - tail], &now[..now.len() - tail]);
    // What only moved in the list among things that changed has not changed itself.
    let mut counts: HashMap<u64, i32> = HashMap::new();
    for item in now {
        *counts.entry(item.hash).or_default() += 1;
    }
    for item in before {
        *counts.entry(item.hash).or_default() -= 1;
    }
    for item in before.iter().chain(now) {
        if counts.get(&item.hash).is_some_and(|count| *count != 0) {
            damage.add(item.bounds.within(whole));
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
