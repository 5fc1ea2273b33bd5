//! A film to measure with, made once: changing scenes of moving patterns with grain, and sound.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// One scene's length and how many there are: 60 s in all.
const SCENE_SECONDS: u32 = 5;
const SCENES: u32 = 12;

/// Makes the film unless it is there.
pub(crate) fn made(root: &Path) -> Result<PathBuf> {
    let folder = root.join("target/bench");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("film-1080p.mkv");
    if path.exists() {
        return Ok(path);
    }
    eprintln!("making a film to measure with …");
    let unfinished = folder.join("unfinished.mkv");
    let mut graph = String::new();
    for scene in 0..SCENES {
        let picture = match scene % 4 {
            0 => format!("testsrc2=s=1920x1080:r=24:d={SCENE_SECONDS}"),
            1 => format!(
                "mandelbrot=s=1920x1080:r=24:start_scale={},trim=duration={SCENE_SECONDS}",
                3.0 / f64::from(scene)
            ),
            2 => {
                format!("gradients=s=1920x1080:r=24:n=8:speed=0.02:seed={scene}:d={SCENE_SECONDS}")
            }
            _ => format!(
                "life=s=480x270:r=24:mold=10:ratio=0.1:seed={scene}:death_color=#405060:life_color=#ffe0a0,trim=duration={SCENE_SECONDS},scale=1920:1080:flags=neighbor"
            ),
        };
        graph.push_str(&format!(
            "{picture},format=yuv420p,noise=alls=6:allf=t:all_seed={scene},setsar=1[v{scene}];"
        ));
    }
    let inputs: String = (0..SCENES).map(|scene| format!("[v{scene}]")).collect();
    graph.push_str(&format!("{inputs}concat=n={SCENES}[v]"));
    let seconds = (SCENE_SECONDS * SCENES).to_string();
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "sine=f=330:b=3:r=48000"])
        .args(["-filter_complex", &graph, "-map", "[v]", "-map", "0:a", "-t", &seconds])
        .args([
            "-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-c:a", "aac", "-b:a", "128k",
        ])
        .arg(&unfinished)
        .output()
        .context("could not run ffmpeg")?;
    if !output.status.success() {
        bail!("ffmpeg could not make the film: {}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::rename(unfinished, &path)?;
    Ok(path)
}
