//! For the operators, on a listener of this machine alone: devices online over time, and the counts.

use super::{Stop, Web, assets, pages, refuse};
use crate::{
    platform::presence::COUNT_S,
    store::{StoreError, fleet::Fleet},
};
use askama::Template;
use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use std::{fmt::Write as _, net::IpAddr};

const DAY_S: i64 = 86_400;
/// Devices that went last.
const GONE_MAX: u32 = 20;
/// The drawing, in units of its own.
const WIDTH: i64 = 720;
const HEIGHT: i64 = 160;

/// Every route of the operators' listener.
pub fn router(web: Web) -> Router {
    Router::new()
        .route("/", get(overview))
        .route("/metrics", get(metrics))
        .route("/assets/{hash}/{name}", get(assets::file))
        .fallback(no_page)
        .layer(middleware::from_fn_with_state(web.clone(), by_own_name))
        .layer(middleware::from_fn_with_state(web.clone(), super::around))
        .with_state(web)
}

async fn no_page(State(web): State<Web>, request: Request) -> Response {
    refuse(&web, request.uri().path(), &Stop::NoPage)
}

/// A page elsewhere may have a name that leads to this machine: only the machine's own names are taken.
async fn by_own_name(State(web): State<Web>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let own = name.parse().map_or(name == "localhost", |ip: IpAddr| ip.is_loopback());
    if own { next.run(request).await } else { refuse(&web, request.uri().path(), &Stop::NoPage) }
}

async fn metrics(State(web): State<Web>) -> Response {
    let kind = (header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([kind], web.platform.metrics.text()).into_response()
}

#[derive(Template)]
#[template(path = "operators.html")]
struct Overview<'a> {
    frame: pages::Frame<'a>,
    fleet: Fleet,
    offline: u64,
    chart: Chart,
    now: String,
    gone: Vec<Gone>,
}

/// A device that went.
struct Gone {
    handle: String,
    serial: String,
    model: String,
    since: String,
    version: String,
}

async fn overview(State(web): State<Web>) -> Response {
    let now_s = web.clock.now_s();
    let read = async {
        let fleet = web.relay.store.fleet(now_s, GONE_MAX).await?;
        let counts = web.relay.store.online_since(now_s - DAY_S).await?;
        Ok::<_, StoreError>((fleet, counts))
    };
    let (fleet, counts) = match read.await {
        Ok(read) => read,
        Err(error) => return pages::problem(&web, &web.problem(&Stop::Refusal(error.into()))),
    };
    let mut frame = web.frame("operators-title");
    frame.refresh_s = Some(60);
    frame.part = pages::Part::Outside;
    let gone = fleet.lately_gone.iter().map(|(device, presence)| Gone {
        handle: device.handle.to_string(),
        serial: device.serial.clone(),
        model: device.model.clone(),
        since: moment(presence.since_s),
        version: presence.version.clone(),
    });
    let page = Overview {
        frame,
        offline: fleet.known.saturating_sub(fleet.online),
        chart: Chart::of(&counts, fleet.online, now_s),
        now: moment(now_s),
        gone: gone.collect(),
        fleet,
    };
    pages::page(StatusCode::OK, &page)
}

/// As in `2026-11-22 17:23 UTC`.
pub(super) fn moment(unix_s: i64) -> String {
    match time::OffsetDateTime::from_unix_timestamp(unix_s) {
        Ok(at) => format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute()),
        Err(_) => String::new(),
    }
}

/// Devices online over a day, as lines of an SVG drawing.
struct Chart {
    /// One for each stretch in which the service ran.
    lines: Vec<String>,
    least: u64,
    most: u64,
    from: String,
}

impl Chart {
    fn of(counts: &[(i64, u64)], now: u64, now_s: i64) -> Self {
        let counts = || counts.iter().copied().chain([(now_s, now)]);
        let least = counts().map(|(_, count)| count).min().unwrap_or_default();
        let most = counts().map(|(_, count)| count).max().unwrap_or_default();
        let scale = i64::try_from(most).unwrap_or(i64::MAX / HEIGHT).max(1);
        let mut lines: Vec<String> = vec![];
        let mut last_s = None;
        for (at_s, count) in counts() {
            let x = (at_s - (now_s - DAY_S)).clamp(0, DAY_S) * WIDTH / DAY_S;
            let y = HEIGHT - i64::try_from(count).unwrap_or(scale).min(scale) * HEIGHT / scale;
            // A service that did not run has no count: the line has a gap.
            if last_s.is_none_or(|last_s| at_s - last_s > 2 * COUNT_S) {
                lines.push(String::new());
            }
            last_s = Some(at_s);
            if let Some(line) = lines.last_mut() {
                let _ = write!(line, "{x},{y} "); // writing to a String cannot fail
            }
        }
        Self { lines, least, most, from: moment(now_s - DAY_S) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_gap_where_nothing_was_counted() {
        let now_s = 1_795_369_200;
        let counts: Vec<_> = (0..10).map(|i| (now_s - 7200 + i * COUNT_S, 5)).collect();
        let chart = Chart::of(&counts, 10, now_s);
        assert_eq!(chart.lines.len(), 2);
        assert_eq!((chart.least, chart.most), (5, 10));
        assert_eq!(chart.lines[1], format!("{WIDTH},0 "));
        assert!(chart.lines[0].starts_with(&format!("{},{} ", WIDTH - WIDTH / 12, HEIGHT / 2)));
        assert_eq!(Chart::of(&[], 0, now_s).lines, [format!("{WIDTH},{HEIGHT} ")]);
    }
}
