//! The cloud's binary: arguments, tracing, exit codes.

use std::process::ExitCode;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    latchkey_cloud::cli::run(std::env::args_os().skip(1))
}
