//! The log, for a person at a serial console: the seconds since the start, how serious it is, a
//! sentence. Wall-clock dates would be 1970 on a recorder that does not know the time yet.

use crate::clock;
use std::fmt;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    filter::Targets,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    prelude::*,
    registry::LookupSpan,
};

/// How a line of the log looks.
#[derive(Debug, Clone, Copy)]
pub struct Lines {
    /// Whether it begins with the seconds since the machine was started.
    pub shows_uptime: bool,
}

/// Writes the log to standard error from here on.
pub fn start(lines: Lines, told: Targets) {
    let format = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(format.event_format(lines)).with(told).init();
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = String::new();
        context.field_format().format_fields(Writer::new(&mut fields), event)?;
        if self.shows_uptime {
            let uptime_ms = clock::uptime_ms();
            write!(writer, "[{:>5}.{:03}] ", uptime_ms / 1000, uptime_ms % 1000)?;
        }
        let metadata = event.metadata();
        write!(writer, "{:<5} ", level(*metadata.level()))?;
        if !metadata.target().starts_with("latchkey") {
            write!(writer, "{}: ", metadata.target())?;
        }
        one_line(&mut writer, &fields)?;
        writeln!(writer)
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Whatever came from outside can neither begin a line of its own nor move the terminal's cursor.
fn one_line(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        if c.is_control() { write!(writer, "{}", c.escape_default())? } else { writer.write_char(c)? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(shows_uptime: bool, tell: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let format = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .event_format(Lines { shows_uptime });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(format), tell);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_is_a_level_a_sentence_and_its_facts() {
        let text = written(false, || tracing::warn!(port = 443, "the interface is not there"));
        assert_eq!(text, "warn  the interface is not there port=443\n");
        let text = written(false, || tracing::info!(target: "rustls", "hello"));
        assert_eq!(text, "info  rustls: hello\n");
    }

    #[test]
    fn it_begins_with_the_uptime_and_not_with_a_date() {
        let before_s = clock::uptime_ms() / 1000;
        let text = written(true, || tracing::info!("ready"));
        let (seconds, rest) = text.strip_prefix('[').unwrap().split_once('.').unwrap();
        let seconds: u64 = seconds.trim().parse().unwrap();
        assert!((before_s..=clock::uptime_ms() / 1000).contains(&seconds), "{text}");
        assert_eq!(&rest[3..], "] info  ready\n");
    }

    #[test]
    fn nothing_from_outside_makes_a_line_or_moves_the_cursor() {
        let name = "eth0\n[    1.000] info  admin signed in\x1b[2J\r\u{9b}1A";
        let text = written(false, || tracing::warn!(interface = %name, "not there"));
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(!text.trim_end().contains(char::is_control), "{text:?}");
    }
}
