//! Where this user's data lives, and how to reach the server that is meant when none is named.
//!
//! Only names places; creates nothing.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use etcetera::BaseStrategy as _;
use segenc_proto::connect::{Secret, ServerAddress};

use crate::api::Api;
use crate::arguments::Connection;
use crate::halt::Halt;

/// The server that is asked when nobody names one and none was started by this user.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8642";

/// The folder for everything this program keeps: `SEGENC_DATA_DIR`, else the user's data folder.
pub(crate) fn data_folder() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("SEGENC_DATA_DIR").filter(|folder| !folder.is_empty()) {
        return std::path::absolute(&folder).with_context(|| {
            format!("SEGENC_DATA_DIR={} is no path", Path::new(&folder).display())
        });
    }
    let strategy = etcetera::choose_base_strategy()
        .map_err(|_| Halt::failed("this user has no home folder").hint("set SEGENC_DATA_DIR"))?;
    Ok(strategy.data_dir().join("segenc"))
}

/// Where `segenc serve` keeps its data unless it is told otherwise: `SEGENC_DATA_DIR` itself, as with
/// `--data-dir`, else a folder of its own among the user's data.
pub(crate) fn server_folder() -> anyhow::Result<PathBuf> {
    let folder = data_folder()?;
    Ok(if std::env::var_os("SEGENC_DATA_DIR").is_some() { folder } else { folder.join("server") })
}

/// The file with the user's own presets: `SEGENC_PRESETS`, else in the user's folder for settings.
pub(crate) fn presets_file() -> anyhow::Result<PathBuf> {
    if let Some(file) = std::env::var_os("SEGENC_PRESETS").filter(|file| !file.is_empty()) {
        return Ok(PathBuf::from(file));
    }
    let strategy = etcetera::choose_base_strategy().map_err(|_| {
        Halt::failed("this user has no home folder").hint("set SEGENC_PRESETS to a file")
    })?;
    Ok(strategy.config_dir().join("segenc").join("presets.toml"))
}

/// The file in a server's folder that names its address for commands of the same user.
pub(crate) fn address_file(server_folder: &Path) -> PathBuf {
    server_folder.join("address")
}

/// Whom to ask, and with what right: what the user says, else the server of this very user.
pub(crate) fn api(connection: &Connection) -> anyhow::Result<Api> {
    let own_folder = server_folder()?;
    let own_address = read_line(&address_file(&own_folder));
    let address = connection
        .named_server()
        .map(str::to_owned)
        .or_else(|| own_address.clone())
        .unwrap_or_else(|| DEFAULT_SERVER.to_owned());
    let server: ServerAddress =
        address.parse().map_err(|error| Halt::usage(format!("--server {address}: {error}")))?;
    let token = match connection.token.as_ref().filter(|token| !token.is_empty()) {
        Some(given) => Some(token(given)?),
        None if own_address.as_deref() == Some(address.trim()) => {
            read_line(&own_folder.join("admin-token")).map(Secret::new)
        }
        None => None,
    };
    Ok(Api::new(server, token)?)
}

/// A token as given: itself, or `@FILE`.
fn token(given: &str) -> anyhow::Result<Secret> {
    Ok(Secret::new(read_given(given, "--token")?))
}

/// A value as given: itself, or the first line of the file after an `@`.
pub(crate) fn read_given(given: &str, flag: &str) -> anyhow::Result<String> {
    let Some(path) = given.strip_prefix('@') else { return Ok(given.trim().to_owned()) };
    let text = std::fs::read_to_string(path).map_err(|error| {
        Halt::usage(format!("{flag} @{path}: reading the file failed: {error}"))
    })?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        return Err(Halt::usage(format!("{flag} @{path}: the file is empty")).into());
    }
    Ok(line.to_owned())
}

fn read_line(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}

/// The file name of a path for people, in one line whatever its characters.
pub(crate) fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    name.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_line() {
        assert_eq!(name_of(Path::new("/films/a\nb\u{1b}[2J.mkv")), "a\u{fffd}b\u{fffd}[2J.mkv");
    }
}
