//! The toolkit's shapes as things to paint.

use crate::raster::{Area, Atlas, Canvas, Glyph, Item, Paint};
use egui::{
    Color32, Pos2, Rect, Shape, StrokeKind, TextureId, TexturesDelta,
    epaint::{ClippedShape, ColorMode, ImageData, RectShape, TextShape},
};

/// Brings the atlas up to date.
pub(super) fn update(atlas: &mut Atlas, canvas: &mut Canvas, delta: &mut TexturesDelta) {
    for (id, image) in delta.set.drain(..) {
        if id != TextureId::default() {
            continue;
        }
        let ImageData::Color(pixels) = &image.image;
        let cover = pixels.pixels.iter().map(Color32::a);
        match image.pos {
            Some([left, top]) => atlas.patch(left, top, pixels.size[0], cover),
            None => {
                atlas.replace(pixels.size[0], cover);
                canvas.forget();
            }
        }
    }
    delta.clear();
}

/// All shapes, in their order.
pub(super) fn items(shapes: Vec<ClippedShape>, scale: f32, canvas: &Canvas) -> Vec<Item> {
    let whole = Area::of_size(canvas.width(), canvas.height());
    let mut list = List { scale, clip: whole, items: Vec::with_capacity(256) };
    for ClippedShape { clip_rect, shape } in shapes {
        list.clip = list.area(clip_rect).within(&whole);
        list.shape(shape);
    }
    list.items
}

/// A rectangle of the layout in pixels, as the picture has it.
pub(super) fn area(rect: Rect, scale: f32) -> Area {
    List { scale, clip: Area::default(), items: Vec::new() }.area(rect)
}

struct List {
    scale: f32,
    clip: Area,
    items: Vec<Item>,
}

impl List {
    fn px(&self, points: f32) -> i32 {
        // Cut off above zero: rounding is a call on processors that cannot do it by themselves.
        const FAR: i32 = 1 << 15;
        (points * self.scale + FAR as f32 + 0.5) as i32 - FAR
    }

    fn area(&self, rect: Rect) -> Area {
        Area::new(self.px(rect.left()), self.px(rect.top()), self.px(rect.right()), self.px(rect.bottom()))
    }

    fn push(&mut self, paint: Paint) {
        self.items.extend(Item::new(&self.clip, paint));
    }

    fn shape(&mut self, shape: Shape) {
        match shape {
            Shape::Vec(shapes) => shapes.into_iter().for_each(|shape| self.shape(shape)),
            Shape::Rect(rect) => self.rect(&rect),
            Shape::Circle(circle) => {
                let around = Rect::from_center_size(circle.center, egui::Vec2::splat(circle.radius * 2.0));
                self.round(
                    self.area(around),
                    circle.radius,
                    circle.fill,
                    circle.stroke.width,
                    circle.stroke.color,
                );
            }
            Shape::LineSegment { points, stroke } => self.line(&points, stroke.width, stroke.color),
            Shape::Path(path) => {
                if let ColorMode::Solid(colour) = path.stroke.color {
                    self.line(&path.points, path.stroke.width, colour);
                }
            }
            Shape::Text(text) => self.text(&text),
            // The view draws nothing else.
            _ => {}
        }
    }

    fn rect(&mut self, rect: &RectShape) {
        let outside = match rect.stroke_kind {
            StrokeKind::Inside => 0.0,
            StrokeKind::Middle => rect.stroke.width / 2.0,
            StrokeKind::Outside => rect.stroke.width,
        };
        let radius = f32::from(rect.corner_radius.nw) + outside;
        self.round(
            self.area(rect.rect.expand(outside)),
            radius,
            rect.fill,
            rect.stroke.width,
            rect.stroke.color,
        );
    }

    fn round(&mut self, area: Area, radius: f32, fill: Color32, width: f32, line: Color32) {
        let shows = width > 0.0 && line.a() > 0;
        if fill.a() == 0 && !shows {
            return;
        }
        self.push(Paint::Box {
            area,
            radius_px: radius * self.scale,
            fill: fill.to_array(),
            line_px: if shows { self.px(width).max(1) } else { 0 },
            line: if shows { line.to_array() } else { [0; 4] },
        });
    }

    fn line(&mut self, points: &[Pos2], width: f32, colour: Color32) {
        if width > 0.0 && colour.a() > 0 && points.len() > 1 {
            let points = points.iter().map(|point| [point.x * self.scale, point.y * self.scale]).collect();
            self.push(Paint::Line { points, width_px: width * self.scale, colour: colour.to_array() });
        }
    }

    /// One item a row: a row that changes leaves the others alone. A text of the view has one colour.
    fn text(&mut self, text: &TextShape) {
        let own =
            text.galley.job.sections.first().map_or(Color32::PLACEHOLDER, |section| section.format.color);
        let own = if own == Color32::PLACEHOLDER { text.fallback_color } else { own };
        let colour = text.override_text_color.unwrap_or(own).to_array();
        for row in &text.galley.rows {
            let glyphs = row.glyphs.iter().filter_map(|glyph| {
                let uv = glyph.uv_rect;
                let at = text.pos + row.pos.to_vec2() + glyph.pos.to_vec2() + uv.offset;
                let size = [uv.max[0].saturating_sub(uv.min[0]), uv.max[1].saturating_sub(uv.min[1])];
                let glyph = Glyph { to: [self.px(at.x), self.px(at.y)], from: uv.min, size };
                (!size.contains(&0)).then_some(glyph)
            });
            let glyphs: Vec<Glyph> = glyphs.collect();
            if !glyphs.is_empty() {
                self.push(Paint::Text { glyphs, colour });
            }
        }
    }
}
