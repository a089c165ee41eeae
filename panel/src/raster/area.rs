//! Rectangles of whole pixels.

/// A rectangle of pixels: left and top are inside, right and bottom are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Area {
    /// First column.
    pub left: i32,
    /// First row.
    pub top: i32,
    /// The column after the last.
    pub right: i32,
    /// The row after the last.
    pub bottom: i32,
}

impl Area {
    /// From its corners.
    pub const fn new(left: i32, top: i32, right: i32, bottom: i32) -> Self {
        Self { left, top, right, bottom }
    }

    /// A whole picture of a size.
    pub fn of_size(width_px: usize, height_px: usize) -> Self {
        let side = |px: usize| i32::try_from(px).unwrap_or(i32::MAX);
        Self::new(0, 0, side(width_px), side(height_px))
    }

    /// Whether it holds no pixel.
    pub fn is_empty(&self) -> bool {
        self.left >= self.right || self.top >= self.bottom
    }

    /// Columns.
    pub fn width(&self) -> usize {
        usize::try_from(self.right - self.left).unwrap_or(0)
    }

    /// Rows.
    pub fn height(&self) -> usize {
        usize::try_from(self.bottom - self.top).unwrap_or(0)
    }

    /// What both have.
    pub fn within(&self, other: &Self) -> Self {
        Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        }
    }

    /// Whether they share a pixel.
    pub fn meets(&self, other: &Self) -> bool {
        !self.within(other).is_empty()
    }

    /// The smallest one that holds both.
    pub fn with(&self, other: &Self) -> Self {
        if self.is_empty() {
            return *other;
        }
        if other.is_empty() {
            return *self;
        }
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// How many pixels.
    pub fn pixels(&self) -> usize {
        if self.is_empty() { 0 } else { self.width() * self.height() }
    }
}

/// Areas to be drawn again, few and without overlap.
#[derive(Clone, Debug, Default)]
pub struct Damage {
    areas: Vec<Area>,
}

/// More areas than this are drawn as one: keeping them apart would cost more than it saves.
const AREAS_MAX: usize = 12;

impl Damage {
    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds an area, and joins it with those that it meets.
    pub fn add(&mut self, area: Area) {
        if area.is_empty() {
            return;
        }
        let mut joined = area;
        while let Some(index) = self.areas.iter().position(|other| other.meets(&joined)) {
            joined = joined.with(&self.areas.swap_remove(index));
        }
        self.areas.push(joined);
        if self.areas.len() > AREAS_MAX {
            let all = self.areas.drain(..).reduce(|a, b| a.with(&b)).unwrap_or_default();
            self.areas.push(all);
        }
    }

    /// Adds all of another.
    pub fn add_all(&mut self, other: &Self) {
        for area in &other.areas {
            self.add(*area);
        }
    }

    /// The areas.
    pub fn areas(&self) -> &[Area] {
        &self.areas
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.areas.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_that_meet_become_one_and_many_become_one() {
        let mut damage = Damage::none();
        damage.add(Area::new(0, 0, 10, 10));
        damage.add(Area::new(20, 0, 30, 10));
        damage.add(Area::new(5, 5, 5, 9));
        assert_eq!(damage.areas().len(), 2);
        damage.add(Area::new(9, 2, 21, 4));
        assert_eq!(damage.areas(), [Area::new(0, 0, 30, 10)]);
        for at in 0..20 {
            damage.add(Area::new(at * 10, 100, at * 10 + 5, 105));
        }
        assert!(damage.areas().len() <= AREAS_MAX);
        let all = damage.areas().iter().fold(Area::default(), |a, b| a.with(b));
        assert_eq!(all, Area::new(0, 0, 195, 105));
    }
}
