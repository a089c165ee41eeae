//! Keys of a keyboard to characters, by what is printed on them.

use crate::{
    text::Edit,
    view::{Go, Input},
};
use pc_keyboard::{DecodedKey, HandleControl, KeyCode, KeyboardLayout, Modifiers, layouts};

/// A keyboard's layout.
pub struct Layout {
    /// As settings name it.
    pub name: &'static str,
    /// As people call it.
    pub label: &'static str,
    keys: layouts::AnyLayout,
}

/// The layouts that there are.
pub const LAYOUTS: &[Layout] = &[
    Layout { name: "us", label: "English (US)", keys: layouts::AnyLayout::Us104Key(layouts::Us104Key) },
    Layout { name: "gb", label: "English (UK)", keys: layouts::AnyLayout::Uk105Key(layouts::Uk105Key) },
    Layout { name: "de", label: "Deutsch", keys: layouts::AnyLayout::De105Key(layouts::De105Key) },
    Layout { name: "fr", label: "Fran\u{e7}ais", keys: layouts::AnyLayout::Azerty(layouts::Azerty) },
    Layout { name: "no", label: "Norsk", keys: layouts::AnyLayout::No105Key(layouts::No105Key) },
    Layout { name: "fi", label: "Suomi, Svenska", keys: layouts::AnyLayout::FiSe105Key(layouts::FiSe105Key) },
];

/// What is held down.
pub struct Keyboard {
    held: Modifiers,
}

impl Default for Keyboard {
    fn default() -> Self {
        let held = Modifiers {
            lshift: false,
            rshift: false,
            lctrl: false,
            rctrl: false,
            numlock: true,
            capslock: false,
            lalt: false,
            ralt: false,
            rctrl2: false,
        };
        Self { held }
    }
}

impl Keyboard {
    /// A key of the kernel's numbering went down (again), or up.
    pub fn key(&mut self, code: u16, down: bool, again: bool, layout: &str) -> Option<Input> {
        let key = key_code(code)?;
        let held = &mut self.held;
        match key {
            KeyCode::LShift => held.lshift = down,
            KeyCode::RShift => held.rshift = down,
            KeyCode::LControl => held.lctrl = down,
            KeyCode::RControl => held.rctrl = down,
            KeyCode::LAlt => held.lalt = down,
            KeyCode::RAltGr => held.ralt = down,
            KeyCode::CapsLock if down && !again => held.capslock = !held.capslock,
            KeyCode::NumpadLock if down && !again => held.numlock = !held.numlock,
            _ => {}
        }
        if !down {
            return None;
        }
        let shift = held.lshift || held.rshift;
        let go = |go| Some(Input::Go(go));
        match key {
            KeyCode::Tab => return go(if shift { Go::Previous } else { Go::Next }),
            KeyCode::Return | KeyCode::NumpadEnter => return go(Go::Enter),
            KeyCode::Escape => return go(Go::Escape),
            KeyCode::Spacebar => return go(Go::Space),
            KeyCode::ArrowLeft => return go(Go::Left),
            KeyCode::ArrowRight => return go(Go::Right),
            KeyCode::ArrowUp => return go(Go::Up),
            KeyCode::ArrowDown => return go(Go::Down),
            KeyCode::Home => return Some(Input::Edit(Edit::Home)),
            KeyCode::End => return Some(Input::Edit(Edit::End)),
            KeyCode::Backspace => return Some(Input::Edit(Edit::Backspace)),
            KeyCode::Delete => return Some(Input::Edit(Edit::Delete)),
            _ => {}
        }
        // A character with Control or Alt held is an order to somebody else.
        if held.lctrl || held.rctrl || held.lalt {
            return None;
        }
        let known = LAYOUTS.iter().find(|known| known.name == layout).or(LAYOUTS.first())?;
        match known.keys.map_keycode(key, held, HandleControl::Ignore) {
            DecodedKey::Unicode(char) if !char.is_control() => Some(Input::Edit(Edit::Insert(char))),
            _ => None,
        }
    }
}

/// The kernel's number of a key (linux/input-event-codes.h), by its place on the keyboard.
fn key_code(code: u16) -> Option<KeyCode> {
    use KeyCode::{
        A, ArrowDown, ArrowLeft, ArrowRight, ArrowUp, B, Backspace, C, CapsLock, D, Delete, E, End, Escape,
        F, G, H, Home, I, J, K, Key0, Key1, Key2, Key3, Key4, Key5, Key6, Key7, Key8, Key9, L, LAlt,
        LControl, LShift, M, N, Numpad0, Numpad1, Numpad2, Numpad3, Numpad4, Numpad5, Numpad6, Numpad7,
        Numpad8, Numpad9, NumpadAdd, NumpadDivide, NumpadEnter, NumpadLock, NumpadMultiply, NumpadPeriod,
        NumpadSubtract, O, Oem1, Oem2, Oem3, Oem4, Oem5, Oem6, Oem7, Oem8, Oem12, Oem13, OemComma, OemMinus,
        OemPeriod, OemPlus, P, Q, R, RAltGr, RControl, RShift, Return, S, Spacebar, T, Tab, U, V, W, X, Y, Z,
    };
    // 1 to 58 stand in the order of the keyboard's rows.
    const ROWS: [KeyCode; 58] = [
        Escape,
        Key1,
        Key2,
        Key3,
        Key4,
        Key5,
        Key6,
        Key7,
        Key8,
        Key9,
        Key0,
        OemMinus,
        OemPlus,
        Backspace,
        Tab,
        Q,
        W,
        E,
        R,
        T,
        Y,
        U,
        I,
        O,
        P,
        Oem4,
        Oem6,
        Return,
        LControl,
        A,
        S,
        D,
        F,
        G,
        H,
        J,
        K,
        L,
        Oem1,
        Oem3,
        Oem8,
        LShift,
        Oem7,
        Z,
        X,
        C,
        V,
        B,
        N,
        M,
        OemComma,
        OemPeriod,
        Oem2,
        RShift,
        NumpadMultiply,
        LAlt,
        Spacebar,
        CapsLock,
    ];
    // 69 to 83 are the block of digits.
    const DIGITS: [KeyCode; 15] = [
        NumpadLock,
        KeyCode::ScrollLock,
        Numpad7,
        Numpad8,
        Numpad9,
        NumpadSubtract,
        Numpad4,
        Numpad5,
        Numpad6,
        NumpadAdd,
        Numpad1,
        Numpad2,
        Numpad3,
        Numpad0,
        NumpadPeriod,
    ];
    Some(match code {
        1..=58 => ROWS[usize::from(code) - 1],
        69..=83 => DIGITS[usize::from(code) - 69],
        86 => Oem5,
        89 => Oem12,
        124 => Oem13,
        96 => NumpadEnter,
        97 => RControl,
        98 => NumpadDivide,
        100 => RAltGr,
        102 => Home,
        103 => ArrowUp,
        105 => ArrowLeft,
        106 => ArrowRight,
        107 => End,
        108 => ArrowDown,
        111 => Delete,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(layout: &str, keys: &[(u16, bool)]) -> String {
        let mut keyboard = Keyboard::default();
        keys.iter()
            .filter_map(|(code, down)| match keyboard.key(*code, *down, false, layout) {
                Some(Input::Edit(Edit::Insert(char))) => Some(char),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn keys_give_what_is_printed_on_them() {
        let shift_2_q_y = [(42, true), (3, true), (42, false), (16, true), (21, true)];
        assert_eq!(typed("us", &shift_2_q_y), "@qy");
        assert_eq!(typed("gb", &shift_2_q_y), "\"qy");
        assert_eq!(typed("de", &shift_2_q_y), "\"qz");
        assert_eq!(typed("fr", &shift_2_q_y), "2ay");
        // AltGr + Q on a German keyboard, and the key that only ISO keyboards have.
        assert_eq!(typed("de", &[(100, true), (16, true), (100, false), (86, true)]), "@<");
        assert_eq!(typed("us", &[(43, true), (41, true), (40, true)]), "\\`'");
        assert_eq!(typed("us", &[(58, true), (58, false), (30, true), (2, true), (79, true)]), "A11");
    }

    #[test]
    fn an_unknown_layout_is_taken_for_the_first_one() {
        assert_eq!(typed("klingon", &[(42, true), (3, true)]), "@");
    }

    #[test]
    fn orders_are_no_text() {
        assert_eq!(
            typed("us", &[(29, true), (46, true), (29, false), (56, true), (59, true), (30, true)]),
            ""
        );
        let mut keyboard = Keyboard::default();
        keyboard.key(42, true, false, "us");
        assert!(matches!(keyboard.key(15, true, false, "us"), Some(Input::Go(Go::Previous))));
        assert!(keyboard.key(600, true, false, "us").is_none());
    }
}
