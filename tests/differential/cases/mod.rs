//! The cases chosen by hand, by subject.

pub mod balancers;
mod files;
mod mapping;
mod modules;
mod requests;
mod responses;
mod steering;

use crate::case::World;

/// All worlds.
pub fn worlds() -> Vec<World> {
    let mut worlds = mapping::worlds();
    worlds.extend(files::worlds());
    worlds.extend(requests::worlds());
    worlds.extend(steering::worlds());
    worlds.extend(responses::worlds());
    worlds.extend(modules::worlds());
    worlds.extend(balancers::worlds());
    for world in &mut worlds {
        for name in
            ["static.txt", "app/static.txt", "app/s/x", "d/index.html", "x.gz", "a;b.txt", "sub/page.html"]
        {
            world.file(&format!("htdocs/{name}"), &format!("file {name}\n"));
        }
    }
    worlds
}
