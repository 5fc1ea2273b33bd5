//! The packets of a stream, read while ffprobe goes through the file.
//!
//! Must not know what they mean for the plan.

use segenc_core::source::{Packet, SourceFacts};

use crate::attempt::{Attempt, MediaInput, WorkError};
use crate::calls::Call;
use crate::ffmpeg_log::{self, Reading};
use crate::invocation::Invocation;
use crate::runner::{Finished, RunError, Running};

/// Reads the packets of a stream of the source. The time it takes is that of reading the file.
///
/// # Errors
/// When ffprobe does not start.
pub async fn packets(
    attempt: &Attempt<'_>,
    input: &MediaInput,
    facts: &SourceFacts,
    stream: u32,
) -> Result<PacketReader, WorkError> {
    read(attempt, &facts.demuxer, input, stream, Reading::Source).await
}

/// The same for a file of which nothing but the demuxer is known.
pub(crate) async fn read(
    attempt: &Attempt<'_>,
    demuxer: &str,
    input: &MediaInput,
    stream: u32,
    reading: Reading,
) -> Result<PacketReader, WorkError> {
    let invocation = Invocation::packets(demuxer, input, stream);
    let running = Call { attempt, invocation: &invocation, reading, what: WHAT }.start().await?;
    Ok(PacketReader { running: Some(running), reading, cpu_millis: 0 })
}

const WHAT: &str = "reading packets";

/// A running ffprobe that lists packets. Dropping it kills the process.
#[derive(Debug)]
pub struct PacketReader {
    running: Option<Running>,
    reading: Reading,
    cpu_millis: u64,
}

impl PacketReader {
    /// The next packets in decoding order, at most `max`; `None` after the last.
    ///
    /// # Errors
    /// When canceled, or when ffprobe ends badly.
    pub async fn next_batch(&mut self, max: usize) -> Result<Option<Vec<Packet>>, WorkError> {
        let mut batch = Vec::new();
        while batch.len() < max {
            let Some(running) = &mut self.running else { break };
            match running.next_line().await {
                Ok(Some(line)) => batch.extend(parse_line(&line)),
                Ok(None) => self.end().await?,
                Err(error) => return Err(not_read(&error)),
            }
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    /// Processor time of ffprobe, known after the last packet.
    pub(crate) fn cpu_millis(&self) -> u64 {
        self.cpu_millis
    }

    async fn end(&mut self) -> Result<(), WorkError> {
        let Some(running) = self.running.take() else { return Ok(()) };
        let Finished { exit, log_tail, cpu_millis } =
            running.finish().await.map_err(|error| not_read(&error))?;
        self.cpu_millis = cpu_millis;
        if exit.is_success() {
            return Ok(());
        }
        Err(WorkError::Failed(ffmpeg_log::failure(WHAT, exit, log_tail, self.reading)))
    }
}

fn not_read(error: &RunError) -> WorkError {
    match error {
        RunError::Canceled => WorkError::Canceled,
        RunError::Start { .. } | RunError::Lost { .. } | RunError::TooMuch { .. } => {
            WorkError::failed(
                segenc_core::failure::FailureKind::Transient,
                "killed",
                format!("{WHAT}: {error}"),
            )
        }
    }
}

/// Reads `pts,dts,duration,size,flags`; `None` for a line that is no packet. Side data adds empty lines and fields.
pub(crate) fn parse_line(line: &str) -> Option<Packet> {
    let mut fields = line.trim().split(',');
    let (pts, dts, duration) = (fields.next()?, fields.next()?, fields.next()?);
    let (size, flags) = (fields.next()?, fields.next()?);
    Some(Packet {
        pts: pts.parse().ok(),
        dts: dts.parse().ok(),
        duration: duration.parse().ok(),
        size: size.parse().ok()?,
        key: flags.starts_with('K'),
        discarded: flags.chars().nth(1) == Some('D'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_with_their_flags() {
        let packet = |pts, dts, duration, size, key, discarded| Packet {
            pts,
            dts,
            duration,
            size,
            key,
            discarded,
        };
        assert_eq!(
            parse_line("3003,-3003,1001,812,K_"),
            Some(packet(Some(3003), Some(-3003), Some(1001), 812, true, false))
        );
        assert_eq!(
            parse_line("-1,N/A,0,0,_D,"),
            Some(packet(Some(-1), None, Some(0), 0, false, true))
        );
        assert_eq!(
            parse_line("N/A,N/A,N/A,7,__,,"),
            Some(packet(None, None, None, 7, false, false))
        );
        for line in ["", ",", "1,2,3,x,K_", "1,2,3,4", "side_data"] {
            assert_eq!(parse_line(line), None, "{line}");
        }
    }
}
