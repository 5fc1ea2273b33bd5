//! A relay between one program and the server, which breaks connections as networks do: cut in the middle of a
//! byte stream, closed in one direction only, slow, or silent.
//!
//! Knows nothing of what the bytes mean.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// What is moved at a time: small, so that a delay between two pieces is felt.
const PIECE: usize = 16 * 1024;
/// How often a silent relay looks whether it may speak again.
const LOOK: Duration = Duration::from_millis(20);
/// No cut is planned.
const NEVER: u64 = u64::MAX;

/// Which half of a connection is closed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Half {
    /// The program hears the end, and can still speak.
    Down,
    /// The server hears the end, and can still speak.
    Up,
}

/// A relay with a port of its own.
pub(super) struct Proxy {
    pub(super) port: u16,
    state: Arc<State>,
}

struct State {
    server: SocketAddr,
    delay_millis: AtomicU64,
    is_silent: AtomicBool,
    bytes_to_cut: AtomicU64,
    links: Mutex<BTreeMap<u64, Link>>,
}

/// Both ends of a relayed connection.
struct Link {
    program: TcpStream,
    server: TcpStream,
}

impl Link {
    fn cut(&self) {
        // What is closed already needs no cut.
        let _ = self.program.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

impl Proxy {
    /// Listens on a free port and relays to the server's.
    pub(super) fn start(server_port: u16) -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port for a relay")?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State {
            server: SocketAddr::from((Ipv4Addr::LOCALHOST, server_port)),
            delay_millis: AtomicU64::new(0),
            is_silent: AtomicBool::new(false),
            bytes_to_cut: AtomicU64::new(NEVER),
            links: Mutex::new(BTreeMap::new()),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for (number, program) in listener.incoming().flatten().enumerate() {
                shared.relay(number as u64, program);
            }
        });
        Ok(Self { port, state })
    }

    /// Cuts every connection that is open.
    pub(super) fn cut(&self) {
        for link in self.state.links().values() {
            link.cut();
        }
    }

    /// Cuts the connection that moves the so-many-th byte from now, in the middle of what it moves.
    pub(super) fn cut_after(&self, bytes: u64) {
        self.state.bytes_to_cut.store(bytes, Ordering::Relaxed);
    }

    /// Closes one direction of every connection that is open.
    pub(super) fn close_half(&self, half: Half) {
        for link in self.state.links().values() {
            let _ = match half {
                Half::Down => link.program.shutdown(Shutdown::Write),
                Half::Up => link.server.shutdown(Shutdown::Write),
            };
        }
    }

    /// Waits so long before each piece.
    pub(super) fn delay(&self, millis: u64) {
        self.state.delay_millis.store(millis, Ordering::Relaxed);
    }

    /// Moves nothing more, and keeps all connections open.
    pub(super) fn fall_silent(&self) {
        self.state.is_silent.store(true, Ordering::Relaxed);
    }

    /// Does its work again.
    pub(super) fn calm(&self) {
        self.state.delay_millis.store(0, Ordering::Relaxed);
        self.state.is_silent.store(false, Ordering::Relaxed);
        self.state.bytes_to_cut.store(NEVER, Ordering::Relaxed);
    }
}

impl State {
    fn links(&self) -> MutexGuard<'_, BTreeMap<u64, Link>> {
        self.links.lock().expect("nothing panics while it holds the lock")
    }

    /// Starts both directions; a server that is away is a connection that closes at once.
    fn relay(self: &Arc<Self>, number: u64, program: TcpStream) {
        let Ok(server) = TcpStream::connect(self.server) else { return };
        let _ = (program.set_nodelay(true), server.set_nodelay(true));
        let ends = (|| Ok::<_, std::io::Error>((program.try_clone()?, server.try_clone()?)))();
        let twins = (|| Ok::<_, std::io::Error>((program.try_clone()?, server.try_clone()?)))();
        let (Ok((program_end, server_end)), Ok((program_twin, server_twin))) = (ends, twins) else {
            return;
        };
        self.links().insert(number, Link { program, server });
        let (up, down) = (Arc::clone(self), Arc::clone(self));
        thread::spawn(move || {
            let other = thread::spawn(move || down.pump(number, server_end, program_end));
            up.pump(number, program_twin, server_twin);
            let _ = other.join();
            up.links().remove(&number);
        });
    }

    /// Moves one direction until its end; what breaks is cut on both sides.
    fn pump(&self, number: u64, mut from: TcpStream, mut to: TcpStream) {
        let mut piece = [0; PIECE];
        loop {
            let count = match from.read(&mut piece) {
                Ok(0) => {
                    let _ = to.shutdown(Shutdown::Write);
                    return;
                }
                Ok(count) => count,
                Err(_) => break,
            };
            while self.is_silent.load(Ordering::Relaxed) {
                thread::sleep(LOOK);
            }
            thread::sleep(Duration::from_millis(self.delay_millis.load(Ordering::Relaxed)));
            let allowed = self.allowed(count);
            if to.write_all(&piece[..allowed]).is_err() || allowed < count {
                break;
            }
        }
        if let Some(link) = self.links().get(&number) {
            link.cut();
        }
    }

    /// How much of a piece may pass before the planned cut, which is then done.
    fn allowed(&self, count: usize) -> usize {
        let left = self.bytes_to_cut.load(Ordering::Relaxed);
        let moved = count as u64;
        if left == NEVER {
            return count;
        }
        let rest = if left < moved { NEVER } else { left - moved };
        self.bytes_to_cut.store(rest, Ordering::Relaxed);
        usize::try_from(left.min(moved)).unwrap_or(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it hears.
    fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut bytes = Vec::new();
                let _ = stream.read_to_end(&mut bytes);
                let _ = stream.write_all(&bytes);
            }
        });
        port
    }

    fn ask(proxy: &Proxy, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).expect("connected");
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        heard
    }

    #[test]
    fn a_calm_relay_changes_nothing_and_a_planned_cut_is_exact() {
        let proxy = Proxy::start(echo()).expect("started");
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        assert_eq!(ask(&proxy, &bytes), bytes);
        proxy.cut_after(bytes.len() as u64 + 1000);
        assert_eq!(ask(&proxy, &bytes), bytes[..1000]);
        // One cut is one cut.
        assert_eq!(ask(&proxy, &bytes), bytes);
    }
}
