//! Values that others hold and know nothing of.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value behind a pointer to a trait.
///
/// How it is copied, written out and let go is compiled where it is made, and not again in each crate that holds one. The
/// cells of a notebook are such crates: each of them takes and keeps the variables of all cells before it.
pub struct Opaque<T>(Box<dyn Held<T>>);

/// What can be done with a value that is not known.
trait Held<T>: Send + Sync {
    fn value(&self) -> &T;
    fn value_mut(&mut self) -> &mut T;
    fn into_value(self: Box<Self>) -> T;
    fn another(&self) -> Opaque<T>;
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// The value itself.
struct Known<T>(T);

impl<T: Clone + fmt::Debug + Send + Sync + 'static> Held<T> for Known<T> {
    fn value(&self) -> &T {
        &self.0
    }

    fn value_mut(&mut self) -> &mut T {
        &mut self.0
    }

    fn into_value(self: Box<Self>) -> T {
        self.0
    }

    fn another(&self) -> Opaque<T> {
        Opaque::from(self.0.clone())
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<T: Clone + fmt::Debug + Send + Sync + 'static> From<T> for Opaque<T> {
    fn from(value: T) -> Self {
        Self(Box::new(Known(value)))
    }
}

impl<T> Opaque<T> {
    /// The value, without the pointer.
    pub fn into_inner(self) -> T {
        self.0.into_value()
    }
}

impl<T> Deref for Opaque<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.value()
    }
}

impl<T> DerefMut for Opaque<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.value_mut()
    }
}

impl<T> Clone for Opaque<T> {
    fn clone(&self) -> Self {
        self.0.another()
    }
}

impl<T> fmt::Debug for Opaque<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f)
    }
}

impl<T: PartialEq> PartialEq for Opaque<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Opaque<T> {}

impl<T: Serialize> Serialize for Opaque<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::serialize(self, serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Opaque<T>
where
    Self: From<T>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

impl<A, T: FromIterator<A>> FromIterator<A> for Opaque<T>
where
    Self: From<T>,
{
    fn from_iter<I: IntoIterator<Item = A>>(items: I) -> Self {
        Self::from(T::from_iter(items))
    }
}

impl<T: IntoIterator> IntoIterator for Opaque<T> {
    type Item = T::Item;
    type IntoIter = T::IntoIter;

    fn into_iter(self) -> T::IntoIter {
        self.into_inner().into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Opaque<T>
where
    &'a T: IntoIterator,
{
    type Item = <&'a T as IntoIterator>::Item;
    type IntoIter = <&'a T as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        <&'a T as IntoIterator>::into_iter(self)
    }
}

impl<'a, T> IntoIterator for &'a mut Opaque<T>
where
    &'a mut T: IntoIterator,
{
    type Item = <&'a mut T as IntoIterator>::Item;
    type IntoIter = <&'a mut T as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        <&'a mut T as IntoIterator>::into_iter(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn it_is_used_as_what_it_holds() {
        let mut held = Opaque::from(vec![1, 2]);
        let copy = held.clone();
        held.extend(copy);
        for number in &mut held {
            *number *= 10;
        }
        assert_eq!(format!("{held:?}"), "[10, 20, 10, 20]");
        assert_eq!((&held).into_iter().sum::<i32>(), 60);
        let same: Opaque<Vec<i32>> = [10, 20, 10, 20].into_iter().collect();
        assert_eq!(held, same);
        assert_eq!(held.into_inner().len(), 4);
    }

    #[test]
    fn a_copy_is_one_of_its_own_and_each_goes_once() {
        let counted = Arc::new(());
        let held = Opaque::from(Arc::clone(&counted));
        let copy = held.clone();
        assert_eq!(Arc::strong_count(&counted), 3);
        drop(held);
        drop(copy.into_inner());
        assert_eq!(Arc::strong_count(&counted), 1);
    }

    #[test]
    fn whoever_holds_one_knows_a_pointer() {
        assert_eq!(size_of::<Opaque<[u64; 9]>>(), size_of::<[usize; 2]>());
    }
}
