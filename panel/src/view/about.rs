//! This recorder, and how its screen looks.

use super::{
    kit::{Kit, Look},
    theme::Type,
};
use crate::{input::LAYOUTS, state::Action};
use egui::Ui;

impl Kit<'_> {
    pub(super) fn device(&mut self, ui: &mut Ui) {
        self.title(ui, "device-screen-title");
        self.told(ui);
        let Some(device) = self.state.device.clone() else { return };
        let addresses =
            if self.addresses.is_empty() { self.say("address-none") } else { self.addresses.join("\n") };
        self.card(ui, |kit, ui| {
            let fact = |key: &str, value: &str, set| (kit.say(key), value.to_owned(), set);
            let facts = [
                fact("device-model", &device.model, Type::Body),
                fact("device-serial", &device.serial, Type::Body),
                fact("device-version", &device.version, Type::Body),
                fact("device-address", &addresses, Type::BodyBold),
            ];
            kit.facts(ui, &facts);
        });
        let hex = device.certificate_sha256.to_ascii_uppercase();
        let pairs: Vec<&str> = (0..hex.len() / 2).filter_map(|at| hex.get(2 * at..2 * at + 2)).collect();
        let lines: Vec<String> = pairs.chunks(8).map(|pairs| pairs.join(":")).collect();
        self.card(ui, |kit, ui| {
            kit.text(ui, kit.say("fingerprint-title"), Type::Heading, kit.theme.ink);
            let text = kit.say("fingerprint-text");
            kit.body(ui, text);
            let columns = if ui.available_width() > 500.0 { 2 } else { 1 };
            for line in lines.chunks(columns) {
                kit.text(ui, line.join(":"), Type::Even, kit.theme.ink);
            }
        });
        self.back(ui, "back");
    }

    pub(super) fn display(&mut self, ui: &mut Ui) {
        self.title(ui, "display-title");
        self.told(ui);
        self.card(ui, |kit, ui| {
            let words = ["large-text", "large-text-hint", "high-contrast", "high-contrast-hint"];
            let [large, large_hint, contrast, contrast_hint] = words.map(|key| kit.say(key));
            kit.choice(ui, Action::LargeText, kit.state.preferences.large_text, &large, &large_hint);
            kit.choice(
                ui,
                Action::HighContrast,
                kit.state.preferences.high_contrast,
                &contrast,
                &contrast_hint,
            );
        });
        self.card(ui, |kit, ui| {
            kit.text(ui, kit.say("keyboard-title"), Type::Heading, kit.theme.ink);
            let text = kit.say("keyboard-hint");
            kit.hint(ui, text);
            let now = kit.state.preferences.layout.clone();
            kit.row(ui, |kit, ui| {
                for (index, layout) in LAYOUTS.iter().enumerate() {
                    let look = if layout.name == now { Look::Primary } else { Look::Secondary };
                    kit.button(ui, Action::Layout(index), look, None, layout.label, true);
                }
            });
        });
        self.back(ui, "back");
    }
}
