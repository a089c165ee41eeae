use super::*;

const WHITE: Colour = [255; 4];
const BLACK: Colour = [0, 0, 0, 255];
const RED: Colour = [255, 0, 0, 255];

fn plain(area: Area, fill: Colour) -> Item {
    let paint = Paint::Box { area, radius_px: 0.0, fill, line_px: 0, line: [0; 4] };
    Item::new(&Area::of_size(100, 100), paint).unwrap_or_else(|| unreachable!())
}

fn ground() -> Item {
    plain(Area::new(0, 0, 100, 100), WHITE)
}

#[test]
fn only_what_changed_is_painted_again() {
    let atlas = Atlas::default();
    let mut canvas = Canvas::new(100, 100);
    let caret = plain(Area::new(10, 10, 12, 30), BLACK);
    let far = plain(Area::new(80, 80, 90, 90), RED);
    assert_eq!(canvas.paint(vec![ground(), far.clone()], &atlas).areas(), [Area::new(0, 0, 100, 100)]);
    let damage = canvas.paint(vec![ground(), caret.clone(), far.clone()], &atlas);
    assert_eq!(damage.areas(), [Area::new(10, 10, 12, 30)]);
    assert_eq!((canvas.row(10, 9, 13)), [0x00ff_ffff, 0, 0, 0x00ff_ffff]);
    assert!(canvas.paint(vec![ground(), caret, far.clone()], &atlas).is_empty());
    let damage = canvas.paint(vec![ground(), far], &atlas);
    assert_eq!(damage.areas(), [Area::new(10, 10, 12, 30)]);
    assert_eq!((canvas.row(10, 9, 13)), [0x00ff_ffff; 4]);
}

#[test]
fn the_caret_comes_and_goes_over_what_is_there() {
    let atlas = Atlas::default();
    let mut canvas = Canvas::new(100, 100);
    canvas.paint(vec![ground()], &atlas);
    let caret = Some((Area::new(10, 10, 12, 30), BLACK));
    assert_eq!(canvas.set_caret(caret, &atlas).areas(), [Area::new(10, 10, 12, 30)]);
    assert!(canvas.set_caret(caret, &atlas).is_empty());
    assert_eq!(canvas.row(10, 9, 13), [0x00ff_ffff, 0, 0, 0x00ff_ffff]);
    // What is painted anew below it does not hide it.
    canvas.paint(vec![ground(), plain(Area::new(0, 0, 50, 50), RED)], &atlas);
    assert_eq!(canvas.row(10, 9, 13), [0x00ff_0000, 0, 0, 0x00ff_0000]);
    assert_eq!(canvas.set_caret(None, &atlas).areas(), [Area::new(10, 10, 12, 30)]);
    assert_eq!(canvas.row(10, 9, 13), [0x00ff_0000; 4]);
}

#[test]
fn a_repaint_of_a_part_looks_like_a_paint_of_the_whole() {
    let atlas = Atlas::default();
    let whole = Area::of_size(100, 100);
    let ring = |left: i32| {
        let area = Area::new(left, 20, left + 40, 60);
        let paint = Paint::Box { area, radius_px: 8.0, fill: [0; 4], line_px: 3, line: RED };
        Item::new(&whole, paint).unwrap_or_else(|| unreachable!())
    };
    let line = |to: f32| {
        let paint =
            Paint::Line { points: vec![[5.0, 5.0], [to, 90.0]], width_px: 2.0, colour: [0, 0, 128, 128] };
        Item::new(&whole, paint).unwrap_or_else(|| unreachable!())
    };
    let mut stepwise = Canvas::new(100, 100);
    stepwise.paint(vec![ground(), ring(10), line(80.0)], &atlas);
    stepwise.paint(vec![ground(), ring(30), line(80.0)], &atlas);
    stepwise.paint(vec![ground(), ring(30), line(40.0)], &atlas);
    let mut at_once = Canvas::new(100, 100);
    at_once.paint(vec![ground(), ring(30), line(40.0)], &atlas);
    assert!(stepwise.pixels() == at_once.pixels());
    // The ring's inside is untouched, its line is whole, its corners are not.
    assert_eq!(at_once.row(40, 29, 34), [0x00ff_ffff, 0x00ff_0000, 0x00ff_0000, 0x00ff_0000, 0x00ff_ffff]);
    assert_eq!(at_once.row(20, 30, 31), [0x00ff_ffff]);
    assert_eq!(at_once.row(20, 45, 46), [0x00ff_0000]);
}

#[test]
fn half_covered_is_half_way_between() {
    let mut atlas = Atlas::default();
    atlas.replace(2, [255, 128, 0, 255].into_iter());
    let glyphs = vec![Glyph { to: [1, 1], from: [0, 0], size: [2, 2] }];
    let whole = Area::of_size(4, 4);
    let text = Item::new(&whole, Paint::Text { glyphs, colour: BLACK }).unwrap_or_else(|| unreachable!());
    let mut canvas = Canvas::new(4, 4);
    canvas.paint(vec![plain(whole, WHITE), text], &atlas);
    assert_eq!(canvas.row(1, 0, 4), [0x00ff_ffff, 0, 0x007e_7e7e, 0x00ff_ffff]);
    assert_eq!(canvas.row(2, 0, 4), [0x00ff_ffff, 0x00ff_ffff, 0, 0x00ff_ffff]);
}

#[test]
fn what_lies_outside_is_not_painted_and_does_no_harm() {
    let atlas = Atlas::default();
    let mut canvas = Canvas::new(10, 10);
    let whole = Area::of_size(10, 10);
    assert!(
        Item::new(
            &whole,
            Paint::Line { points: vec![[50.0, 50.0], [60.0, 60.0]], width_px: 2.0, colour: RED }
        )
        .is_none()
    );
    let glyphs = vec![Glyph { to: [-3, 8], from: [900, 900], size: [40, 40] }];
    let items = [
        Item::new(&whole, Paint::Text { glyphs, colour: RED }),
        Item::new(
            &whole,
            Paint::Line { points: vec![[-50.0, -50.0], [60.0, 60.0]], width_px: 4.0, colour: RED },
        ),
        Item::new(
            &whole,
            Paint::Box { area: Area::new(-5, -5, 50, 3), radius_px: 90.0, fill: RED, line_px: 99, line: RED },
        ),
    ];
    canvas.paint(items.into_iter().flatten().collect(), &atlas);
    assert_eq!(canvas.row(9, 9, 10), [0x00ff_0000]);
}
