//! Text as a frame of the platform link, from either side, and as the link that adds a device: what is taken is written as it
//! would be taken again.
#![no_main]

use latchkey_protocol::platform::{AddLink, FRAME_BYTES_MAX, FromCloud, FromDevice};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(message) = FromDevice::parse(text) {
        let frame = message.to_frame();
        assert!(text.len() <= FRAME_BYTES_MAX);
        assert_eq!(FromDevice::parse(&frame), Ok(message));
    }
    if let Ok(message) = FromCloud::parse(text) {
        assert_eq!(FromCloud::parse(&message.to_frame()), Ok(message));
    }
    if let Some(link) = AddLink::parse(text) {
        assert_eq!(link.to_string(), text.trim());
    }
});
