//! Sockets, deadlines and connection pools; knows no httpd type and logs nothing.
//!
//! | file         | what it does                                                                       |
//! |--------------|------------------------------------------------------------------------------------|
//! | `clock`      | the monotonic clock as [`Tick`](crate::engine::units::Tick)                        |
//! | `address`    | host, port or path to socket addresses                                             |
//! | `peer`       | keeps the addresses of one backend and asks the resolver again when they fail      |
//! | `socket`     | system calls on one socket, with `unsafe`                                          |
//! | `tls`        | TLS settings of a worker, from PEM text                                             |
//! | `session`    | TLS over a socket                                                                  |
//! | `stream`     | a socket, or TLS over one                                                          |
//! | `connection` | an open backend connection, implements [`Link`](crate::engine::exchange::Link)     |
//! | `connect`    | opens a connection: all addresses, one deadline                                    |
//! | `connector`  | the same as a machine that does not wait                                            |
//! | `pool`       | idle connections and the limit of one backend in one process                       |
//! | `epoll`      | epoll, eventfds; the other file with `unsafe`                                      |
//! | `reactor`    | bells for requests that wait without a thread, and the thread that minds their time |
//!
//! Only the reactor starts a thread. Addresses may be made before httpd forks; pools and connections belong to the child
//! that made them.

pub mod address;
pub mod clock;
pub mod connect;
pub mod connection;
pub mod connector;
pub mod epoll;
pub mod opening;
pub mod peer;
pub mod pool;
mod raw_address;
pub mod reactor;
pub mod session;
pub mod socket;
pub mod stream;
pub mod tls;
