//! Replies.
/// Pairs.
#[derive(Debug, Clone)]
pub struct Pairs<'a>(&'a [u8]);
impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);
    fn next(&mut self) -> Option<Self::Item> {
        let _ = self.0;
        None
    }
}
