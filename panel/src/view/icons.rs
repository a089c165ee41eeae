//! The look's icons as lines of points. They are SVG of circles, rectangles and paths.

use kurbo::{BezPath, Circle, PathEl, RoundedRect, Shape};
use latchkey_look::Icon;
use std::sync::LazyLock;

/// The side of an icon's own square.
pub(super) const SIDE: f32 = 24.0;
/// How far a curve may be off, of that side.
const TOLERANCE: f64 = 0.04;

/// Lines through points.
type Lines = Vec<Vec<[f32; 2]>>;

static LINES: LazyLock<Vec<(Icon, Lines)>> =
    LazyLock::new(|| Icon::ALL.into_iter().map(|icon| (icon, read(icon))).collect());

/// The lines of an icon, in a square of [`SIDE`].
pub(super) fn lines(icon: Icon) -> &'static [Vec<[f32; 2]>] {
    LINES.iter().find(|(known, _)| *known == icon).map_or(&[], |(_, lines)| lines)
}

fn read(icon: Icon) -> Lines {
    let mut lines = Vec::new();
    for element in icon.svg().split('<').skip(1) {
        let number =
            |name: &str| attribute(element, name).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        let path = match element.split(' ').next() {
            Some("circle") => Circle::new((number("cx"), number("cy")), number("r")).to_path(TOLERANCE),
            Some("rect") => {
                let (x, y) = (number("x"), number("y"));
                RoundedRect::new(x, y, x + number("width"), y + number("height"), number("rx"))
                    .to_path(TOLERANCE)
            }
            Some("path") => {
                attribute(element, "d").and_then(|d| BezPath::from_svg(d).ok()).unwrap_or_default()
            }
            _ => continue,
        };
        flatten(&path, &mut lines);
    }
    lines
}

fn attribute<'e>(element: &'e str, name: &str) -> Option<&'e str> {
    let start = element.find(&format!(" {name}=\""))? + name.len() + 3;
    element.get(start..)?.split('"').next()
}

fn flatten(path: &BezPath, lines: &mut Vec<Vec<[f32; 2]>>) {
    let mut line: Vec<[f32; 2]> = Vec::new();
    let point = |p: kurbo::Point| [p.x as f32, p.y as f32];
    kurbo::flatten(path.iter(), TOLERANCE, |element| match element {
        PathEl::MoveTo(to) => {
            let done = std::mem::replace(&mut line, vec![point(to)]);
            lines.extend((done.len() > 1).then_some(done));
        }
        PathEl::LineTo(to) => line.push(point(to)),
        PathEl::ClosePath => line.extend(line.first().copied()),
        // Flattening leaves no curves.
        PathEl::QuadTo(..) | PathEl::CurveTo(..) => {}
    });
    lines.extend((line.len() > 1).then_some(line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_icon_has_lines_inside_of_its_square() {
        for icon in Icon::ALL {
            let lines = lines(icon);
            let shapes = icon.svg().matches(['<']).count() - 2;
            assert!(lines.len() >= shapes, "{icon:?}");
            for &[x, y] in lines.iter().flatten() {
                assert!((0.0..=SIDE).contains(&x) && (0.0..=SIDE).contains(&y), "{icon:?}: {x} {y}");
            }
        }
    }
}
