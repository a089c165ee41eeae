//! The painting itself. Coverage of edges is reckoned from the distance to the pixel's middle.

use super::{Area, Atlas, Colour, Glyph, Paint};

/// Paints inside of `clip`, which lies inside of the picture.
pub(super) fn paint(pixels: &mut [u32], width: usize, clip: &Area, paint: &Paint, atlas: &Atlas) {
    let mut target = Target { pixels, width, clip: *clip };
    match paint {
        Paint::Box { area, radius_px, fill, line_px, line } => {
            target.round_box(area, *radius_px, *fill, *line_px, *line);
        }
        Paint::Text { glyphs, colour } => {
            for glyph in glyphs {
                target.glyph(glyph, *colour, atlas);
            }
        }
        Paint::Line { points, width_px, colour } => target.line(points, *width_px, *colour),
    }
}

struct Target<'p> {
    pixels: &'p mut [u32],
    width: usize,
    clip: Area,
}

/// `0x00rrggbb`.
fn pack([r, g, b, _]: Colour) -> u32 {
    u32::from(r) << 16 | u32::from(g) << 8 | u32::from(b)
}

/// A colour over a pixel, as far as it covers it (255 is wholly).
fn blend(pixel: &mut u32, colour: Colour, cover: u32) {
    let alpha = u32::from(colour[3]) * cover;
    if alpha == 255 * 255 {
        *pixel = pack(colour);
        return;
    }
    if cover == 0 {
        return;
    }
    // Two channels at a time. The colour has its alpha in it already; 256 stands for the whole.
    let scale = cover + (cover >> 7);
    let keep = 256 - (alpha / 255 + ((alpha / 255) >> 7));
    let source = pack(colour);
    let (source_rb, source_g) = (source & 0x00ff_00ff, source >> 8 & 0xff);
    let (under_rb, under_g) = (*pixel & 0x00ff_00ff, *pixel >> 8 & 0xff);
    let rb = (source_rb * scale + under_rb * keep) >> 8 & 0x00ff_00ff;
    let g = (source_g * scale + under_g * keep) >> 8 & 0xff;
    *pixel = rb | g << 8;
}

impl Target<'_> {
    /// Columns of a row, of which none lies outside of the clip.
    fn span(&mut self, y: i32, left: i32, right: i32) -> &mut [u32] {
        let (left, right) = (left.max(self.clip.left), right.min(self.clip.right));
        if left >= right || y < self.clip.top || y >= self.clip.bottom {
            return &mut [];
        }
        let start = y as usize * self.width;
        self.pixels.get_mut(start + left as usize..start + right as usize).unwrap_or_default()
    }

    fn fill(&mut self, y: i32, left: i32, right: i32, colour: Colour) {
        match colour[3] {
            255 => self.span(y, left, right).fill(pack(colour)),
            0 => {}
            _ => self.span(y, left, right).iter_mut().for_each(|pixel| blend(pixel, colour, 255)),
        }
    }

    fn round_box(&mut self, area: &Area, radius_px: f32, fill: Colour, line_px: i32, line: Colour) {
        let shorter = area.width().min(area.height()) as f32;
        let radius = radius_px.clamp(0.0, shorter / 2.0);
        let corner = radius.ceil() as i32;
        for y in area.top.max(self.clip.top)..area.bottom.min(self.clip.bottom) {
            let from_edge = (y - area.top).min(area.bottom - 1 - y);
            let inset = if from_edge < corner { corner } else { 0 };
            if from_edge < line_px {
                self.fill(y, area.left + inset, area.right - inset, line);
            } else {
                let side = line_px.max(inset);
                self.fill(y, area.left + side, area.right - side, fill);
                if inset < line_px {
                    self.fill(y, area.left + inset, area.left + line_px, line);
                    self.fill(y, area.right - line_px, area.right - inset, line);
                }
            }
            if inset > 0 {
                let up = radius - from_edge as f32 - 0.5;
                for step in 0..corner {
                    let aside = radius - step as f32 - 0.5;
                    let distance = (aside.max(0.0).powi(2) + up.max(0.0).powi(2)).sqrt();
                    let outer = cover(radius - distance);
                    // Beside a straight part of the line, the line's own inner edge counts.
                    let straight = step < line_px || from_edge < line_px;
                    let inner = match (line_px, straight) {
                        (0, _) => outer,
                        (_, true) if aside < 0.5 || up < 0.5 => 0,
                        _ => cover(radius - line_px as f32 - distance).min(outer),
                    };
                    for x in [area.left + step, area.right - 1 - step] {
                        for pixel in self.span(y, x, x + 1) {
                            blend(pixel, line, outer - inner);
                            blend(pixel, fill, inner);
                        }
                    }
                }
            }
        }
    }

    fn glyph(&mut self, glyph: &Glyph, colour: Colour, atlas: &Atlas) {
        let [x, y] = glyph.to;
        let [width, height] = glyph.size.map(i32::from);
        let (left, right) = (x.max(self.clip.left), (x + width).min(self.clip.right));
        if left >= right {
            return;
        }
        for row in y.max(self.clip.top)..(y + height).min(self.clip.bottom) {
            let from_x = usize::from(glyph.from[0]) + (left - x) as usize;
            let from_y = usize::from(glyph.from[1]) + (row - y) as usize;
            let cover = atlas.row(from_x, from_y, (right - left) as usize);
            let whole = pack(colour);
            for (pixel, cover) in self.span(row, left, right).iter_mut().zip(cover) {
                // Most pixels of a glyph's box are none of it, or all of it.
                match cover {
                    0 => {}
                    255 if colour[3] == 255 => *pixel = whole,
                    cover => blend(pixel, colour, u32::from(*cover)),
                }
            }
        }
    }

    /// Each part of the line covers what is near it; the most that any part covers counts, so that
    /// where parts meet nothing is painted twice. In whole numbers: many boards reckon fractions slowly.
    fn line(&mut self, points: &[[f32; 2]], width_px: f32, colour: Colour) {
        let across = self.clip.width();
        let mut covers = vec![0_u8; self.clip.pixels()];
        let half = sub(width_px / 2.0);
        let corner = [sub(self.clip.left as f32), sub(self.clip.top as f32)];
        let reach = half + SUB;
        for (from, to) in points.iter().zip(points.iter().skip(1)) {
            let [from, to] = [from, to].map(|[x, y]| [sub(*x) - corner[0], sub(*y) - corner[1]]);
            let part = Part::new(from, to, half);
            let side = |least: i32, most: i32, end: usize| {
                let end = i32::try_from(end).unwrap_or(i32::MAX);
                ((least - reach) >> SUB_BITS).clamp(0, end)
                    ..((most + reach + SUB - 1) >> SUB_BITS).clamp(0, end)
            };
            let columns = side(from[0].min(to[0]), from[0].max(to[0]), across);
            for y in side(from[1].min(to[1]), from[1].max(to[1]), self.clip.height()) {
                let row = y as usize * across;
                let (start, end) = (row + columns.start as usize, row + columns.end as usize);
                let middle_y = (y << SUB_BITS) + SUB / 2 - from[1];
                let middle_x = (columns.start << SUB_BITS) + SUB / 2 - from[0];
                for (step, known) in (0..).zip(covers.get_mut(start..end).unwrap_or_default()) {
                    *known = (*known).max(part.cover([middle_x + (step << SUB_BITS), middle_y]));
                }
            }
        }
        let (top, left, right) = (self.clip.top, self.clip.left, self.clip.right);
        for (y, covers) in (top..).zip(covers.chunks_exact(across.max(1))) {
            for (pixel, cover) in self.span(y, left, right).iter_mut().zip(covers) {
                if *cover != 0 {
                    blend(pixel, colour, u32::from(*cover));
                }
            }
        }
    }
}

/// Parts of a pixel that lines are reckoned in.
const SUB_BITS: i32 = 5;
const SUB: i32 = 1 << SUB_BITS;

/// In parts of a pixel. No display is so large that this would not fit.
fn sub(px: f32) -> i32 {
    (px.clamp(-20_000.0, 20_000.0) * SUB as f32) as i32
}

/// A straight part of a line, from the origin; lengths in parts of a pixel.
struct Part {
    along: [i64; 2],
    length_squared: i64,
    length: i64,
    half: i64,
}

impl Part {
    fn new(from: [i32; 2], to: [i32; 2], half: i32) -> Self {
        let along = [i64::from(to[0] - from[0]), i64::from(to[1] - from[1])];
        let length_squared = along[0] * along[0] + along[1] * along[1];
        let length = length_squared.isqrt().max(1);
        Self { along, length_squared, length, half: i64::from(half) }
    }

    /// How much of the pixel with this middle is covered.
    fn cover(&self, [x, y]: [i32; 2]) -> u8 {
        let (x, y) = (i64::from(x), i64::from(y));
        let [along_x, along_y] = self.along;
        let way = x * along_x + y * along_y;
        let near = i64::from(SUB / 2);
        let distance = if way > 0 && way < self.length_squared {
            let aside = (x * along_y - y * along_x).abs();
            if aside >= (self.half + near) * self.length {
                return 0;
            }
            if aside <= (self.half - near) * self.length {
                return 255;
            }
            aside / self.length
        } else {
            let (x, y) = if way <= 0 { (x, y) } else { (x - along_x, y - along_y) };
            let squared = x * x + y * y;
            if squared >= (self.half + near).pow(2) {
                return 0;
            }
            squared.isqrt()
        };
        let inside = (self.half - distance + near).clamp(0, i64::from(SUB));
        u8::try_from(inside * 255 / i64::from(SUB)).unwrap_or(255)
    }
}

/// How much of a pixel is covered (255 is wholly) whose middle lies this far inside of an edge.
fn cover(inside_px: f32) -> u32 {
    ((inside_px + 0.5).clamp(0.0, 1.0) * 255.0 + 0.5) as u32
}
