//! A QR link as a picture: bare modules, SVG, PNG. Pure, and the same bytes for the same link.
//!
//! The prefix stands in byte mode and the digits in numeric mode (10 bits for 3 digits), at error
//! correction level M and the smallest version that fits (ISO/IEC 18004, 7.4). Both pictures are
//! dark on their own white ground, so that a dark page does not turn them into something that a
//! camera cannot read.
//!
//! Must not: know where the link comes from or who looks at it.

use latchkey_protocol::{QrLink, Tag};
use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};

/// Light modules around the symbol (ISO/IEC 18004, 6.3.8).
pub const QUIET_ZONE_MODULES: usize = 4;
/// Pixels of the PNG for each module: large enough to survive a mail program's scaling.
pub const PNG_MODULE_PX: usize = 8;

/// The modules with their quiet zone, row by row, true being dark.
pub fn matrix(link: &QrLink) -> Vec<Vec<bool>> {
    modules(&encode(link))
}

fn modules(code: &QrCode) -> Vec<Vec<bool>> {
    let around = QUIET_ZONE_MODULES as i32;
    // Outside of the symbol `get_module` answers light, which is the quiet zone.
    let span = || -around..code.size() + around;
    span().map(|y| span().map(|x| code.get_module(x, y)).collect()).collect()
}

/// A square SVG that its viewer scales, one path for all dark modules. Its title is the host and
/// the request tag, which need no translation.
pub fn svg(link: &QrLink) -> String {
    // A host holds nothing but letters, digits and `-.:`, so it needs no escaping.
    draw_svg(&matrix(link), &format!("{} {}", link.host, Tag::of(link.sealed.as_bytes())))
}

/// A square SVG of a short text, at error correction level M; empty if it is longer than any symbol
/// takes. It has no title: the text may be for its owner alone.
pub fn text_svg(text: &str) -> String {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium);
    code.map(|code| draw_svg(&modules(&code), "")).unwrap_or_default()
}

fn draw_svg(rows: &[Vec<bool>], title: &str) -> String {
    use core::fmt::Write;
    let side = rows.len();
    let mut path = String::new();
    for (y, row) in rows.iter().enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            let len = run.len();
            if run[0] {
                let _ = write!(path, "M{x} {y}h{len}v1h-{len}z"); // writing to a String cannot fail
            }
            x += len;
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" role=\"img\" \
         shape-rendering=\"crispEdges\"><title>{title}</title>\
         <path fill=\"#fff\" d=\"M0 0h{side}v{side}h-{side}z\"/><path fill=\"#000\" d=\"{path}\"/></svg>\n",
    )
}

/// A black and white PNG of [`PNG_MODULE_PX`] pixels a module: readable when mailed or printed.
///
/// Its one image needs no more of the format than this: a library for all of it is larger, and searches
/// at length for repetitions that are known here.
pub fn png(link: &QrLink) -> Vec<u8> {
    let rows = matrix(link);
    let side_px = ((rows.len() * PNG_MODULE_PX) as u32).to_be_bytes();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    // One bit a pixel in shades of grey, and the one way there is to compress, filter and order it.
    png_chunk(&mut file, b"IHDR", &[&side_px[..], &side_px, &[1, 0, 0, 0, 0]].concat());
    png_chunk(&mut file, b"IDAT", &fdeflate::compress_to_vec(&png_lines(&rows)));
    png_chunk(&mut file, b"IEND", &[]);
    file
}

/// The lines of pixels, each after the number of its filter (PNG, third edition, 9.2).
fn png_lines(rows: &[Vec<bool>]) -> Vec<u8> {
    const AS_IT_IS: u8 = 0;
    const DIFFERENCE_TO_THE_LINE_ABOVE: u8 = 2;
    let mut lines = Vec::with_capacity(rows.len() * PNG_MODULE_PX * (rows.len() + 1));
    for row in rows {
        lines.push(AS_IT_IS);
        // At one bit a pixel, a module's eight pixels are exactly one byte.
        lines.extend(row.iter().map(|&dark| if dark { 0x00 } else { 0xff }));
        for _ in 1..PNG_MODULE_PX {
            lines.push(DIFFERENCE_TO_THE_LINE_ABOVE);
            lines.resize(lines.len() + row.len(), 0);
        }
    }
    lines
}

/// A part of the file: length, name, content, checksum (PNG, third edition, 5.3).
fn png_chunk(file: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) {
    file.extend((content.len() as u32).to_be_bytes());
    let summed = file.len();
    file.extend(name);
    file.extend(content);
    let sum = crc(&file[summed..]);
    file.extend(sum.to_be_bytes());
}

/// The checksum of a chunk, a bit at a time: a table for it would be larger than the file (PNG, third
/// edition, annex D).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(
            sum ^ u32::from(byte),
            |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 },
        )
    })
}

fn encode(link: &QrLink) -> QrCode {
    let segments = [QrSegment::make_bytes(link.prefix().as_bytes()), QrSegment::make_numeric(&link.digits())];
    QrCode::encode_segments_advanced(&segments, QrCodeEcc::Medium, Version::MIN, Version::MAX, None, false)
        .expect("the longest host with the largest challenge takes version 16 of 40")
}

#[cfg(test)]
#[path = "qr_tests.rs"]
mod tests;
