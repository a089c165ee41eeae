//! The few requests to the kernel that no crate has.

use nix::libc::c_int;
use std::{fs::File, io, os::fd::AsRawFd};

mod raw {
    use nix::libc::c_int;
    // linux/kd.h
    nix::ioctl_read_bad!(kdgetmode, 0x4b3b, c_int);
    nix::ioctl_write_int_bad!(kdsetmode, 0x4b3a);
    nix::ioctl_read_bad!(kdgkbmode, 0x4b44, c_int);
    nix::ioctl_write_int_bad!(kdskbmode, 0x4b45);
    // linux/fb.h
    nix::ioctl_read_bad!(fbioget_vscreeninfo, 0x4600, super::VarScreenInfo);
    // linux/input.h
    nix::ioctl_write_int!(eviocgrab, b'E', 0x90);
}

/// The console shows text, or leaves the display alone (KDGETMODE).
pub(crate) fn console_mode(tty: &File) -> io::Result<c_int> {
    let mut mode = 0;
    // SAFETY: the kernel writes one `int`, which `mode` is.
    unsafe { raw::kdgetmode(tty.as_raw_fd(), &mut mode) }?;
    Ok(mode)
}

/// KDSETMODE.
pub(crate) fn set_console_mode(tty: &File, mode: c_int) -> io::Result<()> {
    // SAFETY: the argument is a plain number; no memory is touched.
    unsafe { raw::kdsetmode(tty.as_raw_fd(), mode) }?;
    Ok(())
}

/// What the console does with keys (KDGKBMODE).
pub(crate) fn keyboard_mode(tty: &File) -> io::Result<c_int> {
    let mut mode = 0;
    // SAFETY: the kernel writes one `int`, which `mode` is.
    unsafe { raw::kdgkbmode(tty.as_raw_fd(), &mut mode) }?;
    Ok(mode)
}

/// KDSKBMODE.
pub(crate) fn set_keyboard_mode(tty: &File, mode: c_int) -> io::Result<()> {
    // SAFETY: the argument is a plain number; no memory is touched.
    unsafe { raw::kdskbmode(tty.as_raw_fd(), mode) }?;
    Ok(())
}

/// Where a colour lies in a pixel: `struct fb_bitfield`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits {
    pub(crate) offset: u32,
    pub(crate) length: u32,
    pub(crate) msb_right: u32,
}

/// `struct fb_var_screeninfo`: 40 words.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct VarScreenInfo {
    pub(crate) xres: u32,
    pub(crate) yres: u32,
    pub(crate) xres_virtual: u32,
    pub(crate) yres_virtual: u32,
    pub(crate) xoffset: u32,
    pub(crate) yoffset: u32,
    pub(crate) bits_per_pixel: u32,
    pub(crate) grayscale: u32,
    pub(crate) red: Bits,
    pub(crate) green: Bits,
    pub(crate) blue: Bits,
    pub(crate) transp: Bits,
    pub(crate) rest: [u32; 20],
}

/// How a framebuffer is laid out (FBIOGET_VSCREENINFO).
pub(crate) fn screen_info(framebuffer: &File) -> io::Result<VarScreenInfo> {
    const { assert!(size_of::<VarScreenInfo>() == 160) };
    let mut info = VarScreenInfo::default();
    // SAFETY: the kernel writes the 160 bytes of `struct fb_var_screeninfo`, which are words without
    // padding, as the type here.
    unsafe { raw::fbioget_vscreeninfo(framebuffer.as_raw_fd(), &mut info) }?;
    Ok(info)
}

/// Nobody else hears this device from now on (EVIOCGRAB), until its file is closed.
pub(crate) fn grab(device: &File) -> io::Result<()> {
    // SAFETY: the argument is a plain number; no memory is touched.
    unsafe { raw::eviocgrab(device.as_raw_fd(), 1) }?;
    Ok(())
}

/// `struct input_absinfo`.
#[repr(C)]
#[derive(Default)]
struct AbsInfo {
    value: i32,
    minimum: i32,
    maximum: i32,
    rest: [i32; 3],
}

/// The least and the most of an axis (EVIOCGABS).
pub(crate) fn axis_range(device: &File, axis: u16) -> io::Result<(f32, f32)> {
    const { assert!(size_of::<AbsInfo>() == 24) };
    let request = nix::request_code_read!(b'E', 0x40 + axis, size_of::<AbsInfo>());
    let mut info = AbsInfo::default();
    // SAFETY: the kernel writes at most as many bytes as the request says, which is the size of `info`,
    // and any bytes are valid for its numbers.
    nix::errno::Errno::result(unsafe { nix::libc::ioctl(device.as_raw_fd(), request, &raw mut info) })?;
    Ok((info.minimum as f32, info.maximum as f32))
}
