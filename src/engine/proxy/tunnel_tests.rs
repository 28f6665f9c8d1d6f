//! Tunnels between two scripted ends, step by step and by seeds: random pieces, pauses, slow readers, ends and breaks.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::*;
use crate::engine::exchange::ResponseHead;
use crate::engine::proxy::host::Then;
use crate::engine::request::{Request, RequestHead};

const LIMITS: Limits = Limits { idle: Some(Duration::from_secs(100)), half: Duration::from_secs(10) };

/// One end of the tunnel: what it sends, what it has got, how much it takes.
#[derive(Debug, Default)]
struct Side {
    /// Pieces to send; an empty one is a pause.
    sends: VecDeque<Vec<u8>>,
    /// Behind the last piece: an end (true), or nothing more for now.
    ends: bool,
    /// It breaks when this many calls have been made.
    breaks: Option<u32>,
    got: Vec<u8>,
    /// Octets it takes before it wants to be waited for; `None`: any number.
    room: Option<usize>,
    /// The other side's end was told to it.
    told: bool,
    calls: u32,
}

impl Side {
    fn call(&mut self) -> Result<(), ()> {
        self.calls += 1;
        if self.breaks.is_some_and(|at| self.calls > at) { Err(()) } else { Ok(()) }
    }

    /// Octets, 0: the end, `None`: nothing now.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, ()> {
        self.call()?;
        let Some(piece) = self.sends.front_mut() else { return Ok(self.ends.then_some(0)) };
        if piece.is_empty() {
            self.sends.pop_front();
            return Ok(None);
        }
        let n = piece.len().min(buffer.len());
        buffer[..n].copy_from_slice(&piece[..n]);
        piece.drain(..n);
        if piece.is_empty() {
            self.sends.pop_front();
        }
        Ok(Some(n))
    }

    fn write(&mut self, data: &[u8]) -> Result<usize, ()> {
        self.call()?;
        assert!(!self.told && !data.is_empty(), "octets behind the end, or none");
        let n = self.room.unwrap_or(usize::MAX).min(data.len());
        self.room = self.room.map(|room| room - n);
        self.got.extend_from_slice(&data[..n]);
        Ok(n)
    }
}

struct Client {
    side: Side,
    now: Rc<Cell<u64>>,
    stop: Option<Duration>,
    can_end: bool,
    /// Written and not taken yet.
    held: Vec<u8>,
}

impl Request for Client {
    fn head(&self) -> RequestHead<'_> {
        unreachable!("the head has been sent")
    }

    fn each_header(&self, _: &mut dyn FnMut(&[u8], &[u8])) {}

    fn each_attribute(&self, _: &mut dyn FnMut(&[u8], &[u8])) {}
}

impl Host for Client {
    fn read_body(&mut self, _: &mut [u8], _: bool) -> Result<BodyRead, ClientFault> {
        unreachable!("no body")
    }

    fn body_descriptor(&self) -> Option<i32> {
        None
    }

    fn start_response(&mut self, _: &ResponseHead<'_>) {}

    fn replace_response(&mut self, _: &ResponseHead<'_>) {}

    fn forget_response(&mut self) {}

    fn write(&mut self, _: &[&[u8]], _: Then) -> Result<(), ClientFault> {
        unreachable!("no response")
    }

    fn congested(&mut self) -> Result<bool, ClientFault> {
        if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            let n = self.side.write(&held).map_err(|()| ClientFault::Gone)?;
            self.held = held[n..].to_vec();
        }
        Ok(!self.held.is_empty())
    }

    fn now(&self) -> Tick {
        Tick(self.now.get())
    }

    fn tunnel_read(&mut self, buffer: &mut [u8]) -> Result<BodyRead, ClientFault> {
        Ok(match self.side.read(buffer).map_err(|()| ClientFault::Gone)? {
            None => BodyRead::WouldBlock,
            Some(0) => BodyRead::End,
            Some(n) => BodyRead::Data(n),
        })
    }

    fn tunnel_write(&mut self, data: &[u8]) -> Result<(), ClientFault> {
        assert!(self.held.is_empty() && data.len() <= PORTION, "the client was not ready");
        self.held = data.to_vec();
        self.congested().map(drop)
    }

    fn tunnel_end(&mut self) -> Result<bool, ClientFault> {
        assert!(self.held.is_empty(), "an end before the last octet");
        self.side.told |= self.can_end;
        Ok(self.can_end)
    }

    fn stops_in(&self) -> Option<Duration> {
        self.stop
    }
}

#[derive(Clone)]
struct Backend(Rc<RefCell<Side>>);

impl Link for Backend {
    fn send(&mut self, parts: &[&[u8]]) -> Result<usize, LinkError> {
        self.0.borrow_mut().write(parts[0]).map_err(|()| LinkError::Reset)
    }

    fn recv(&mut self, buffer: &mut [u8]) -> Result<Received, LinkError> {
        match self.0.borrow_mut().read(buffer).map_err(|()| LinkError::Reset)? {
            None => Ok(Received::WouldBlock),
            Some(0) => Err(LinkError::Closed),
            Some(n) => Ok(Received::Data(n)),
        }
    }

    fn recv_blocking(&mut self, _: &mut [u8], _: Option<Duration>) -> Result<usize, LinkError> {
        unreachable!("never waits")
    }

    fn wait(&mut self, _: bool, _: Option<i32>, _: Duration) -> Result<(), LinkError> {
        unreachable!("never waits")
    }

    fn finish(&mut self) -> Result<bool, LinkError> {
        self.0.borrow_mut().told = true;
        Ok(true)
    }
}

struct World {
    client: Client,
    backend: Backend,
    tunnel: Tunnel,
    buffers: Buffers,
}

impl World {
    fn new(early: &[u8]) -> Self {
        let mut buffers = Buffers::default();
        if !early.is_empty() {
            buffers.input.make_room(usize::MAX, early.len());
            buffers.input.space()[..early.len()].copy_from_slice(early);
            buffers.input.filled_more(early.len());
        }
        let now = Rc::new(Cell::new(1));
        Self {
            tunnel: Tunnel::new(Upgrade::WEBSOCKET, &mut buffers, Tick(1)),
            client: Client { side: Side::default(), now, stop: None, can_end: true, held: Vec::new() },
            backend: Backend(Rc::default()),
            buffers,
        }
    }

    fn step(&mut self) -> Result<Pause, End> {
        let Self { client, backend, tunnel, buffers } = self;
        tunnel.step(client, backend, buffers, &LIMITS, false)
    }

    fn pass(&self, time: Duration) {
        self.client.now.set(Tick(self.client.now.get()).after(time).0);
    }

    fn got(&self) -> (String, String) {
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        (text(&self.client.side.got), text(&self.backend.0.borrow().got))
    }
}

fn pieces(texts: &[&str]) -> VecDeque<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn octets_go_both_ways_and_what_was_early_comes_first() {
    let mut world = World::new(b"early ");
    world.client.side.sends = pieces(&["hello ", "backend"]);
    world.backend.0.borrow_mut().sends = pieces(&["hello ", "client"]);
    let pause = world.step().unwrap();
    assert_eq!(world.got(), ("early hello client".to_owned(), "hello backend".to_owned()));
    assert!(pause.link_readable && pause.interest.client_readable && !pause.blind);
    assert!(!pause.interest.client_writable && !pause.interest.link_writable);
    assert_eq!(pause.patience, LIMITS.idle);
    assert_eq!(
        world.tunnel.summary(End::Idle),
        Summary { protocol: Upgrade::WEBSOCKET, up: 13, down: 18, end: End::Idle }
    );
    // Nothing is kept while it is silent.
    assert_eq!((world.buffers.body.capacity(), world.buffers.spare.capacity()), (0, 0));
}

#[test]
fn a_side_that_takes_no_more_slows_the_other_one_down() {
    let mut world = World::new(b"");
    world.backend.0.borrow_mut().sends = (0..100).map(|_| vec![b'd'; 10_000]).collect();
    world.client.side.sends = (0..100).map(|_| vec![b'u'; 10_000]).collect();
    world.client.side.room = Some(15_000);
    world.backend.0.borrow_mut().room = Some(25_000);
    let pause = world.step().unwrap();
    assert!(pause.interest.client_writable && pause.interest.link_writable);
    assert!(!pause.link_readable && !pause.interest.client_readable);
    assert!(world.client.held.len() <= PORTION && world.buffers.spare.len() <= PORTION);
    assert!(world.backend.0.borrow().sends.len() >= 97 && world.client.side.sends.len() >= 96);
    world.client.side.room = None;
    world.backend.0.borrow_mut().room = None;
    world.step().unwrap();
    assert_eq!((world.client.side.got.len(), world.backend.0.borrow().got.len()), (1_000_000, 1_000_000));
}

#[test]
fn one_direction_may_end_before_the_other_one() {
    let mut world = World::new(b"");
    world.client.side.sends = pieces(&["bye"]);
    world.client.side.ends = true;
    world.backend.0.borrow_mut().sends = pieces(&["a", ""]);
    let pause = world.step().unwrap();
    assert!(world.backend.0.borrow().told && pause.link_readable && !pause.interest.client_readable);
    assert_eq!(pause.patience, Some(LIMITS.half));
    world.backend.0.borrow_mut().sends = pieces(&["b"]);
    world.backend.0.borrow_mut().ends = true;
    assert_eq!(world.step(), Err(End::Complete));
    assert_eq!(world.got(), ("ab".to_owned(), "bye".to_owned()));
    assert!(world.client.side.told);
}

#[test]
fn the_end_of_the_backend_comes_behind_its_last_octet() {
    for can_end in [true, false] {
        let mut world = World::new(b"");
        world.client.can_end = can_end;
        world.client.side.room = Some(3);
        world.backend.0.borrow_mut().sends = pieces(&["last words"]);
        world.backend.0.borrow_mut().ends = true;
        let pause = world.step().unwrap();
        assert!(pause.interest.client_writable && !world.client.side.told, "{can_end}");
        world.client.side.room = None;
        let result = world.step();
        assert_eq!(world.got().0, "last words");
        if !can_end {
            assert_eq!(result, Err(End::Complete));
            continue;
        }
        let pause = result.unwrap();
        assert!(pause.interest.client_readable && !pause.blind);
        // A client that hangs up now may have sent more than the backend takes.
        world.client.side.sends = pieces(&["answer"]);
        world.backend.0.borrow_mut().room = Some(2);
        let pause = world.step().unwrap();
        assert!(pause.blind && pause.interest.link_writable && !pause.interest.client_readable);
    }
}

#[test]
fn silence_and_the_end_of_the_server_end_a_tunnel() {
    let mut world = World::new(b"");
    world.step().unwrap();
    world.pass(Duration::from_secs(99));
    assert_eq!(world.step().unwrap().patience, Some(Duration::from_secs(1)));
    world.client.side.sends = pieces(&["x"]);
    assert_eq!(world.step().unwrap().patience, LIMITS.idle);
    world.pass(Duration::from_secs(100));
    assert_eq!(world.step(), Err(End::Idle));
    let mut world = World::new(b"");
    world.client.stop = Some(Duration::from_secs(5));
    assert_eq!(world.step().unwrap().patience, Some(Duration::from_secs(5)));
    world.client.stop = Some(Duration::ZERO);
    assert_eq!(world.step(), Err(End::Stopping));
    let World { client, backend, tunnel, buffers } = &mut World::new(b"");
    assert_eq!(tunnel.step(client, backend, buffers, &LIMITS, true), Err(End::GivenUp));
    let none = Limits { idle: None, ..LIMITS };
    assert_eq!(tunnel.step(client, backend, buffers, &none, false).unwrap().patience, None);
}

#[test]
fn a_backend_that_refuses_octets_is_still_heard() {
    let mut world = World::new(b"");
    world.step().unwrap();
    // Reading goes on for one call, sending fails.
    world.client.side.sends = pieces(&["x"]);
    world.backend.0.borrow_mut().breaks = Some(2);
    world.backend.0.borrow_mut().sends = pieces(&["y"]);
    assert_eq!(world.step(), Err(End::BackendLost(LinkError::Reset)));
    assert_eq!(world.got().0, "y");
}

/// A small generator, so that a seed says everything.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most.max(1)
    }

    fn script(&mut self, mark: u8) -> (VecDeque<Vec<u8>>, Vec<u8>) {
        let (mut sends, mut all) = (VecDeque::new(), Vec::new());
        for _ in 0..self.below(20) {
            let most = if self.below(4) == 0 { 100_000 } else { 300 };
            let len = if self.below(3) == 0 { 0 } else { self.below(most) };
            let piece: Vec<u8> = (0..len).map(|at| mark ^ (at % 251) as u8).collect();
            all.extend_from_slice(&piece);
            sends.push_back(piece);
        }
        (sends, all)
    }
}

#[test]
fn whatever_happens_octets_stay_in_order_and_it_ends() {
    for seed in 1..4000_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let early: Vec<u8> = (0..dice.below(60_000) * dice.below(2)).map(|at| at as u8).collect();
        let mut world = World::new(&early);
        let (up_sends, up) = dice.script(b'u');
        let (down_sends, down) = dice.script(b'd');
        let down = [early, down].concat();
        world.client.can_end = dice.below(2) == 0;
        world.client.side = Side { sends: up_sends, ends: true, ..Side::default() };
        *world.backend.0.borrow_mut() = Side { sends: down_sends, ends: true, ..Side::default() };
        let broken = dice.below(4) == 0;
        if broken {
            let at = Some(u32::try_from(dice.below(60)).unwrap());
            if dice.below(2) == 0 {
                world.client.side.breaks = at;
            } else {
                world.backend.0.borrow_mut().breaks = at;
            }
        }
        let mut end = None;
        for _ in 0..5000 {
            world.client.side.room = (dice.below(3) > 0).then(|| dice.below(50_000) as usize);
            world.backend.0.borrow_mut().room = (dice.below(3) > 0).then(|| dice.below(50_000) as usize);
            match world.step() {
                Ok(pause) => {
                    let some = pause.link_readable
                        || pause.interest.client_readable
                        || pause.interest.client_writable
                        || pause.interest.link_writable;
                    assert!(some, "seed {seed}: waits for nothing");
                    assert!(world.buffers.spare.len() <= PORTION, "seed {seed}: memory");
                }
                Err(why) => {
                    end = Some(why);
                    break;
                }
            }
        }
        let end = end.unwrap_or_else(|| panic!("seed {seed}: no end"));
        let backend = world.backend.0.borrow();
        assert!(down.starts_with(&world.client.side.got), "seed {seed}: {end:?}");
        assert!(up.starts_with(&backend.got), "seed {seed}: {end:?}");
        let summary = world.tunnel.summary(end);
        assert_eq!(summary.up as usize, backend.got.len(), "seed {seed}");
        if !broken {
            assert_eq!((end, summary.down as usize), (End::Complete, down.len()), "seed {seed}");
            assert_eq!(world.client.side.got.len(), down.len(), "seed {seed}");
            assert!(!world.client.can_end || backend.got.len() == up.len(), "seed {seed}");
        }
    }
}
