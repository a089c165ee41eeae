//! The recorder's pages, drawn over the real heart: every page in every state, what a browser and a
//! screen reader need of each, and the way of one reset.
//!
//! `LATCHKEY_PAGES_DIR=folder` keeps the pages, with style sheet, script and QR code, to be looked at.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(missing_docs, unreachable_pub, reason = "nobody reads a test from outside")]

mod album;
mod keys;
mod recorder;
mod walk;

use album::{Picture, every_page};
use latchkey::web::{pages, routes};
use recorder::{Made, Recorder};
use scraper::{ElementRef, Html, Selector};
use std::collections::BTreeSet;

fn all<'d>(document: &'d Html, selector: &str) -> Vec<ElementRef<'d>> {
    document.select(&Selector::parse(selector).unwrap()).collect()
}

fn one<'d>(picture: &Picture, document: &'d Html, selector: &str) -> ElementRef<'d> {
    let found = all(document, selector);
    assert_eq!(found.len(), 1, "{}: {selector}", picture.name);
    found[0]
}

fn text(element: ElementRef<'_>) -> String {
    element.text().collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn every_state_says_what_it_must() {
    let pictures = every_page(Made::default()).await;
    keep(&pictures).await;
    for picture in &pictures {
        for says in picture.says {
            assert!(picture.html.contains(says), "{} does not say “{says}”", picture.name);
        }
        assert!(!picture.html.contains("first Pass-1") && !picture.html.contains("second Pass-2"));
        assert!(!picture.html.contains("wrong-password\""), "{} shows a typed password", picture.name);
        assert!(!picture.html.contains("nonsense"), "{} shows a typed password", picture.name);
    }
}

#[tokio::test]
async fn every_page_has_its_landmarks_and_one_heading() {
    for picture in every_page(Made::default()).await {
        let page = Html::parse_document(&picture.html);
        assert!(page.errors.is_empty(), "{}: {:?}", picture.name, page.errors);
        assert_eq!(one(&picture, &page, "html").value().attr("lang"), Some("en"));
        let title = text(one(&picture, &page, "title"));
        let heading = text(one(&picture, &page, "h1"));
        assert!(title.contains(&heading) && title.contains("NVR-1608"), "{}: {title}", picture.name);
        one(&picture, &page, "main#content");
        one(&picture, &page, "body > header");
        one(&picture, &page, "body > footer");
        one(&picture, &page, "a.skip[href='#content']");
        let mut level = 1;
        for heading in all(&page, "main h1, main h2, main h3") {
            let own: u32 = heading.value().name()[1..].parse().unwrap();
            assert!(own <= level + 1, "{}: a heading level is left out", picture.name);
            level = own;
        }
    }
}

#[tokio::test]
async fn every_field_is_named_and_every_reference_leads_somewhere() {
    for picture in every_page(Made::default()).await {
        let page = Html::parse_document(&picture.html);
        let ids: Vec<&str> = all(&page, "[id]").iter().filter_map(|e| e.value().attr("id")).collect();
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{}: an id is there twice", picture.name);
        for name in ["aria-describedby", "aria-labelledby", "aria-controls", "for", "data-show", "data-meter"]
        {
            for element in all(&page, &format!("[{name}]")) {
                for id in element.value().attr(name).unwrap().split(' ') {
                    assert!(unique.contains(id), "{}: {name}={id}", picture.name);
                }
            }
        }
        for input in all(&page, "input:not([hidden]):not([type=hidden])") {
            let id = input.value().attr("id").unwrap();
            let labels = all(&page, &format!("label[for='{id}']"));
            assert!(labels.len() == 1 && !text(labels[0]).is_empty(), "{}: {id}", picture.name);
            if input.value().attr("aria-invalid") == Some("true") {
                let described = input.value().attr("aria-describedby").unwrap();
                assert!(described.contains(&format!("{id}-error")), "{}: {id}", picture.name);
            }
        }
        for link in all(&page, "#errors a") {
            let to = link.value().attr("href").unwrap();
            assert!(unique.contains(&to[1..]), "{}: {to}", picture.name);
        }
        // What went wrong gets the focus, once.
        assert!(all(&page, "[autofocus]").len() <= 1, "{}", picture.name);
        assert_eq!(all(&page, "#errors[autofocus]").len(), all(&page, "#errors").len());
        for image in all(&page, "img") {
            assert!(!image.value().attr("alt").unwrap_or_default().is_empty(), "{}", picture.name);
        }
    }
}

#[tokio::test]
async fn nothing_is_inline_and_every_form_shows_where_it_came_from() {
    for base in ["", "/latchkey"] {
        for picture in every_page(Made { base, ..Made::default() }).await {
            let page = Html::parse_document(&picture.html);
            assert!(all(&page, "style, [style], iframe, base").is_empty(), "{}", picture.name);
            for element in all(&page, "*") {
                let handler = element.value().attrs().find(|(name, _)| name.starts_with("on"));
                assert_eq!(handler, None, "{}", picture.name);
            }
            for script in all(&page, "script") {
                assert!(script.value().attr("src").is_some() && text(script).is_empty(), "{}", picture.name);
            }
            for form in all(&page, "form") {
                assert_eq!(form.value().attr("method"), Some("post"), "{}", picture.name);
                let token = form.select(&Selector::parse("input[name=form_token]").unwrap()).next().unwrap();
                assert_eq!(token.value().attr("value").unwrap().len(), 64, "{}", picture.name);
            }
            // The plain port has no base path.
            leads_to_routes(&picture, &page, if picture.name == "plain" { "" } else { base });
        }
    }
}

/// Every path on a page is one that this daemon answers, below the base path.
fn leads_to_routes(picture: &Picture, page: &Html, base: &str) {
    use hyper::Method;
    for (selector, attribute, method) in
        [("[href]", "href", Method::GET), ("[src]", "src", Method::GET), ("form", "action", Method::POST)]
    {
        for element in all(page, selector) {
            let to = element.value().attr(attribute).unwrap();
            let elsewhere = ["#", "https://recover.example.com/r#", "https://192.168.1.10/"];
            if elsewhere.iter().any(|start| to.starts_with(start)) {
                continue;
            }
            let path =
                to.strip_prefix(base).unwrap_or_else(|| panic!("{}: {to} is not below {base}", picture.name));
            let path = path.split('?').next().unwrap();
            match routes::route(&method, path, latchkey_protocol::Door::Lan) {
                Ok(routes::Route::Asset(name)) => assert!(pages::asset(name).is_some(), "{to}"),
                Ok(_) => {}
                Err(error) => panic!("{}: {method} {to}: {error:?}", picture.name),
            }
        }
    }
}

#[tokio::test]
async fn hostile_text_stays_text() {
    let made = Made {
        model: "<script>alert(1)</script>",
        serial: "\"><img src=x onerror=alert(2)>",
        ..Made::default()
    };
    for picture in every_page(made).await {
        let page = Html::parse_document(&picture.html);
        assert!(!picture.html.contains("<script>alert") && !picture.html.contains("<img src=x"));
        assert!(all(&page, "[onerror]").is_empty(), "{}", picture.name);
    }
    let mut recorder = Recorder::new(Made::default());
    let email = "%22%3E%3Cscript%3Ealert(3)%3C/script%3E";
    let page = recorder.activate(email).await;
    assert_eq!(page.status.as_u16(), 422);
    assert!(!page.html().contains("<script>alert"));
    let document = Html::parse_document(page.html());
    let typed = all(&document, "#email")[0].value().attr("value").unwrap();
    assert_eq!(typed, "\"><script>alert(3)</script>", "what was typed comes back as it was");
}

#[tokio::test]
async fn the_heaviest_page_is_light() {
    let pictures = every_page(Made::default()).await;
    let page = pictures.iter().find(|picture| picture.name == "code-wrong").unwrap();
    let bytes = page.html.len() + latchkey_look::stylesheet().len() + latchkey_look::script().len();
    assert!(bytes < 40_000, "page, style sheet and script have {bytes} bytes");
}

/// Keeps the pages where a person asked for them.
async fn keep(pictures: &[Picture]) {
    #[expect(clippy::disallowed_methods, reason = "a person asks for the pages by the environment")]
    let Some(folder) = std::env::var_os("LATCHKEY_PAGES_DIR").map(std::path::PathBuf::from) else { return };
    std::fs::create_dir_all(folder.join("assets")).unwrap();
    for picture in pictures {
        std::fs::write(folder.join(format!("{}.html", picture.name)), &picture.html).unwrap();
        if let Some(link) = picture.html.split("href=\"").find(|part| part.starts_with("https://recover")) {
            let link = latchkey_protocol::QrLink::parse(link.split('"').next().unwrap()).unwrap();
            for path in ["api/v1/reset/challenge", "api/v1/admin/reserved-email/confirmation"] {
                std::fs::create_dir_all(folder.join(path)).unwrap();
                std::fs::write(folder.join(path).join("qr.svg"), latchkey::qr::svg(&link)).unwrap();
            }
        }
        for part in picture.html.split("/assets/").skip(1) {
            let name = part.split('"').next().unwrap();
            let mut asset = Recorder::new(Made::default()).shown(pages::asset(name).unwrap()).await;
            std::fs::write(folder.join("assets").join(name), std::mem::take(&mut asset.body)).unwrap();
        }
    }
}
