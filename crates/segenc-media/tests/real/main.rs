//! Everything that needs a real ffmpeg: media is made here, worked on through the public functions, and
//! compared with what one plain ffmpeg makes.

mod cancel;
mod exact;
mod farm;
mod hostile;
mod killed;
mod media;
mod retimed;
mod suspend;
mod thumbnail;
mod url;
