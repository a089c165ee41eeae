//! Every size and host length is drawn, has the version that the protocol states, and is read back
//! by two decoders that share no code with the encoder: rqrr, and zbar's own program.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use latchkey_protocol::{Host, SealedChallenge};
use rand_core::{Rng, SeedableRng};
use std::io::Write;
use std::process::{Command, Stdio};

/// Bytes of a challenge with the QR version for its shortest, usual and longest hosts: host length,
/// version.
const VERSIONS: [(usize, &[(usize, usize)]); 3] = [
    (247, &[(1, 12), (19, 12), (24, 12), (25, 13), (34, 13), (57, 13)]),
    (311, &[(1, 13), (3, 13), (4, 14), (19, 14), (24, 14), (34, 14), (35, 15), (57, 15)]),
    (375, &[(1, 15), (19, 15), (20, 16), (24, 16), (34, 16), (57, 16)]),
];

fn host(len: usize) -> Host {
    // Labels as long as may be, to reach the length with any remainder.
    let name: String = (0..len).map(|i| if i % 20 == 19 && i + 1 < len { '.' } else { 'h' }).collect();
    Host::parse(&name).unwrap()
}

/// Links of every size and host length, several for each: noise as bytes, the extremes too.
fn links() -> Vec<(QrLink, usize)> {
    let mut links = vec![];
    for (total, hosts) in VERSIONS {
        for &(host_len, version) in hosts {
            let mut rng = chacha20::ChaCha20Rng::from_seed([host_len as u8; 32]);
            let mut noise = vec![0; total];
            rng.fill_bytes(&mut noise);
            for bytes in [noise, vec![0; total], vec![0xff; total]] {
                let sealed = SealedChallenge::from_bytes(bytes).unwrap();
                links.push((QrLink { host: host(host_len), sealed }, version));
            }
        }
    }
    links
}

fn pixels(file: &[u8]) -> (usize, Vec<u8>) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut grey = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut grey).unwrap();
    assert_eq!((info.color_type, info.width), (png::ColorType::Grayscale, info.height));
    (info.width as usize, grey)
}

#[test]
fn versions_are_as_stated() {
    for (link, version) in links() {
        let modules = 17 + 4 * version + 2 * QUIET_ZONE_MODULES;
        assert_eq!(matrix(&link).len(), modules, "{} with {:?}", link.host, link.sealed);
    }
}

#[test]
fn rqrr_reads_every_size() {
    for (link, version) in links() {
        let (side_px, grey) = pixels(&png(&link));
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(side_px, side_px, |x, y| grey[y * side_px + x]);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "{}", link.host);
        let (meta, text) = grids[0].decode().unwrap();
        assert_eq!(meta.version.0, version);
        assert_eq!(meta.ecc_level, 0, "level M is written 0 (ISO/IEC 18004, table 12)");
        assert_eq!(text, link.to_string());
        assert_eq!(QrLink::parse(&text).unwrap(), link);
    }
}

#[test]
fn zbar_reads_every_size() {
    let folder = std::env::temp_dir().join(format!("latchkey-qr-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let links = links();
    let mut files = vec![];
    for (number, (link, _)) in links.iter().enumerate() {
        let file = folder.join(format!("{number:03}.png"));
        std::fs::File::create(&file).unwrap().write_all(&png(link)).unwrap();
        files.push(file);
    }
    let output = Command::new("zbarimg")
        .args(["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"])
        .args(&files)
        .stderr(Stdio::inherit())
        .output()
        .expect("zbarimg is needed: install Debian's package zbar-tools");
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(output.status.success());
    let read: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    let drawn: Vec<String> = links.iter().map(|(link, _)| link.to_string()).collect();
    assert_eq!(read, drawn);
}

#[test]
fn png_is_the_matrix() {
    for (link, _) in links() {
        let rows = matrix(&link);
        let (side_px, grey) = pixels(&png(&link));
        assert_eq!(side_px, rows.len() * PNG_MODULE_PX);
        for (place, &level) in grey.iter().enumerate() {
            let (x, y) = (place % side_px / PNG_MODULE_PX, place / side_px / PNG_MODULE_PX);
            assert_eq!(level, if rows[y][x] { 0 } else { 255 });
        }
        assert_eq!(png(&link), png(&link));
    }
}

#[test]
fn svg_is_the_matrix() {
    for (link, _) in links() {
        let rows = matrix(&link);
        let picture = svg(&link);
        let side = rows.len();
        assert!(picture.contains(&format!("viewBox=\"0 0 {side} {side}\"")));
        assert!(picture.contains("shape-rendering=\"crispEdges\""));
        let tag = Tag::of(link.sealed.as_bytes());
        assert!(picture.contains(&format!("<title>{} {tag}</title>", link.host)));
        let paths: Vec<_> = picture.split("<path ").skip(1).collect();
        let [ground, modules] = paths[..] else { panic!("two paths") };
        assert!(ground.starts_with(&format!("fill=\"#fff\" d=\"M0 0h{side}v{side}h-{side}z\"")));
        assert!(modules.starts_with("fill=\"#000\""));

        let mut drawn = vec![vec![false; side]; side];
        let data = modules.split('"').nth(3).unwrap();
        for run in data.split_terminator('z') {
            let (x, rest) = run.strip_prefix('M').unwrap().split_once(' ').unwrap();
            let (y, rest) = rest.split_once('h').unwrap();
            let (len, back) = rest.split_once("v1h-").unwrap();
            assert_eq!(len, back);
            let (x, y, len): (usize, usize, usize) =
                (x.parse().unwrap(), y.parse().unwrap(), len.parse().unwrap());
            for module in &mut drawn[y][x..x + len] {
                assert!(!*module, "no module is drawn twice");
                *module = true;
            }
        }
        assert_eq!(drawn, rows);
    }
}

#[test]
fn the_quiet_zone_is_light() {
    let (link, _) = links().remove(0);
    let rows = matrix(&link);
    let inside = QUIET_ZONE_MODULES..rows.len() - QUIET_ZONE_MODULES;
    for (y, row) in rows.iter().enumerate() {
        for (x, &dark) in row.iter().enumerate() {
            assert!(!dark || (inside.contains(&x) && inside.contains(&y)));
        }
    }
    assert!(rows[QUIET_ZONE_MODULES][QUIET_ZONE_MODULES], "a finder pattern starts at the corner");
}
