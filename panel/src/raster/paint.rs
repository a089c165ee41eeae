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
            for (pixel, cover) in self.span(row, left, right).iter_mut().zip(cover) {
                if *cover != 0 {
                    blend(pixel, colour, u32::from(*cover));
                }
            }
        }
    }

    /// Each part of the line covers what is near it; the most that any part covers counts, so that
    /// where parts meet nothing is painted twice.
    fn line(&mut self, points: &[[f32; 2]], width_px: f32, colour: Colour) {
        let (across, half) = (self.clip.width(), width_px / 2.0);
        let mut covers = vec![0_u8; self.clip.pixels()];
        for (&from, &to) in points.iter().zip(points.iter().skip(1)) {
            let reach = half + 1.0;
            let near = Area::new(
                (from[0].min(to[0]) - reach).floor() as i32,
                (from[1].min(to[1]) - reach).floor() as i32,
                (from[0].max(to[0]) + reach).ceil() as i32,
                (from[1].max(to[1]) + reach).ceil() as i32,
            )
            .within(&self.clip);
            let along = [to[0] - from[0], to[1] - from[1]];
            let length_squared = along[0] * along[0] + along[1] * along[1];
            for y in near.top..near.bottom {
                for x in near.left..near.right {
                    let to_middle = [x as f32 + 0.5 - from[0], y as f32 + 0.5 - from[1]];
                    let way = to_middle[0] * along[0] + to_middle[1] * along[1];
                    let share =
                        if length_squared > 0.0 { (way / length_squared).clamp(0.0, 1.0) } else { 0.0 };
                    let aside = [to_middle[0] - share * along[0], to_middle[1] - share * along[1]];
                    let distance = (aside[0] * aside[0] + aside[1] * aside[1]).sqrt();
                    let at = (y - self.clip.top) as usize * across + (x - self.clip.left) as usize;
                    let found = cover(half - distance) as u8;
                    covers[at] = covers[at].max(found);
                }
            }
        }
        let (top, left, right) = (self.clip.top, self.clip.left, self.clip.right);
        for (y, covers) in (top..).zip(covers.chunks_exact(across.max(1))) {
            for (pixel, cover) in self.span(y, left, right).iter_mut().zip(covers) {
                blend(pixel, colour, u32::from(*cover));
            }
        }
    }
}

/// How much of a pixel is covered (255 is wholly) whose middle lies this far inside of an edge.
fn cover(inside_px: f32) -> u32 {
    ((inside_px + 0.5).clamp(0.0, 1.0) * 255.0 + 0.5) as u32
}
