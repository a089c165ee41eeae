//! `latchkeyd`: arguments, tracing, exit codes.

fn main() {}
