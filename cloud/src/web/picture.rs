//! A photo of a QR code that the page could not read itself, or whose browser runs no script. It is read by
//! the process that reads mails: a form with a file in it is a message of parts, as a mail is, so nothing of
//! it is looked into here.

use super::{Stop, Web, accept::Requester, accounts, app, pages};
use crate::{
    mailbox::{
        letter::{Found, Nothing},
        reader::{self, ReadError},
    },
    relay::Refusal,
    worker::chain,
};
use axum::{
    body::{Body, Bytes},
    extract::{Extension, State},
    http::{HeaderMap, header},
    response::Response,
};
use futures_util::StreamExt as _;
use latchkey_protocol::{QrLink, platform::AddLink};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::{
    fs::File,
    io::{Seek as _, Write as _},
    path::PathBuf,
};
use tokio::sync::Semaphore;

/// Of the page that scans for a reset, and of the one that scans for a recorder to be added. Either takes both: the QR code
/// says what it is for.
pub(super) const PATH: &str = "/reset/picture";
pub(super) const ADD_PATH: &str = "/add/picture";
/// More than a phone's camera makes of one photo as JPEG.
pub(super) const BYTES_MAX: u64 = 16 * 1024 * 1024;
/// What is read on and forgotten, so that a browser that still sends gets to see the answer.
const BYTES_IGNORED_MAX: u64 = 64 * 1024 * 1024;
/// A photo over a slow line, and its reading.
pub(super) const REQUEST_S: u64 = 120;
/// Photos that arrive at a time; each is kept in memory, never on a disk.
const ARRIVING_MAX: usize = 6;
/// Photos that are read at a time.
const READERS: usize = 2;

/// The reading of pictures, and how much of it goes on at a time.
pub struct Pictures {
    /// This program, which reads a picture when it is asked to.
    program: PathBuf,
    arriving: Semaphore,
    reading: Semaphore,
}

impl Pictures {
    /// Pictures are read by `program`, which is this program.
    pub fn new(program: PathBuf) -> Self {
        Self { program, arriving: Semaphore::new(ARRIVING_MAX), reading: Semaphore::new(READERS) }
    }

    /// What the picture of a form holds.
    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Found, Stop> {
        let kind = headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes()).unwrap_or_default();
        if !kind.to_ascii_lowercase().starts_with(b"multipart/form-data;") {
            return Err(Stop::MediaType);
        }
        let _place = self.arriving.try_acquire().map_err(|_| Stop::PicturesBusy)?;
        let form = receive(kind, body).await?;
        let _turn = self.reading.acquire().await.map_err(|_| Stop::Ours)?;
        match reader::read(&self.program, form).await {
            Ok(Found::Nothing(nothing)) => Err(Stop::Picture(nothing)),
            Ok(found) => Ok(found),
            Err(error @ ReadError::Limits) => {
                tracing::info!(reason = %chain(&error), "a picture is refused");
                Err(Stop::Picture(Nothing::PictureDamaged))
            }
            Err(error @ ReadError::Process(_)) => Err(ours(&error)),
        }
    }
}

/// The form as a file in memory, in the form of a mail: a header that says where its parts begin, and they.
async fn receive(kind: &[u8], body: Body) -> Result<File, Stop> {
    let mut form = File::from(memfd_create("picture", MFdFlags::MFD_CLOEXEC).map_err(|e| ours(&e))?);
    let begun = form.write_all(b"Content-Type: ").and_then(|()| form.write_all(kind));
    begun.and_then(|()| form.write_all(b"\r\n\r\n")).map_err(|error| ours(&error))?;
    let mut bytes = body.into_data_stream();
    let mut taken = 0;
    while let Some(some) = bytes.next().await {
        let some: Bytes = some.map_err(|_| Stop::Malformed)?;
        taken += some.len() as u64;
        if taken > BYTES_IGNORED_MAX {
            break;
        }
        if taken <= BYTES_MAX {
            form.write_all(&some).map_err(|error| ours(&error))?;
        }
    }
    if taken > BYTES_MAX {
        return Err(Stop::Picture(Nothing::PictureTooLarge));
    }
    form.rewind().map_err(|error| ours(&error))?;
    Ok(form)
}

fn ours(error: &(dyn std::error::Error + 'static)) -> Stop {
    tracing::error!(error = %chain(error), "a picture cannot be read now");
    Stop::Ours
}

/// From the page that scans for a reset.
pub(super) async fn submit(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(&web, requester, &headers, body, app::RESET).await
}

/// From the page that scans for a recorder to be added.
pub(super) async fn submit_to_add(
    State(web): State<Web>,
    Extension(requester): Extension<Requester>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(&web, requester, &headers, body, app::SCAN).await
}

async fn answer(
    web: &Web,
    requester: Requester,
    headers: &HeaderMap,
    body: Body,
    page: &'static str,
) -> Response {
    let read = async {
        web.ask(requester)?;
        let link = match web.pictures.read(headers, body).await? {
            Found::Adding(_) if !web.config.accounts.enabled => {
                return Err(Stop::Picture(Nothing::OtherCode));
            }
            Found::Adding(link) => AddLink::parse(&link).map(Link::Add),
            Found::Links(links) => links.iter().find_map(|link| QrLink::parse(link).ok()).map(Link::Reset),
            Found::Nothing(nothing) => return Err(Stop::Picture(nothing)),
        };
        let link = link.ok_or(Stop::Refusal(Refusal::Unusable(None)))?;
        let (Link::Reset(QrLink { host, .. }) | Link::Add(AddLink { host, .. })) = &link;
        if *host != web.relay.host {
            return Err(Stop::Refusal(Refusal::OtherService(host.clone())));
        }
        let who = web.signed_in(headers).await?;
        Ok((link, who))
    };
    match read.await {
        Ok((Link::Reset(link), _)) => pages::found(web, &link),
        Ok((Link::Add(link), who)) => accounts::add::found(web, who.as_ref(), &link),
        Err(stop) => pages::picture_problem(web, &web.problem(&stop), page),
    }
}

/// The two kinds of QR codes of recorders.
enum Link {
    Reset(QrLink),
    Add(AddLink),
}
