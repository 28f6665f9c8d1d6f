//! Balancers and sequences of requests made at random, after the model of [`crate::generate`].
//!
//! Nothing fails in them but the search for a member: what comes after a failure depends on time. And nothing is in them
//! that the modules decide in different ways, because all later choices would differ too.

use crate::case::{World, answer, get};
use crate::cases::balancers::{farm, world};
use crate::generate::Random;

/// Requests to one httpd.
const PER_WORLD: u64 = 600;

/// Balancers of one httpd.
const FARMS: usize = 12;

/// As many worlds as so many requests need.
pub fn worlds(seed: u64, requests: u64) -> Vec<World> {
    let count = requests.div_ceil(PER_WORLD);
    (0..count)
        .map(|index| {
            let mut random = Random::of_world(seed, index + (1 << 32));
            let mut world = world(&format!("generated-farms-{seed}-{index}"));
            world.generated = true;
            for _ in 0..FARMS {
                any_farm(&mut world, &mut random);
            }
            for _ in 0..PER_WORLD.min(requests - index * PER_WORLD) {
                let host = random.below(FARMS);
                any_request(&mut world, host, &mut random);
            }
            world
        })
        .collect()
}

fn any_farm(world: &mut World, random: &mut Random) {
    let mut lines = String::from("retry_interval=1");
    for (odds, choices) in [
        (1, &["method=R", "method=R", "method=T", "method=B", "method=S", "method=N"][..]),
        (8, &["sticky_session=0"]),
        (4, &["set_session_cookie=1 session_cookie=RT", "session_cookie=RT", "session_path=;rt"]),
        (8, &["lock=P"]),
        (6, &["retries=1", "lb_retries=3", "retries=3"]),
    ] {
        if random.chance(odds) {
            lines = lines + " " + random.of(choices);
        }
    }
    let count = random.of(&[1, 2, 2, 3, 3, 3, 4, 5, 6]);
    let members: Vec<String> = (0..count).map(|_| any_member(random)).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let rule = random.of(&[
        "",
        "",
        "",
        ";stateless=1",
        ";sticky_ignore=1",
        ";disabled=@n1",
        ";stopped=@n1,@n2",
        ";active=@n2",
        ";session_cookie=RT",
    ]);
    let conf = random.of(&[
        "",
        "SetEnvIf X-Route (.+) JK_ROUTE=$1",
        "SetEnvIf X-Free (.+) JK_STATELESS=$1",
        "SetEnvIf X-Ignore (.+) JK_STICKY_IGNORE=$1",
    ]);
    farm(world, &lines, &members, rule, conf);
}

fn any_member(random: &mut Random) -> String {
    let mut lines = String::new();
    for (odds, choices) in [
        (2, &["lbfactor=1", "lbfactor=2", "lbfactor=3", "lbfactor=7", "lbfactor=10"][..]),
        (4, &["distance=1", "distance=1", "distance=2"]),
        (5, &["activation=d", "activation=s"]),
        (4, &["domain=d1", "domain=d2"]),
        (5, &["redirect=n1", "redirect=n2", "redirect=n3", "redirect=gone"]),
    ] {
        if random.chance(odds) {
            lines = lines + random.of(choices) + " ";
        }
    }
    lines
}

fn any_request(world: &mut World, host: usize, random: &mut Random) {
    let route = |random: &mut Random| {
        random.of(&["n1", "n2", "n3", "n4", "n1", "n2", "gone", "d1", "d2", "d1.x", "N1", ""])
    };
    let path = match random.below(5) {
        0 => format!("/x;jsessionid=s.{}", route(random)),
        1 if random.chance(3) => format!("/x;rt=s.{}/y", route(random)),
        _ => "/x".to_owned(),
    };
    let mut case = get(host, &path);
    if random.chance(2) {
        let mut cookie = String::new();
        for _ in 0..=random.below(2) {
            let name = random.of(&["JSESSIONID", "JSESSIONID", "RT", "x"]);
            let quote = random.of(&["", "", "", "\""]);
            cookie += &format!("{name}={quote}s.{}{quote}{}", route(random), random.of(&["; ", ";", ", "]));
        }
        case = case.header("Cookie", cookie.trim_end_matches([';', ',', ' ']));
    }
    for name in ["X-Route", "X-Free", "X-Ignore"] {
        if random.chance(4) {
            case = case.header(name, random.of(&["n1", "n2", "", "1", "0", "d1", "gone"]));
        }
    }
    if random.chance(6) {
        case = case.method("POST").body("posted");
    }
    if random.chance(4) {
        let size = random.of(&[0, 5, 300, 5000, 30_000]);
        case = case.answer(answer(200, &[("Content-Type", "text/plain")], &"y".repeat(size)));
    }
    world.add(case);
}
