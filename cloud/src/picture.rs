//! Reads the QR codes in a picture that somebody sent: a saved picture, or a photo of a screen. It runs
//! where a picture that does harm can do none (see [`crate::mailbox`]).

use std::io::Cursor;
use zune_jpeg::{
    JpegDecoder,
    zune_core::{colorspace::ColorSpace, options::DecoderOptions},
};

/// More points than any phone takes that sends JPEG without being asked to.
const POINTS_MAX: usize = 64_000_000;
/// The longest side.
const SIDE_MAX: usize = 20_000;
/// A code is looked for in a picture of at most this many points first: it stands out as well, and
/// takes a tenth of the time.
const LOOK_POINTS: usize = 4_000_000;
/// A code with fewer points a side cannot be read at all.
const LOOK_SIDE_MIN: usize = 160;

/// So much darker than its surroundings is black.
const LEVEL_MARGIN: u32 = 3;

/// Why there is nothing to read in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Neither PNG nor JPEG.
    #[error("it is neither PNG nor JPEG")]
    Format,
    /// More points than are looked at.
    #[error("it has too many points")]
    TooLarge,
    /// It begins like a picture, and is none.
    #[error("it is damaged")]
    Damaged,
    /// A picture without a QR code that can be read.
    #[error("there is no QR code in it that can be read")]
    NoCode,
}

/// The texts of the QR codes in a PNG or JPEG.
pub fn read(bytes: &[u8]) -> Result<Vec<String>, Unreadable> {
    let mut picture = match bytes {
        [0x89, b'P', b'N', b'G', ..] => Grey::of_png(bytes)?,
        [0xff, 0xd8, 0xff, ..] => Grey::of_jpeg(bytes)?,
        _ => return Err(Unreadable::Format),
    };
    let whole = (picture.points.len() > LOOK_POINTS).then(|| picture.clone());
    while picture.points.len() > LOOK_POINTS {
        picture = picture.half();
    }
    let side = picture.width.min(picture.height);
    // Each of them reads pictures that no other does; the decision on readers has the figures.
    let looks: [&dyn Fn() -> Vec<String>; 6] = [
        &|| picture.codes(),
        &|| picture.softened().levelled(side / 10).codes(),
        &|| picture.levelled(side / 18).codes(),
        &|| picture.levelled(side / 10).codes(),
        &|| picture.half().codes(),
        &|| whole.as_ref().map(Grey::codes).unwrap_or_default(),
    ];
    looks.iter().map(|look| look()).find(|texts| !texts.is_empty()).ok_or(Unreadable::NoCode)
}

/// A picture in shades of grey, one byte a point.
#[derive(Clone)]
struct Grey {
    width: usize,
    height: usize,
    points: Vec<u8>,
}

impl Grey {
    fn of_png(bytes: &[u8]) -> Result<Self, Unreadable> {
        let limits = png::Limits { bytes: POINTS_MAX * 4 };
        let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(|_| Unreadable::Damaged)?;
        let (width, height) = (reader.info().width as usize, reader.info().height as usize);
        check_size(width, height)?;
        let mut raw = vec![0; reader.output_buffer_size().ok_or(Unreadable::TooLarge)?];
        // Of a film only the first picture.
        let frame = reader.next_frame(&mut raw).map_err(|_| Unreadable::Damaged)?;
        raw.truncate(frame.buffer_size());
        let points = match frame.color_type {
            png::ColorType::Grayscale => raw,
            png::ColorType::GrayscaleAlpha => {
                raw.as_chunks().0.iter().map(|&[grey, alpha]| on_white(grey, alpha)).collect()
            }
            png::ColorType::Rgb => raw.as_chunks().0.iter().map(|&[r, g, b]| luma(r, g, b)).collect(),
            png::ColorType::Rgba => {
                raw.as_chunks().0.iter().map(|&[r, g, b, alpha]| on_white(luma(r, g, b), alpha)).collect()
            }
            // The transformation above leaves none.
            png::ColorType::Indexed => return Err(Unreadable::Damaged),
        };
        Self { width, height, points }.whole()
    }

    fn of_jpeg(bytes: &[u8]) -> Result<Self, Unreadable> {
        let options = DecoderOptions::default()
            .set_max_width(SIDE_MAX)
            .set_max_height(SIDE_MAX)
            .jpeg_set_out_colorspace(ColorSpace::Luma);
        let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), options);
        decoder.decode_headers().map_err(|_| Unreadable::Damaged)?;
        let (width, height) = decoder.dimensions().ok_or(Unreadable::Damaged)?;
        check_size(width, height)?;
        let points = decoder.decode().map_err(|_| Unreadable::Damaged)?;
        Self { width, height, points }.whole()
    }

    fn whole(self) -> Result<Self, Unreadable> {
        if self.points.len() == self.width * self.height { Ok(self) } else { Err(Unreadable::Damaged) }
    }

    /// Each four points as one.
    fn half(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let rows = self.points.chunks_exact(self.width.max(1) * 2).take(height);
        let points = rows.flat_map(|two| {
            let (upper, lower) = two.split_at(self.width);
            let pairs =
                |row: &[u8]| row.as_chunks().0.iter().map(|&[a, b]| u16::from(a) + u16::from(b)).collect();
            let (upper, lower): (Vec<u16>, Vec<u16>) = (pairs(upper), pairs(lower));
            // The mean of four bytes is a byte.
            upper.into_iter().zip(lower).map(|(a, b)| ((a + b + 2) / 4) as u8).collect::<Vec<_>>()
        });
        Self { width, height, points: points.collect() }
    }

    /// Each point with its neighbours, weighed 1 2 1 both ways: noise and the points of a screen go, edges stay.
    fn softened(&self) -> Self {
        let (width, height) = (self.width, self.height);
        let row = |y: usize| self.points.get(y * width..(y + 1) * width).unwrap_or_default();
        let mut points = Vec::with_capacity(self.points.len());
        let mut sums = vec![0_u16; width];
        for y in 0..height {
            let (above, below) = (row(y.saturating_sub(1)), row((y + 1).min(height - 1)));
            for (sum, ((a, b), c)) in sums.iter_mut().zip(above.iter().zip(row(y)).zip(below)) {
                *sum = u16::from(*a) + 2 * u16::from(*b) + u16::from(*c);
            }
            points.extend((0..width).map(|x| {
                let (left, right) = (sums[x.saturating_sub(1)], sums[(x + 1).min(width - 1)]);
                // The weights are sixteen in all.
                ((left + 2 * sums[x] + right + 8) / 16) as u8
            }));
        }
        Self { width, height, points }
    }

    /// Black where a point is darker than the mean of the square around it that reaches so far to each side:
    /// what shines on the screen, or shades a part of it, is gone.
    fn levelled(&self, reach: usize) -> Self {
        let (width, height) = (self.width, self.height);
        let line = width + 1;
        // Sums over everything above and to the left: LOOK_POINTS bytes are less than 2^32.
        let mut sums = vec![0_u32; line * (height + 1)];
        for (y, row) in self.points.chunks_exact(width.max(1)).enumerate() {
            let mut sum = 0;
            for (x, point) in row.iter().enumerate() {
                sum += u32::from(*point);
                sums[(y + 1) * line + x + 1] = sums[y * line + x + 1] + sum;
            }
        }
        let mut points = Vec::with_capacity(self.points.len());
        for (y, row) in self.points.chunks_exact(width.max(1)).enumerate() {
            let (top, bottom) = (y.saturating_sub(reach) * line, (y + reach + 1).min(height) * line);
            for (x, point) in row.iter().enumerate() {
                let (left, right) = (x.saturating_sub(reach), (x + reach + 1).min(width));
                let sum = sums[bottom + right] + sums[top + left] - sums[top + right] - sums[bottom + left];
                // An area within the picture: no more than its points.
                let area = (((bottom - top) / line) * (right - left)) as u32;
                points.push(if u32::from(*point) + LEVEL_MARGIN < sum / area { 0 } else { u8::MAX });
            }
        }
        Self { width, height, points }
    }

    fn codes(&self) -> Vec<String> {
        if self.width.min(self.height) < LOOK_SIDE_MIN / 2 {
            return vec![];
        }
        let at = |x: usize, y: usize| self.points.get(y * self.width + x).copied().unwrap_or(u8::MAX);
        let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(self.width, self.height, at);
        prepared.detect_grids().iter().filter_map(|grid| grid.decode().ok()).map(|(_, text)| text).collect()
    }
}

fn check_size(width: usize, height: usize) -> Result<(), Unreadable> {
    let fits = width <= SIDE_MAX && height <= SIDE_MAX && width.saturating_mul(height) <= POINTS_MAX;
    if fits { Ok(()) } else { Err(Unreadable::TooLarge) }
}

/// ITU-R BT.601, as JPEG has it.
fn luma(red: u8, green: u8, blue: u8) -> u8 {
    // At most 255.
    ((u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114) / 1000) as u8
}

fn on_white(grey: u8, alpha: u8) -> u8 {
    let (grey, alpha) = (u32::from(grey), u32::from(alpha));
    // At most 255.
    ((grey * alpha + 255 * (255 - alpha)) / 255) as u8
}
