//! The same work over HTTP with ranges, as a worker's proxy serves it.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use segenc_core::failure::FailureKind;
use segenc_media::{MediaInput, WorkError, encode_segment, packets, probe};

use crate::farm::{Farm, Wish, attempt};
use crate::media;

/// Serves one file, on as many connections as are opened, until the test's process ends.
fn serve(path: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let address = listener.local_addr().expect("it is bound");
    let path = Arc::new(path.to_owned());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let path = Arc::clone(&path);
            // A connection that ffmpeg drops in the middle of a body ends in an error: that is its way to seek.
            std::thread::spawn(move || drop(answer(stream, &path)));
        }
    });
    format!("http://{address}/source")
}

fn answer(mut stream: TcpStream, path: &Path) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut start = 0;
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            let range = line.to_ascii_lowercase();
            if let Some(range) = range.strip_prefix("range: bytes=") {
                start = range.split('-').next().and_then(|start| start.parse().ok()).unwrap_or(0);
            }
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        let mut file = std::fs::File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(start))?;
        write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{size}\r\n\
             Accept-Ranges: bytes\r\n\r\n",
            size - start,
            size - 1
        )?;
        let mut buffer = [0; 8192];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            stream.write_all(&buffer[..read])?;
        }
    }
}

#[tokio::test]
async fn a_segment_read_in_ranges_equals_one_read_from_a_file() {
    let wish = Wish {
        encoder: "ffv1",
        options: &[],
        filter: None,
        sound: &[],
        container: "matroska",
        segments: 3,
        around: 0,
    };
    for source in [media::matroska(), media::mp4()] {
        let farm = Farm::look(source).await;
        let url = MediaInput::Url(serve(source));
        let near = attempt(&farm.tools, farm.scratch.path());
        let facts = probe(&near, &url).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(facts, farm.facts);
        let mut reader = packets(&near, &url, &facts, 0).await.expect("ffprobe starts");
        let batch =
            reader.next_batch(usize::MAX).await.expect("it is served").expect("it has packets");
        assert_eq!(batch, farm.packets);

        let work = farm.segments(&wish).swap_remove(2);
        let folders = [farm.folder("file"), farm.folder("url")];
        let from_file =
            encode_segment(&attempt(&farm.tools, &folders[0]), &farm.source, &work).await;
        let from_url = encode_segment(&attempt(&farm.tools, &folders[1]), &url, &work).await;
        let (from_file, from_url) = (from_file.expect("as planned"), from_url.expect("as planned"));
        assert_eq!(media::frame_digests(&from_file.path), media::frame_digests(&from_url.path));
    }
}

#[tokio::test]
async fn a_proxy_that_is_gone_is_bad_luck() {
    let farm = Farm::look(media::mp4()).await;
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let url = MediaInput::Url(format!("http://{address}/source"));
    let probed = probe(&attempt(&farm.tools, farm.scratch.path()), &url).await;
    let Err(WorkError::Failed(failure)) = probed else { panic!("{probed:?}") };
    assert_eq!(
        (failure.kind, failure.reason.as_str()),
        (FailureKind::Transient, "input-interrupted")
    );
}
