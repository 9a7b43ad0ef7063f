//! `admin`: where the worker can be watched, and where it takes changes.

use std::net::SocketAddr;

use super::Checker;
use crate::config::defaults;
use crate::config::raw::RawAdmin;
use crate::config::settings::AdminSettings;

/// What switches the address for changes off.
const OFF: &str = "off";

impl Checker<'_> {
    pub(super) fn admin(&mut self, raw: &RawAdmin) -> Option<AdminSettings> {
        let listen = self.parsed(
            &raw.listen,
            defaults::ADMIN_LISTEN,
            "give an IP address and a port, such as 0.0.0.0:9464",
        );
        let mut reference = |secret: &Option<_>| match secret {
            Some(secret) => self.secret(secret).map(Some),
            None => Some(None),
        };
        let (token, read_token) = (reference(&raw.token), reference(&raw.read_token));
        let control = self.control(raw, listen, token.as_ref().is_some_and(Option::is_some));
        Some(AdminSettings {
            listen: listen?,
            control: control?,
            control_given: raw.control.is_some(),
            token: token?,
            read_token: read_token?,
        })
    }

    /// Where changes are taken, besides `listen`. An address that only this machine reaches takes them itself.
    fn control(
        &mut self,
        raw: &RawAdmin,
        listen: Option<SocketAddr>,
        has_token: bool,
    ) -> Option<Option<SocketAddr>> {
        let Some(leaf) = &raw.control else {
            let local = listen.is_some_and(|listen| listen.ip().is_loopback());
            return Some((!local).then_some(defaults::ADMIN_CONTROL));
        };
        let text = self.text(leaf)?;
        if text == OFF {
            return Some(None);
        }
        let Ok(address) = text.parse::<SocketAddr>() else {
            self.at(
                leaf,
                &format!("`{text}` cannot be read"),
                "give an IP address and a port, such as 127.0.0.1:9465, or off",
            );
            return None;
        };
        if !address.ip().is_loopback() && !has_token {
            self.at(
                leaf,
                &format!("anybody who reaches {address} could change the worker"),
                "take an address of this machine, such as 127.0.0.1:9465, or name a token: admin.token",
            );
            return None;
        }
        if listen == Some(address) && address.port() != 0 {
            self.at(
                leaf,
                "is the same address as admin.listen",
                "leave it out: an address of this machine takes changes itself",
            );
            return None;
        }
        Some(Some(address))
    }
}
