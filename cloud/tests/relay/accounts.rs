//! Accounts, over real sockets with a real database; the codes come out of real mails.

use crate::{mailbox::until, support::*};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpSocket;

pub const PASSWORD: &str = "Correct horse 1";
const FORM: &str = "application/x-www-form-urlencoded";

/// A browser without scripts: it keeps a cookie and sends forms.
pub struct Browser {
    address: SocketAddr,
    /// Where it is: an address of this machine.
    from: Ipv4Addr,
    pub cookie: Option<String>,
}

impl Browser {
    pub fn new(cloud: &Cloud) -> Self {
        Self { address: cloud.address(), from: Ipv4Addr::LOCALHOST, cookie: None }
    }

    pub async fn ask(&mut self, method: &str, path: &str, fields: &[(&str, &str)], more: &str) -> Answer {
        let body = serde_urlencoded::to_string(fields).unwrap();
        let cookie = self.cookie.as_ref().map(|c| format!("Cookie: {c}\r\n")).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{cookie}{more}Content-Type: {FORM}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((self.from, 0).into()).unwrap();
        let answer = super::support::ask(socket.connect(self.address).await.unwrap(), head.as_bytes()).await;
        if let Some(told) = answer.header("set-cookie") {
            for word in ["__Host-latchkey=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
                assert!(told.contains(word), "{told}");
            }
            let pair = told.split(';').next().unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        answer
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.ask("POST", path, fields, "Origin: https://h\r\nSec-Fetch-Site: same-origin\r\n").await
    }

    /// Sends a page's form with its riddle in words solved.
    pub async fn asks(&mut self, path: &str, field: (&str, &str)) -> Answer {
        let page = self.get(&format!("{path}?riddle=words")).await.body;
        let (token, answer) = riddle(&page);
        self.post(path, &[field, ("riddle", &token), ("answer", &answer)]).await
    }

    /// The form token of the account's own page.
    async fn form(&mut self) -> String {
        let page = self.get("/account").await.body;
        between(&page, "name=\"form\" value=\"", "\"").to_owned()
    }

    async fn is_in(&mut self) -> bool {
        self.get("/account").await.status == 200
    }
}

pub fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}")).1.split_once(after).unwrap().0
}

fn riddle(page: &str) -> (String, String) {
    const NUMBERS: [&str; 12] =
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    let number = |word: &str| NUMBERS.iter().position(|known| *known == word).unwrap() + 1;
    let (a, b) = between(page, "How much is ", "?").split_once(" plus ").unwrap();
    (between(page, "name=\"riddle\" value=\"", "\"").to_owned(), (number(a) + number(b)).to_string())
}

/// The mails to an address, once there are so many.
pub async fn mail(cloud: &Cloud, to: &str, count: usize) -> String {
    let to_them = || -> Vec<String> {
        cloud.mails().into_iter().filter(|mail| mail.contains(&format!("To: {to}\n"))).collect()
    };
    until(|| to_them().len() >= count, "a mail").await;
    assert_eq!(to_them().len(), count);
    to_them().join("\n")
}

/// The code that stands alone on a line.
pub fn code_in(mail: &str) -> String {
    let is_code = |line: &&str| (4..=8).contains(&line.len()) && line.bytes().all(|b| b.is_ascii_digit());
    mail.lines().find(is_code).unwrap_or_else(|| panic!("no code in {mail}")).to_owned()
}

pub fn forget_mails(cloud: &Cloud) {
    for entry in std::fs::read_dir(cloud.folder.0.join("mail/new")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

pub fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{answer:?}");
    answer.header("location").unwrap().to_owned()
}

/// Registers an account and leaves its owner signed in.
pub async fn registered(cloud: &Cloud, email: &str, name: &str) -> Browser {
    let mut browser = Browser::new(cloud);
    let page = location(&browser.asks("/account/sign-up", ("email", email)).await);
    let code = code_in(&mail(cloud, email, 1).await);
    let fields = [("code", code.as_str()), ("name", name), ("password", PASSWORD), ("again", PASSWORD)];
    assert_eq!(location(&browser.post(&page, &fields).await), "/recorders?news=registered");
    forget_mails(cloud);
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_used_and_removed() {
    let cloud = Cloud::start().await;
    let mut browser = Browser::new(&cloud);
    let page = location(&browser.asks("/account/sign-up", ("email", "Anna@home.example")).await);
    let code = code_in(&mail(&cloud, "Anna@home.example", 1).await);
    assert_eq!(code.len(), 4);
    let shown = browser.get(&page).await;
    assert!(shown.body.contains("4 digits") && shown.body.contains("30 minutes"), "{}", shown.body);

    // What is wrong is said beside what was typed, and costs no try unless it is the code.
    let wrong = if code == "0000" { "0001" } else { "0000" };
    for (code, name, password, again, words) in [
        (code.as_str(), "an na", PASSWORD, PASSWORD, "3 to 32 letters and digits, and nothing else"),
        (&code, "anna", "passwort", "passwort", "too easy to guess"),
        (&code, "anna", "Anna@home.example", "Anna@home.example", "too easy to guess"),
        (&code, "anna", PASSWORD, "Correct horse 2", "The two passwords differ"),
        (wrong, "anna", PASSWORD, PASSWORD, "4 tries are left"),
    ] {
        let fields = [("code", code), ("name", name), ("password", password), ("again", again)];
        let told = browser.post(&page, &fields).await;
        assert_eq!(told.status, 422, "{told:?}");
        assert!(told.body.contains(words), "{words}: {}", told.body);
        assert!(!told.body.contains(password), "a password is not sent back");
    }
    let fields = [("code", code.as_str()), ("name", "Anna"), ("password", PASSWORD), ("again", PASSWORD)];
    assert_eq!(location(&browser.post(&page, &fields).await), "/recorders?news=registered");
    let told = browser.get("/recorders?news=registered").await;
    assert!(told.body.contains("Registered.") && told.body.contains("No recorder yet"), "{}", told.body);
    let told = browser.get("/account").await;
    assert!(told.body.contains("A***a@h***e.example"), "{}", told.body);
    assert_eq!(browser.post(&page, &fields).await.status, 410, "the code is used up");

    // Signing in by name in any case, and by address; "stay" makes the cookie last.
    for (who, stay) in [("aNNa", ""), ("anna@HOME.example", "1")] {
        let mut other = Browser::new(&cloud);
        let told =
            other.post("/account/sign-in", &[("who", who), ("password", PASSWORD), ("stay", stay)]).await;
        assert_eq!(location(&told), "/recorders");
        assert_eq!(told.header("set-cookie").unwrap().contains("Max-Age"), !stay.is_empty());
        assert!(other.is_in().await);
    }
    // A session without "stay" is over after half a day, the other one after a month.
    let (mut short, mut long) = (Browser::new(&cloud), Browser::new(&cloud));
    short.post("/account/sign-in", &[("who", "anna"), ("password", PASSWORD)]).await;
    long.post("/account/sign-in", &[("who", "anna"), ("password", PASSWORD), ("stay", "1")]).await;
    cloud.clock.pass(13 * 3600);
    assert!(!short.is_in().await && long.is_in().await);

    // Out everywhere.
    let form = long.form().await;
    assert_eq!(
        location(&long.post("/account/sign-out", &[("form", &form), ("everywhere", "1")]).await),
        "/account/sign-in?news=out"
    );
    browser.cookie = None;
    browser.post("/account/sign-in", &[("who", "anna"), ("password", PASSWORD)]).await;
    let form = browser.form().await;
    let wrong = [("form", form.as_str()), ("password", "Wrong horse 1")];
    assert_eq!(browser.post("/account/remove", &wrong).await.status, 422);
    let right = [("form", form.as_str()), ("password", PASSWORD)];
    assert_eq!(location(&browser.post("/account/remove", &right).await), "/account/sign-in?news=removed");
    assert!(mail(&cloud, "Anna@home.example", 2).await.contains("deleted"));
    let told = browser.post("/account/sign-in", &[("who", "anna"), ("password", PASSWORD)]).await;
    assert_eq!(told.status, 422);
    assert_eq!(rows(&cloud.config().database(), "SELECT name FROM account"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_whether_an_address_is_known() {
    let cloud = Cloud::start().await;
    registered(&cloud, "anna@home.example", "anna").await;
    let mut browser = Browser::new(&cloud);
    // Without what differs each time: the answers to a known and an unknown address are the same.
    let same = |answer: &Answer, page: &str| {
        let hidden = page.rsplit('/').next().unwrap().to_owned();
        (answer.status, answer.body.replace(&hidden, "ID"))
    };
    let mut pages = vec![];
    for email in ["anna@home.example", "ben@home.example"] {
        let told = browser.asks("/account/sign-up", ("email", email)).await;
        let page = location(&told);
        let shown = browser.get(&page).await;
        pages.push((told.body.clone(), same(&shown, &page)));
    }
    assert_eq!(pages[0], pages[1]);
    assert!(mail(&cloud, "anna@home.example", 1).await.contains("You have an account already"));
    code_in(&mail(&cloud, "ben@home.example", 1).await);

    let mut pages = vec![];
    for who in ["anna", "anna@home.example", "nobody", "nobody@home.example"] {
        let told = browser.asks("/account/forgot", ("who", who)).await;
        let page = location(&told);
        let shown = browser.get(&page).await;
        let fields = [("code", "12345678"), ("password", PASSWORD), ("again", PASSWORD)];
        let tried = browser.post(&page, &fields).await;
        pages.push((same(&shown, &page), same(&tried, &page)));
    }
    assert!(pages.iter().all(|page| *page == pages[0]));
    let mut told = vec![];
    for (who, password) in [("anna", "Wrong horse 1"), ("nobody", "Wrong horse 1")] {
        let answer = browser.post("/account/sign-in", &[("who", who), ("password", password)]).await;
        told.push((answer.status, answer.body.replace(who, "WHO")));
    }
    assert_eq!(told[0], told[1]);
    // The database holds no address, no code and no password.
    let bytes = std::fs::read(cloud.config().database()).unwrap();
    let wal = std::fs::read(cloud.folder.0.join("cloud.db-wal")).unwrap_or_default();
    for secret in ["home.example", "Correct horse"] {
        let holds = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!holds(&bytes) && !holds(&wal), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_void_after_five_tries_a_new_one_and_half_an_hour() {
    let cloud = Cloud::start().await;
    let mut browser = Browser::new(&cloud);
    let page = location(&browser.asks("/account/sign-up", ("email", "anna@home.example")).await);
    let first = code_in(&mail(&cloud, "anna@home.example", 1).await);
    let with = |code: &str| {
        [
            ("code", code.to_owned()),
            ("name", "anna".into()),
            ("password", PASSWORD.into()),
            ("again", PASSWORD.into()),
        ]
    };
    async fn send(browser: &mut Browser, page: &str, fields: &[(&str, String)]) -> Answer {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post(page, &fields).await
    }
    let wrong = |code: &str| if code == "1234" { "1235" } else { "1234" }.to_owned();
    for _ in 0..5 {
        assert_eq!(send(&mut browser, &page, &with(&wrong(&first))).await.status, 422);
    }
    let told = send(&mut browser, &page, &with(&first)).await;
    assert!(told.status == 422 && told.body.contains("cannot be used any more"), "{told:?}");

    // A new one after a minute and not before; it voids the one before.
    assert_eq!(browser.post(&format!("{page}/resend"), &[]).await.status, 429);
    cloud.clock.pass(61);
    assert_eq!(location(&browser.post(&format!("{page}/resend"), &[]).await), page);
    mail(&cloud, "anna@home.example", 2).await;
    let second: Vec<String> =
        cloud.mails().iter().map(|mail| code_in(mail)).filter(|code| *code != first).collect();
    if second.len() == 1 {
        assert_eq!(send(&mut browser, &page, &with(&first)).await.status, 422, "the old code is void");
    }
    cloud.clock.pass(30 * 60 - 1);
    assert_eq!(browser.get(&page).await.status, 200);
    cloud.clock.pass(1);
    assert_eq!(browser.get(&page).await.status, 410);
    assert_eq!(send(&mut browser, &page, &with(&first)).await.status, 410);

    // A network asks for six codes a day for one address; somebody else's address is not touched by that.
    for _ in 0..5 {
        assert_eq!(browser.asks("/account/sign-up", ("email", "anna@home.example")).await.status, 303);
    }
    assert_eq!(browser.asks("/account/sign-up", ("email", "ANNA@home.example")).await.status, 429);
    assert_eq!(browser.asks("/account/sign-up", ("email", "ben@home.example")).await.status, 303);
    // A riddle is good for one answer, and a wrong one sends nothing.
    let before = cloud.mails().len();
    let shown = browser.get("/account/sign-up?riddle=words").await.body;
    let (token, answer) = riddle(&shown);
    for given in ["99", answer.as_str()] {
        let fields = [("email", "carl@home.example"), ("riddle", token.as_str()), ("answer", given)];
        assert_eq!(browser.post("/account/sign-up", &fields).await.status, 422, "{given}");
    }
    assert!(cloud.mails().len() <= before + 1, "at most the mail to Ben came in between");
    let picture = browser.get("/account/sign-up").await.body;
    let picture = browser.get(between(&picture, "<img class=\"riddle\" src=\"", "\"")).await;
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/png")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_and_a_new_address_go_by_mailed_codes() {
    let cloud = Cloud::start().await;
    let mut browser = registered(&cloud, "anna@home.example", "anna").await;
    let mut forgetful = Browser::new(&cloud);
    let page = location(&forgetful.asks("/account/forgot", ("who", "anna")).await);
    let code = code_in(&mail(&cloud, "anna@home.example", 1).await);
    assert_eq!(code.len(), 8);
    let grouped = format!("{} {}", &code[..4], &code[4..]);
    let fields = [("code", grouped.as_str()), ("password", "Another horse 2"), ("again", "Another horse 2")];
    assert_eq!(location(&forgetful.post(&page, &fields).await), "/account/sign-in?news=password");
    assert!(!browser.is_in().await, "every session has ended");
    assert!(mail(&cloud, "anna@home.example", 2).await.contains("The password was changed"));
    for (password, status) in [(PASSWORD, 422), ("Another horse 2", 303)] {
        let told = browser.post("/account/sign-in", &[("who", "anna"), ("password", password)]).await;
        assert_eq!(told.status, status);
    }
    forget_mails(&cloud);

    // Another address: with the password, and proven by a code; the old address is told.
    let form = browser.form().await;
    let wish = [("form", form.as_str()), ("email", "anna@work.example"), ("password", "Another horse 2")];
    let page = location(&browser.post("/account/email", &wish).await);
    let code = code_in(&mail(&cloud, "anna@work.example", 1).await);
    let mut stranger = Browser::new(&cloud);
    assert_eq!(
        location(&stranger.post(&page, &[("code", &code)]).await),
        "/account/sign-in",
        "not signed in"
    );
    assert_eq!(location(&browser.post(&page, &[("code", &code)]).await), "/account?news=email");
    assert!(mail(&cloud, "anna@home.example", 1).await.contains("The address was changed"));
    let mut by_address = Browser::new(&cloud);
    for (who, status) in [("anna@home.example", 422), ("anna@work.example", 303)] {
        let fields = [("who", who), ("password", "Another horse 2")];
        assert_eq!(by_address.post("/account/sign-in", &fields).await.status, status, "{who}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_tells_of_no_account_and_a_stranger_uses_up_nobodys() {
    let cloud = Cloud::start().await;
    registered(&cloud, "anna@home.example", "anna").await;
    let from = |host| Browser { from: Ipv4Addr::new(127, 0, 0, host), ..Browser::new(&cloud) };
    // Whether there is such an account or not, by name or by address: the same.
    for (host, who) in [(2, "anna"), (2, "nobody"), (3, "anna@home.example"), (3, "nobody@home.example")] {
        let mut stranger = from(host);
        for status in [303, 303, 303, 303, 303, 303, 429] {
            assert_eq!(stranger.asks("/account/forgot", ("who", who)).await.status, status, "{who}");
        }
    }
    mail(&cloud, "anna@home.example", 12).await;
    // Anna, elsewhere, is not touched by that.
    let mut owner = Browser::new(&cloud);
    let page = location(&owner.asks("/account/forgot", ("who", "anna")).await);
    mail(&cloud, "anna@home.example", 13).await;
    // Another sending counts for who asks for it, as for nobody's code.
    // (One more went to where she registered.)
    for _ in 0..18 {
        cloud.clock.pass(61);
        assert_eq!(location(&owner.post(&format!("{page}/resend"), &[]).await), page);
    }
    cloud.clock.pass(61);
    assert_eq!(owner.post(&format!("{page}/resend"), &[]).await.status, 429);
    // An address gets no more than thirty a day, and nobody is told that it does not.
    let mut far = from(4);
    location(&far.asks("/account/forgot", ("who", "anna")).await);
    location(&far.asks("/account/sign-up", ("email", "ben@home.example")).await);
    mail(&cloud, "ben@home.example", 1).await;
    mail(&cloud, "anna@home.example", 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_of_other_sites_and_guessed_passwords_get_nowhere() {
    let cloud = Cloud::start().await;
    let mut browser = registered(&cloud, "anna@home.example", "anna").await;
    let form = browser.form().await;
    for more in ["Origin: https://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        for path in ["/account/sign-in", "/account/sign-out", "/account/remove", "/account/sign-up"] {
            let fields = [("form", form.as_str()), ("password", PASSWORD), ("who", "anna")];
            assert_eq!(browser.ask("POST", path, &fields, more).await.status, 403, "{more} {path}");
        }
    }
    // A form of one session is none of another's.
    let mut other = registered(&cloud, "ben@home.example", "ben").await;
    assert_eq!(other.post("/account/remove", &[("form", &form), ("password", PASSWORD)]).await.status, 403);
    assert!(browser.is_in().await && other.is_in().await);
    assert_eq!(browser.post("/account/sign-in", &[("who", &"x".repeat(9000))]).await.status, 413);
    assert_eq!(browser.post("/account/sign-in", &[("unknown", "field")]).await.status, 400);

    // Ten passwords in a quarter of an hour, then not even the right one: and Ben is not touched by it.
    let mut thief = Browser::new(&cloud);
    for i in 0..10 {
        let guess = format!("Guessed horse {i}");
        assert_eq!(
            thief.post("/account/sign-in", &[("who", "anna"), ("password", &guess)]).await.status,
            422
        );
    }
    assert_eq!(thief.post("/account/sign-in", &[("who", "anna"), ("password", PASSWORD)]).await.status, 429);
    assert_eq!(thief.post("/account/sign-in", &[("who", "ben"), ("password", PASSWORD)]).await.status, 303);
    cloud.clock.pass(1800);
    assert_eq!(thief.post("/account/sign-in", &[("who", "anna"), ("password", PASSWORD)]).await.status, 303);
}
