//! What an element must look like to the last attribute and character: of what we insert, nothing is left to chance.
//! Namespace declarations are free, for names are compared by what they mean.

use std::borrow::Cow;

use crate::xml::libxml::Element;

/// One element, and all that it holds.
pub(super) struct Shape<'a> {
    namespace: &'static str,
    local: &'static str,
    attributes: Vec<(&'static str, &'static str, Value<'a>)>,
    content: Content<'a>,
}

/// What stands in an attribute, or as text.
pub(super) enum Value<'a> {
    /// Just this.
    Exactly(Cow<'a, str>),
    /// What is proved elsewhere: ids, digests, values of signatures.
    Any,
}

enum Content<'a> {
    Text(Value<'a>),
    Elements(Vec<Shape<'a>>),
}

impl<'a> Shape<'a> {
    /// Without attributes and content.
    pub(super) fn new(namespace: &'static str, local: &'static str) -> Self {
        Self {
            namespace,
            local,
            attributes: Vec::new(),
            content: Content::Elements(Vec::new()),
        }
    }

    /// With this attribute, too.
    pub(super) fn with(mut self, namespace: &'static str, local: &'static str, value: Value<'a>) -> Self {
        self.attributes.push((namespace, local, value));
        self
    }

    /// Holding text.
    pub(super) fn saying(mut self, text: Value<'a>) -> Self {
        self.content = Content::Text(text);
        self
    }

    /// Holding just these, with nothing between them.
    pub(super) fn holding(mut self, elements: impl IntoIterator<Item = Self>) -> Self {
        self.content = Content::Elements(elements.into_iter().collect());
        self
    }

    /// Does the element look so? If not, says where not.
    pub(super) fn fits(&self, element: Element<'_>) -> Result<(), String> {
        let (local, found) = (self.local, element.local_name());
        if !element.is(self.namespace, local) {
            return Err(format!("there is a {found} in place of {local}"));
        }
        if element.attributes().count() != self.attributes.len() {
            return Err(format!("{local} has other attributes than it should have"));
        }
        for (namespace, name, value) in &self.attributes {
            match element.attribute(namespace, name) {
                Some(found) if value.allows(&found) => {}
                Some(found) => return Err(format!("{local} has {found:?} for {name}")),
                None => return Err(format!("{local} has no {name}")),
            }
        }
        self.content_fits(element)
    }

    fn content_fits(&self, element: Element<'_>) -> Result<(), String> {
        let local = self.local;
        match &self.content {
            Content::Text(value) => match element.text() {
                Some(found) if value.allows(&found) => Ok(()),
                Some(found) => Err(format!("{local} says {found:?}")),
                None => Err(format!("{local} holds more than text")),
            },
            Content::Elements(shapes) => {
                if !element.holds_only_elements() || element.children().count() != shapes.len() {
                    return Err(format!("{local} holds more or less than it should"));
                }
                let mut each = shapes.iter().zip(element.children());
                each.try_for_each(|(shape, child)| shape.fits(child))
            }
        }
    }
}

impl Value<'_> {
    fn allows(&self, found: &str) -> bool {
        match self {
            Self::Exactly(expected) => expected == found,
            Self::Any => true,
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Exactly(text.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Exactly(text.into())
    }
}
