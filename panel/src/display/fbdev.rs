//! A display by the old framebuffer device. Rows are written, not mapped: every driver can do that, and
//! those that send the picture on by themselves notice it.

use super::Surface;
use crate::{
    kernel::{self, Bits},
    raster::Area,
};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
};

struct Fbdev {
    file: File,
    size: (usize, usize),
    /// Bytes before the first row that is shown, and from row to row.
    start: usize,
    stride: usize,
    layout: Layout,
    bytes: Vec<u8>,
}

/// How a pixel is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    bytes: usize,
    red: Bits,
    green: Bits,
    blue: Bits,
}

impl Layout {
    fn pack(self, pixel: u32) -> u32 {
        let part = |value: u32, bits: Bits| {
            let length = bits.length.clamp(1, 8);
            ((value & 0xff) >> (8 - length)) << bits.offset.min(31)
        };
        part(pixel >> 16, self.red) | part(pixel >> 8, self.green) | part(pixel, self.blue)
    }
}

/// The first framebuffer.
pub(super) fn open() -> Result<Box<dyn Surface>, String> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/fb0")
        .map_err(|error| format!("/dev/fb0: {error}"))?;
    let info = kernel::screen_info(&file).map_err(|error| format!("/dev/fb0: {error}"))?;
    let stride = fs::read_to_string("/sys/class/graphics/fb0/stride")
        .map_err(|error| format!("fb0/stride: {error}"))?
        .trim()
        .parse::<usize>()
        .map_err(|error| format!("fb0/stride: {error}"))?;
    let bytes = match info.bits_per_pixel {
        16 => 2,
        24 => 3,
        32 => 4,
        other => return Err(format!("/dev/fb0 has {other} bits a pixel: 16, 24 and 32 can be used")),
    };
    let size = (info.xres as usize, info.yres as usize);
    if stride < size.0 * bytes {
        return Err(format!("/dev/fb0: rows of {stride} bytes do not hold {} pixels", size.0));
    }
    let start = info.yoffset as usize * stride + info.xoffset as usize * bytes;
    let layout = Layout { bytes, red: info.red, green: info.green, blue: info.blue };
    Ok(Box::new(Fbdev { file, size, start, stride, layout, bytes: Vec::new() }))
}

impl Surface for Fbdev {
    fn size(&self) -> (usize, usize) {
        self.size
    }

    fn put(&mut self, y: usize, left: usize, pixels: &[u32]) -> io::Result<()> {
        let layout = self.layout;
        self.bytes.clear();
        for pixel in pixels {
            self.bytes.extend_from_slice(&layout.pack(*pixel).to_le_bytes()[..layout.bytes]);
        }
        let at = self.start + y * self.stride + left * layout.bytes;
        self.file.write_all_at(&self.bytes, at as u64)
    }

    fn done(&mut self, _areas: &[Area]) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_packed_as_the_driver_says() {
        let bits = |offset, length| Bits { offset, length, msb_right: 0 };
        let rgb565 = Layout { bytes: 2, red: bits(11, 5), green: bits(5, 6), blue: bits(0, 5) };
        assert_eq!(rgb565.pack(0x00ff_8040), 0xfc08);
        let bgr888 = Layout { bytes: 3, red: bits(0, 8), green: bits(8, 8), blue: bits(16, 8) };
        assert_eq!(bgr888.pack(0x0012_3456), 0x0056_3412);
        let odd = Layout { bytes: 4, red: bits(99, 0), green: bits(0, 40), blue: bits(8, 8) };
        let _ = odd.pack(0x00ff_ffff); // nonsense gives nonsense, not a panic
    }
}
