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
pub fn png(link: &QrLink) -> Vec<u8> {
    let rows = matrix(link);
    let side_px = (rows.len() * PNG_MODULE_PX) as u32;
    let mut pixels = Vec::with_capacity(rows.len() * rows.len() * PNG_MODULE_PX);
    for row in &rows {
        // At one bit a pixel, a module's eight pixels are exactly one byte.
        let line: Vec<u8> = row.iter().map(|&dark| if dark { 0x00 } else { 0xff }).collect();
        for _ in 0..PNG_MODULE_PX {
            pixels.extend_from_slice(&line);
        }
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side_px, side_px);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    // Seven of eight lines repeat the one above.
    encoder.set_filter(png::Filter::Up);
    encoder.set_compression(png::Compression::Balanced);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&pixels)?;
        writer.finish()
    });
    written.expect("a picture of matching size, written to memory, meets no error");
    file
}

fn encode(link: &QrLink) -> QrCode {
    let segments = [QrSegment::make_bytes(link.prefix().as_bytes()), QrSegment::make_numeric(&link.digits())];
    QrCode::encode_segments_advanced(&segments, QrCodeEcc::Medium, Version::MIN, Version::MAX, None, false)
        .expect("the longest host with the largest challenge takes version 16 of 40")
}

#[cfg(test)]
#[path = "qr_tests.rs"]
mod tests;
