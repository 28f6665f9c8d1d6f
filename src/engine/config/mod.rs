//! Configuration: the language of `workers.properties` and the workers it describes.

pub mod diagnostic;
pub mod nearest;
pub mod secret;
pub mod value;
