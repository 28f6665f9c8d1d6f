//! URL mapping.
