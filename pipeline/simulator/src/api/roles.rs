//! The roles a key may have.

use std::collections::BTreeSet;

/// Every role that an endpoint of this simulator accepts, besides the legacy `org.user.…` and
/// `org.admin.…` roles and roles for one klass (`org.permission.kobject.kobject_order.create`).
pub const ALL_ROLES: &[&str] = &[
    "org.tracking",
    "org.permission.event.read",
    "org.permission.customer.create",
    "org.permission.customer.read",
    "org.permission.customer.update",
    "org.permission.customer.delete",
    "org.permission.customer_merge.create",
    "org.permission.company.create",
    "org.permission.company.read",
    "org.permission.company.update",
    "org.permission.kobject.create",
    "org.permission.kobject.read",
    "org.permission.kobject.update",
    "org.permission.kobject.delete",
    "org.permission.bulk.read",
    "org.permission.klass.read",
    "org.permission.klass.create",
    "org.permission.klass.update",
    "org.permission.klass.delete",
    "org.permission.metadata.read",
    "org.permission.metadata.update",
    "org.permission.search.create",
];

/// The roles of the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles(BTreeSet<String>);

impl Default for Roles {
    fn default() -> Self {
        Self(ALL_ROLES.iter().map(|role| (*role).to_owned()).collect())
    }
}

impl Roles {
    /// Reads `all`, a list of roles, or a list of roles to remove from all (`-org.tracking`).
    ///
    /// `None` if a name is not a role, or if both forms are mixed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let names: Vec<&str> = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        if names == ["all"] {
            return Some(Self::default());
        }
        let removed: Vec<&str> = names
            .iter()
            .filter_map(|name| name.strip_prefix('-'))
            .collect();
        if removed.is_empty() {
            let known = names.iter().all(|name| is_role(name));
            return known.then(|| Self(names.iter().map(|name| (*name).to_owned()).collect()));
        }
        let known = removed.iter().all(|name| ALL_ROLES.contains(name));
        if !known || removed.len() != names.len() {
            return None;
        }
        let mut roles = Self::default();
        roles.0.retain(|role| !removed.contains(&role.as_str()));
        Some(roles)
    }

    /// Whether the role is among them.
    #[must_use]
    pub fn has(&self, role: &str) -> bool {
        self.0.contains(role)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The text that [`Roles::parse`] reads.
    #[must_use]
    pub fn text(&self) -> String {
        if *self == Self::default() {
            return "all".to_owned();
        }
        self.0.iter().cloned().collect::<Vec<_>>().join(",")
    }
}

fn is_role(name: &str) -> bool {
    ALL_ROLES.contains(&name)
        || name.starts_with("org.user.")
        || name.starts_with("org.admin.")
        || name.starts_with("org.permission.kobject.kobject_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_away_or_lists() {
        let without = Roles::parse("-org.tracking").unwrap();
        assert!(!without.has("org.tracking"));
        assert!(without.has("org.permission.kobject.create"));
        let only = Roles::parse("org.tracking, org.user.customer.read").unwrap();
        assert_eq!(only.iter().count(), 2);
        assert_eq!(Roles::parse("org.trackin"), None);
        assert_eq!(Roles::parse("-org.tracking,org.user.customer.read"), None);
        assert_eq!(Roles::parse("all").unwrap().text(), "all");
    }
}
