//! The live view: the recorder's own matter. Here it is a placeholder with the menu.

use super::{
    kit::{Kit, space},
    theme::Type,
};
use crate::state::{Action, Link, Tone};
use egui::{Align2, Color32, CornerRadius, Rect, Ui, vec2};
use latchkey_look::Icon;

impl Kit<'_> {
    pub(super) fn live(&mut self, ui: &mut Ui, all: Rect) {
        let black = Color32::from_rgb(12, 14, 16);
        let grey = Color32::from_rgb(30, 34, 38);
        let text = Color32::from_rgb(168, 174, 180);
        ui.painter().rect_filled(all, CornerRadius::ZERO, black);
        let (tiles, bar) = all.split_top_bottom_at_y(all.bottom() - 64.0);
        let gap = 4.0;
        let size = vec2((tiles.width() - gap) / 2.0, (tiles.height() - gap) / 2.0);
        for index in 0..4 {
            let at =
                tiles.min + vec2((index % 2) as f32 * (size.x + gap), (index / 2) as f32 * (size.y + gap));
            let tile = Rect::from_min_size(at, size);
            ui.painter().rect_filled(tile, CornerRadius::ZERO, grey);
            let name = self.words.say_with("live-camera", &[("number", (index + 1).into())]);
            ui.painter().text(
                tile.min + vec2(space(3), space(2)),
                Align2::LEFT_TOP,
                name,
                Type::Small.font(),
                text,
            );
            let none = self.say("live-none");
            ui.painter().text(tile.center(), Align2::CENTER_CENTER, none, Type::Body.font(), text);
        }
        ui.painter().rect_filled(bar, CornerRadius::ZERO, self.theme.surface);
        let menu = Rect::from_min_size(bar.min + vec2(space(4), 10.0), vec2(140.0, 44.0));
        let label = self.say("live-menu");
        self.tile(ui, menu, Action::Menu, Icon::Menu, &label);
        if let Some(device) = &self.state.device {
            let text = format!("{} {}", device.model, device.serial);
            let at = bar.right_center() - vec2(space(4), 0.0);
            ui.painter().text(at, Align2::RIGHT_CENTER, text, Type::Small.font(), self.theme.muted);
        }
        // Not in the way of the picture longer than it is needed.
        let narrow = all.width().min(640.0) - 2.0 * space(4);
        let left = all.center().x - narrow / 2.0;
        let place = Rect::from_min_size(egui::pos2(left, all.top() + space(5)), vec2(narrow, tiles.height()));
        self.within(ui, place, |kit, ui| {
            ui.spacing_mut().item_spacing = vec2(0.0, space(3));
            if kit.state.link != Link::Up {
                let (title, text) = (kit.say("panel-lost"), kit.say("panel-lost-text"));
                kit.notice(ui, Tone::Warn, &title, &text);
            }
            kit.told(ui);
            let Some(device) = kit.state.device.as_ref().filter(|_| kit.state.notice.is_none()) else {
                return;
            };
            if device.masked_emails.is_empty() {
                let (title, text) = (kit.say("warn-no-email"), kit.say("warn-no-email-text"));
                kit.notice(ui, Tone::Warn, &title, &text);
            } else {
                kit.unconfirmed(ui);
            }
        });
    }
}
