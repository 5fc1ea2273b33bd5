//! How a worker comes to its join string: it was given, it was kept, or it is paired with a server.
//!
//! Knows nothing of what a worker does.

mod discovery;
mod pairing;

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::Path;

use anyhow::Context as _;
use segenc_proto::connect::{JoinString, ServerAddress, certificate_of};

pub(crate) use self::discovery::Announcement;
use self::discovery::{Found, find};
use crate::arguments::{Voice, WorkerFlags};
use crate::halt::{Exit, Halt};
use crate::{places, terminal};

/// The port that a server has if nobody says another one.
const PORT: u16 = 8642;

/// The join string that the flags mean. `folder` is the worker's own, where a paired one is kept.
pub(crate) async fn join_string(
    flags: &WorkerFlags,
    folder: &Path,
    voice: Voice,
) -> anyhow::Result<JoinString> {
    if let Some(given) = &flags.join {
        return places::read_given(given, "--join")?
            .parse()
            .map_err(|error| Halt::usage(format!("--join: {error}")).into());
    }
    let file = folder.join("join");
    let kept = kept(&file);
    let server = match &flags.server {
        Some(named) => address_of(named).await?,
        None => match kept {
            Some(join) => return Ok(join),
            None => found(voice).await?,
        },
    };
    if let Some(join) = kept.filter(|join| join.server == server) {
        return Ok(join);
    }
    let token = pairing::pair(&server).await?;
    let join = JoinString { server, token };
    keep(&file, &join).with_context(|| format!("keeping {} failed", file.display()))?;
    terminal::say("paired; from now on `segenc worker` is enough here");
    Ok(join)
}

/// The server that a person means with `HOST`, `HOST:PORT` or an address as `segenc serve` prints it.
async fn address_of(named: &str) -> anyhow::Result<ServerAddress> {
    let wrong = |error| Halt::usage(format!("--server {named}: {error}"));
    let url = if named.contains("://") {
        named.to_owned()
    } else {
        let authority = with_port(named.trim());
        let scheme = if is_loopback(&authority) { "http" } else { "https" };
        format!("{scheme}://{authority}")
    };
    let given: ServerAddress = url.parse().map_err(wrong)?;
    // A worker remembers one certificate, whoever vouches for it: the pairing proves that it is the server's own.
    if given.fingerprint().is_some() || given.base_url().starts_with("http://") {
        return Ok(given);
    }
    let shown = certificate_of(given.authority()).await.map_err(|error| {
        Halt::new(Exit::Unreachable, format!("the server {named} cannot be asked"))
            .hint("is `segenc serve` running there, with --listen and an address that is reached from here?")
            .because(error)
    })?;
    Ok(ServerAddress::pinned(given.authority(), shown))
}

fn with_port(named: &str) -> String {
    let bare_v6 = named.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6());
    if bare_v6 {
        return format!("[{named}]:{PORT}");
    }
    let rest = named.rsplit_once(']').map_or(named, |(_, rest)| rest);
    if rest.contains(':') { named.to_owned() } else { format!("{named}:{PORT}") }
}

fn is_loopback(authority: &str) -> bool {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A server that announces itself in the network, chosen by the person if there are several.
async fn found(voice: Voice) -> anyhow::Result<ServerAddress> {
    if !voice.quiet {
        terminal::say("looking for servers in this network");
    }
    let servers = find().await?;
    let named = || Halt::usage("which server is meant has to be said");
    let server = match servers.as_slice() {
        [] => {
            return Err(Halt::new(Exit::Unreachable, "no server was found in this network")
                .reason("no-server-found")
                .hint("name it with --server HOST:PORT, or give the join string that `segenc serve` printed with --join")
                .into());
        }
        [server] => {
            terminal::say(&format!("found {server}"));
            server
        }
        several => {
            for (number, server) in several.iter().enumerate() {
                terminal::say(&format!("{}  {server}", number + 1));
            }
            let answer = ask("which one (its number)?").await?;
            let number: usize = answer.parse().map_err(|_| named())?;
            number.checked_sub(1).and_then(|place| several.get(place)).ok_or_else(named)?
        }
    };
    reached(server).await
}

/// The address at which the server that announced itself really answers, with the certificate that it announced.
async fn reached(server: &Found) -> anyhow::Result<ServerAddress> {
    let mut last = None;
    for authority in &server.authorities {
        match certificate_of(authority).await {
            Ok(shown) if shown == server.fingerprint => {
                return Ok(ServerAddress::pinned(authority.clone(), shown));
            }
            Ok(_) => tracing::warn!(authority, "another certificate is shown than was announced"),
            Err(error) => last = Some(error),
        }
    }
    let halt = Halt::new(Exit::Unreachable, format!("{server} cannot be reached"))
        .hint("name another address of it with --server HOST:PORT");
    Err(match last {
        Some(error) => halt.because(error).into(),
        None => halt.into(),
    })
}

/// Asks the person something and gives the answer.
async fn ask(question: &str) -> anyhow::Result<String> {
    terminal::say(question);
    let line = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|length| (length > 0).then_some(line))
    });
    match line.await?.context("reading the answer failed")? {
        Some(line) => Ok(line.trim().to_owned()),
        None => Err(Halt::usage("nobody is there to answer")
            .hint("give the join string with --join where no person types")
            .into()),
    }
}

fn kept(file: &Path) -> Option<JoinString> {
    std::fs::read_to_string(file).ok()?.parse().ok()
}

/// Writes the join string for its owner alone, complete or not at all.
fn keep(file: &Path, join: &JoinString) -> io::Result<()> {
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder)?;
    // A temporary file is made with mode 0600, and the rename keeps that.
    let mut made = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(made, "{}", join.reveal())?;
    made.as_file().sync_all()?;
    made.persist(file).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_as_people_do() {
        for (named, meant) in [
            ("farm", "farm:8642"),
            ("farm:1", "farm:1"),
            ("10.0.0.1", "10.0.0.1:8642"),
            ("fd00::2", "[fd00::2]:8642"),
            ("[fd00::2]", "[fd00::2]:8642"),
            ("[fd00::2]:1", "[fd00::2]:1"),
        ] {
            assert_eq!(with_port(named), meant);
        }
    }

    #[test]
    fn only_this_computer_is_spoken_to_in_plain_text() {
        for (authority, is_here) in
            [("127.0.0.1:1", true), ("[::1]:1", true), ("localhost:1", true), ("10.0.0.1:1", false)]
        {
            assert_eq!(is_loopback(authority), is_here, "{authority}");
        }
    }
}
