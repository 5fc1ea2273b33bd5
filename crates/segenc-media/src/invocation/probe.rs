//! Questions to ffprobe: what a file is, and which packets are in it.
//!
//! Must not know how the answers are read.

use super::Invocation;
use crate::attempt::MediaInput;
use crate::names;

/// Formats that hold media themselves. None of them makes ffmpeg open another file or address, as
/// playlists, scripts, image sequences and session descriptions do.
const FORMATS: &str = "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpegts,mpeg,mpegvideo,m4v,avi,flv,\
live_flv,ogg,asf,asf_o,rm,ivr,nut,mxf,gxf,wtv,dv,ivf,h264,hevc,h261,h263,vc1,vc1test,av1,obu,cavsvideo,dirac,\
yuv4mpegpipe,mjpeg,mjpeg_2000,swf,nsv,nuv,roq,bink,smk,4xm,flic,film_cpk,thp,dxa,gif,apng,ipmovie,ea,vmd,\
bmp_pipe,dpx_pipe,exr_pipe,jpeg_pipe,jpegls_pipe,j2k_pipe,jpegxl_pipe,png_pipe,ppm_pipe,pgm_pipe,tiff_pipe,\
webp_pipe,wav,w64,aiff,flac,mp3,aac,ac3,eac3,dts,dtshd,truehd,mlp,ape,tta,wv,mpc,mpc8,au,caf,amr,amrnb,amrwb,\
voc,tak,oma,sox,pva,xmv";

/// What the analysis wants to know.
const FACTS: &str = "format=format_name,start_time,duration,size:\
stream=index,codec_type,codec_name,time_base,width,height,pix_fmt,field_order,avg_frame_rate,r_frame_rate,\
color_transfer,has_b_frames:stream_tags=language,title:stream_disposition:stream_side_data:chapter=id";

/// What the checks want to know of a file of ours.
const MADE: &str = "format=format_name,start_time,duration,size:format_tags=segenc_colours:\
stream=index,codec_type,codec_name,time_base,extradata_size,extradata_hash,color_range,color_space,color_transfer,\
color_primaries,chroma_location,pix_fmt,width,height,sample_rate:stream_tags=encoder,DURATION:stream_disposition:\
stream_side_data=side_data_type";

/// What the merge wants to know of a picture.
const PICTURE: &str =
    "frame=pix_fmt,color_range,color_space,color_transfer,color_primaries,chroma_location";

impl Invocation {
    /// Asks what a source is. The format is found by ffprobe, among those that are safe.
    pub(crate) fn facts(source: &MediaInput) -> Self {
        let mut call = Self::ffprobe();
        call.option("-format_whitelist", FORMATS);
        call.protocols(source);
        // By its name ffmpeg would take it for the first of a row of pictures.
        if is_photograph(source) {
            call.words(&["-f", "jpeg_pipe"]);
        }
        call.words(&["-show_chapters", "-show_entries", FACTS, "-of", "json"]);
        call.option("-i", names::address(source));
        call
    }

    /// Lists a source's packets of a stream: a line `pts,dts,duration,size,flags` for each, in decoding order.
    pub(crate) fn packets(demuxer: &str, input: &MediaInput, stream: u32) -> Self {
        let mut call = Self::ffprobe();
        call.option("-select_streams", stream.to_string());
        call.words(&["-show_entries", "packet=pts,dts,duration,size,flags", "-of", "csv=p=0"]);
        call.input(demuxer, input);
        call
    }

    /// Asks for the first picture of a stream of the source.
    pub(crate) fn first_picture(demuxer: &str, source: &MediaInput, stream: u32) -> Self {
        let mut call = Self::ffprobe();
        call.option("-select_streams", stream.to_string());
        call.words(&["-read_intervals", "%+#1", "-show_entries", PICTURE, "-of", "json"]);
        call.input(demuxer, source);
        call
    }

    /// Asks what stands beside the first picture of a stream of the source.
    pub(crate) fn first_side_data(demuxer: &str, source: &MediaInput, stream: u32) -> Self {
        let mut call = Self::ffprobe();
        call.option("-select_streams", stream.to_string());
        call.words(&["-read_intervals", "%+#1", "-show_frames"]);
        call.words(&["-show_entries", "frame=side_data_list", "-of", "json"]);
        call.input(demuxer, source);
        call
    }

    /// Asks for the bytes of the header of a segment's film.
    pub(crate) fn header(demuxer: &str, segment: &MediaInput) -> Self {
        let mut call = Self::ffprobe();
        call.words(&["-select_streams", "v:0", "-show_data"]);
        call.words(&["-show_entries", "stream=extradata", "-of", "json"]);
        call.input(demuxer, segment);
        call
    }

    /// Asks what a file that a worker made is. Where the demuxer is not known, a safe one is found.
    pub(crate) fn made(demuxer: Option<&str>, input: &MediaInput) -> Self {
        let mut call = Self::ffprobe();
        call.words(&["-show_data_hash", "sha256", "-show_entries", MADE, "-of", "json"]);
        match demuxer {
            Some(demuxer) => call.input(demuxer, input),
            None => {
                call.option("-format_whitelist", FORMATS);
                call.protocols(input);
                call.option("-i", names::address(input));
            }
        }
        call
    }
}

fn is_photograph(source: &MediaInput) -> bool {
    match source {
        MediaInput::File(path) => path.extension().is_some_and(|extension| {
            extension.eq_ignore_ascii_case("jpg") || extension.eq_ignore_ascii_case("jpeg")
        }),
        MediaInput::Url(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::sample::{file, lines, url};

    #[test]
    fn facts_are_asked_with_safe_formats_only() {
        insta::assert_snapshot!("facts", lines(&Invocation::facts(&file("/films/-a:b.mkv"))));
        for format in FORMATS.split(',') {
            let opens_others =
                ["hls", "concat", "dash", "image2", "lavfi", "sdp", "rtsp", "tty", "ffmetadata"];
            assert!(!opens_others.contains(&format), "{format}");
        }
    }

    #[test]
    fn packets_are_asked_of_the_known_format() {
        insta::assert_snapshot!(
            "packets",
            lines(&Invocation::packets("matroska,webm", &url(0), 2))
        );
        insta::assert_snapshot!(
            "made",
            lines(&Invocation::made(Some("mov"), &file("/scratch/output.mp4")))
        );
    }
}
