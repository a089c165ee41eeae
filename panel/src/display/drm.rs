//! A display by the kernel's mode setting: one buffer of plain memory, and word of what changed in it.

use super::{Surface, bytes_16, bytes_32};
use crate::raster::Area;
use drm::{
    ClientCapability, Device,
    buffer::{Buffer, DrmFourcc},
    control::{
        ClipRect, Device as ControlDevice, Mode, ModeTypeFlags, connector, crtc, dumbbuffer::DumbMapping,
        framebuffer,
    },
};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
};

struct Card(File);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Device for Card {}
impl ControlDevice for Card {}

struct Drm {
    card: Card,
    mapping: DumbMapping<'static>,
    framebuffer: framebuffer::Handle,
    size: (usize, usize),
    pitch: usize,
    bytes_per_pixel: usize,
    /// Whether the driver wants to be told what changed; those that scan out do not.
    wants_word: bool,
}

/// The first card with a display that takes a picture.
pub(super) fn open() -> Result<Box<dyn Surface>, String> {
    let mut cards: Vec<PathBuf> = fs::read_dir("/dev/dri")
        .map_err(|error| format!("/dev/dri: {error}"))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("card")))
        .collect();
    cards.sort();
    let mut faults = Vec::new();
    for path in cards {
        match open_card(&path) {
            Ok(drm) => return Ok(Box::new(drm)),
            Err(error) => faults.push(format!("{}: {error}", path.display())),
        }
    }
    Err(if faults.is_empty() { "/dev/dri has no card".to_owned() } else { faults.join(", ") })
}

fn open_card(path: &Path) -> io::Result<Drm> {
    let card = Card(OpenOptions::new().read(true).write(true).open(path)?);
    let _ = card.set_client_capability(ClientCapability::UniversalPlanes, false); // the primary plane will do
    let resources = card.resource_handles()?;
    let connectors: Vec<connector::Info> =
        resources.connectors().iter().filter_map(|handle| card.get_connector(*handle, true).ok()).collect();
    // One that is not sure of its display is better than none.
    let usable = |state| connectors.iter().find(|found| found.state() == state && !found.modes().is_empty());
    let connector = usable(connector::State::Connected)
        .or_else(|| usable(connector::State::Unknown))
        .ok_or_else(|| io::Error::other("no display is plugged in"))?;
    let mode = connector
        .modes()
        .iter()
        .find(|mode| mode.mode_type().contains(ModeTypeFlags::PREFERRED))
        .or(connector.modes().first())
        .copied()
        .ok_or_else(|| io::Error::other("the display has no mode"))?;
    let crtc =
        pipe(&card, connector, resources.crtcs()).ok_or_else(|| io::Error::other("no pipe is free"))?;
    // Small boards may have 16 bits a pixel only.
    show(&card, connector.handle(), crtc, mode, DrmFourcc::Xrgb8888, 24, 32)
        .or_else(|_| show(&card, connector.handle(), crtc, mode, DrmFourcc::Rgb565, 16, 16))
        .map(|shown| shown.with(card))
}

fn pipe(card: &Card, connector: &connector::Info, crtcs: &[crtc::Handle]) -> Option<crtc::Handle> {
    let now = connector.current_encoder().and_then(|encoder| card.get_encoder(encoder).ok()?.crtc());
    now.or_else(|| {
        let encoders = connector.encoders().iter().filter_map(|encoder| card.get_encoder(*encoder).ok());
        let resources = card.resource_handles().ok()?;
        encoders.flat_map(|encoder| resources.filter_crtcs(encoder.possible_crtcs())).next()
    })
    .or(crtcs.first().copied())
}

struct Shown {
    mapping: DumbMapping<'static>,
    framebuffer: framebuffer::Handle,
    size: (usize, usize),
    pitch: usize,
    bytes_per_pixel: usize,
}

impl Shown {
    fn with(self, card: Card) -> Drm {
        let Self { mapping, framebuffer, size, pitch, bytes_per_pixel } = self;
        Drm { card, mapping, framebuffer, size, pitch, bytes_per_pixel, wants_word: true }
    }
}

fn show(
    card: &Card,
    connector: connector::Handle,
    crtc: crtc::Handle,
    mode: Mode,
    format: DrmFourcc,
    depth: u32,
    bits: u32,
) -> io::Result<Shown> {
    let (width, height) = mode.size();
    let buffer = card.create_dumb_buffer((width.into(), height.into()), format, bits)?;
    let framebuffer = card.add_framebuffer(&buffer, depth, bits)?;
    let pitch = buffer.pitch() as usize;
    // As long as the process: there is one display.
    let mut mapping = card.map_dumb_buffer(Box::leak(Box::new(buffer)))?;
    mapping.as_mut().fill(0);
    card.set_crtc(crtc, Some(framebuffer), (0, 0), &[connector], Some(mode))?;
    let size = (usize::from(width), usize::from(height));
    Ok(Shown { mapping, framebuffer, size, pitch, bytes_per_pixel: bits as usize / 8 })
}

impl Surface for Drm {
    fn size(&self) -> (usize, usize) {
        self.size
    }

    fn put(&mut self, y: usize, left: usize, pixels: &[u32]) -> io::Result<()> {
        let start = y * self.pitch + left * self.bytes_per_pixel;
        let end = start + pixels.len() * self.bytes_per_pixel;
        if let Some(bytes) = self.mapping.as_mut().get_mut(start..end) {
            if self.bytes_per_pixel == 4 { bytes_32(pixels, bytes) } else { bytes_16(pixels, bytes) }
        }
        Ok(())
    }

    fn done(&mut self, areas: &[Area]) -> io::Result<()> {
        if !self.wants_word {
            return Ok(());
        }
        let side = |px: i32| u16::try_from(px).unwrap_or(u16::MAX);
        let clips: Vec<ClipRect> = areas
            .iter()
            .map(|area| ClipRect::new(side(area.left), side(area.top), side(area.right), side(area.bottom)))
            .collect();
        if let Err(error) = self.card.dirty_framebuffer(self.framebuffer, &clips) {
            tracing::debug!(%error, "the driver needs no word of what changed");
            self.wants_word = false;
        }
        Ok(())
    }
}
