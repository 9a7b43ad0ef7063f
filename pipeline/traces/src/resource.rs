//! Who sends spans: the attributes of the process, those of the environment's `OTEL_RESOURCE_ATTRIBUTES` included.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// The attributes of the process, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource(BTreeMap<String, String>);

/// A text that does not have the form of `OTEL_RESOURCE_ATTRIBUTES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not name=value pairs with commas between them, values percent-encoded")]
pub struct NotAttributes;

impl Resource {
    /// The attributes in a text such as `k8s.pod.name=ingest-0,deployment.environment.name=production`.
    ///
    /// # Errors
    /// It does not have that form; then all of it is to be ignored.
    pub fn read(text: &str) -> Result<Self, NotAttributes> {
        let pairs = text.split(',').map(str::trim).filter(|one| !one.is_empty());
        let read = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').ok_or(NotAttributes)?;
            let name = name.trim();
            let value = percent_decode_str(value.trim()).decode_utf8();
            match value {
                Ok(value) if !name.is_empty() => Ok((name.to_owned(), value.into_owned())),
                Ok(_) | Err(_) => Err(NotAttributes),
            }
        });
        Ok(Self(read.collect::<Result<_, _>>()?))
    }

    /// Sets an attribute, whatever it was before.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets an attribute unless it is there.
    #[must_use]
    pub fn or(mut self, name: &str, value: &str) -> Self {
        let entry = self.0.entry(name.to_owned());
        entry.or_insert_with(|| value.to_owned());
        self
    }

    /// Every attribute.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environments_attributes_are_read_or_ignored_as_a_whole() {
        let read = Resource::read("k8s.pod.name=a-0, team=order%20desk%2C1 ,,x=").unwrap();
        let read = read
            .or("team", "other")
            .or("service.name", "s")
            .with("x", "1");
        let all: Vec<(&str, &str)> = read.iter().collect();
        let expected = [
            ("k8s.pod.name", "a-0"),
            ("service.name", "s"),
            ("team", "order desk,1"),
            ("x", "1"),
        ];
        assert_eq!(all, expected);
        assert_eq!(Resource::read("").unwrap(), Resource::default());
        for bad in ["a", "a=1,b", "=1", "a=%ff"] {
            assert_eq!(Resource::read(bad), Err(NotAttributes), "{bad}");
        }
    }
}
