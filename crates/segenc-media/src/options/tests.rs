//! Cases as text: what is typed, and what becomes of it.

use proptest::prelude::*;
use segenc_core::rate::RateAim;
use segenc_core::source::StreamKind;
use segenc_core::spec::{
    JobSpec, Neighbours, Retiming, SplitPolicy, StreamSelector, VideoEncode, VideoSpec,
};

use super::{OptionError, aim_at_file_size, filter, parse};

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn read(line: &str) -> Result<JobSpec, OptionError> {
    parse(&words(line), None, Some("out.mkv"))
}

/// Draws the split policy of a line: `-` for segments, `2+2` for a window, `whole: …`, `! kind` if refused.
fn split(line: &str) -> String {
    match read(line) {
        Err(error) => format!("! {}: {error}", error.kind),
        Ok(spec) => match spec.split {
            SplitPolicy::Segments { run_up: 0, run_out: 0 } => "-".to_owned(),
            SplitPolicy::Segments { run_up, run_out } => format!("{run_up}+{run_out}"),
            SplitPolicy::Retimed { before, retiming, after } => retimed(before, retiming, after),
            SplitPolicy::Whole { reason } => format!("whole: {reason}"),
        },
    }
}

/// `2+2 > 25/1 > 1+1`: what is needed in front, what is made, what is needed behind.
fn retimed(before: Neighbours, retiming: Retiming, after: Neighbours) -> String {
    let window = |near: Neighbours| format!("{}+{}", near.run_up, near.run_out);
    let made = match retiming {
        Retiming::Rate { rate, rounding, end } => {
            format!("{}/{} {rounding:?} {end:?}", rate.num, rate.den)
        }
        Retiming::Fields { last } => format!("fields {last:?}"),
    };
    format!("{} > {made} > {}", window(before), window(after))
}

fn check(cases: &[(&str, &str)]) {
    for (line, wanted) in cases {
        let got = split(line);
        if let Some(part) = wanted.strip_prefix("whole ") {
            assert!(
                got.starts_with("whole: ") && got.contains(part),
                "{line}\n  wanted whole with {part:?}, got {got}"
            );
        } else if let Some(kind) = wanted.strip_prefix("! ") {
            assert!(got.starts_with(&format!("! {kind}:")), "{line}\n  wanted {wanted}, got {got}");
        } else {
            assert_eq!(got, *wanted, "{line}");
        }
    }
}

fn film(line: &str) -> VideoEncode {
    match read(line).map(|spec| spec.video) {
        Ok(VideoSpec::Encode(video)) => video,
        other => panic!("{line} encodes no video: {other:?}"),
    }
}

fn drawn(options: &[segenc_core::spec::OutputOption]) -> String {
    let words = options.iter().map(|option| match &option.value {
        Some(value) => format!("-{} {value}", option.name),
        None => format!("-{}", option.name),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The measuring and the real pass of a line, as ffmpeg would be given them.
fn passes(line: &str) -> [String; 2] {
    let rate = read(line).expect("it is accepted").rate.expect("it names a bitrate");
    [drawn(&rate.passes.measure), drawn(&rate.passes.real)]
}

#[test]
fn a_bitrate_becomes_two_passes_in_the_encoder_s_own_words() {
    let notes = "-passlogfile passlog";
    let fast = "ref=1:subme=2:trellis=0";
    let level = "-bsf:v h264_metadata=level=auto";
    assert_eq!(
        passes("-c:v libx264 -preset slow -b:v 2M"),
        [
            format!(
                "-preset slow -x264-params stitchable=1:{fast} {level} -fastfirstpass 0 -pass 1 {notes}"
            ),
            format!("-preset slow -x264-params stitchable=1 {level} -pass 2 {notes}"),
        ]
    );
    let mine = "-level 4.1 -x264-params aq-mode=3:stitchable=1";
    assert_eq!(
        passes("-c:v libx264 -b:v 2M -level 4.1 -x264-params aq-mode=3"),
        [
            format!("{mine}:{fast} -fastfirstpass 0 -pass 1 {notes}"),
            format!("{mine} -pass 2 {notes}"),
        ]
    );
    assert_eq!(
        passes("-c:v libx265 -b:v 2M"),
        [1, 2].map(|number| {
            let keys = format!("high-tier=0:info=0:pass={number}:stats=passlog.log");
            // The filter comes after the list, whichever was there first.
            format!("-x265-params {keys} -bsf:v hevc_metadata=level=auto")
        })
    );
    assert_eq!(
        passes("-c:v libsvtav1 -preset 4 -b:v 2M -g 240"),
        ["-g 240 -preset 12".to_owned(), "-preset 4 -g 240".to_owned()]
    );
}

#[test]
fn segments_claim_half_of_a_buffer_and_begin_with_half_of_that() {
    let buffer = read("-c:v libx264 -crf 20 -maxrate 4M -bufsize 8M").map(|spec| spec.buffer);
    let buffer = buffer.expect("it is accepted").expect("it names a buffer");
    assert_eq!((buffer.limit.bits_per_second, buffer.limit.bits), (4_000_000, 8_000_000));
    let wanted = "-crf 20 -maxrate 4M -bufsize:v 4000000 -rc_init_occupancy:v 2000000";
    assert_eq!(drawn(&buffer.segment_options), wanted);
    let [measure, real] = passes("-c:v libx264 -b:v 2M -maxrate 4M -bufsize 8M");
    assert!(!measure.contains("maxrate") && !measure.contains("bufsize"), "{measure}");
    assert!(real.contains("-bufsize:v 4000000"), "{real}");
}

#[test]
fn a_file_s_size_forgets_nothing_that_the_output_s_name_said() {
    let sized = |line, name| {
        let spec = parse(&words(line), None, Some(name)).expect("it is accepted");
        aim_at_file_size(&spec, 700_000_000)
    };
    let m2ts = sized("", "out.m2ts").expect("it has a film");
    assert_eq!(drawn(&m2ts.mux_options), "-mpegts_m2ts_mode 1");
    for (line, without_film) in [("", "out.mka"), ("", "out.mks"), ("-c:v libx264", "out.mks")] {
        let error = sized(line, without_film).expect_err("no film could have that size");
        assert_eq!(error.kind.reason(), "refused-option", "{line} {without_film}");
    }
    assert!(sized("-c:v libx264", "out.mka").is_ok());
}

#[test]
fn a_file_s_size_takes_the_place_of_the_usual_quality() {
    let sized = |line| aim_at_file_size(&read(line).expect("it is accepted"), 700_000_000);
    let spec = sized("-c:a copy").expect("the film is encoded by default");
    let VideoSpec::Encode(video) = &spec.video else { panic!("it is encoded") };
    assert_eq!(drawn(&video.options), "-preset medium");
    let rate = spec.rate.expect("a size is wished");
    assert_eq!(rate.aim, RateAim::FileBytes(700_000_000));
    assert_eq!(spec.split, SplitPolicy::Segments { run_up: 0, run_out: 0 });
    for (line, kind) in [
        ("-crf 20", "option-without-effect"),
        ("-b:v 2M", "option-without-effect"),
        ("-x264-params crf=20", "option-without-effect"),
        ("-c:v mpeg4", "refused-option"),
        ("-c:v copy", "refused-option"),
        ("-vf reverse", "refused-option"),
    ] {
        let refused = sized(line).expect_err(line);
        assert_eq!(refused.kind.reason(), kind, "{line}: {refused}");
        assert!(refused.hint.is_some(), "{line}");
    }
}

#[test]
fn constant_quality_is_split_and_bitrates_are_not() {
    check(&[
        ("", "-"),
        ("-c:v libx264", "-"),
        ("-c:v libx264 -crf 18 -preset slow -tune film -profile:v high -level 4.1", "-"),
        ("-vcodec libx265 -crf 20 -x265-params aq-mode=3:no-sao=1:scaling-list=default", "-"),
        (
            "-c:v:0 libsvtav1 -preset 6 -crf 30 -svtav1-params tune=0:film-grain=8 -pix_fmt yuv420p10le",
            "-",
        ),
        ("-c:v libvpx-vp9 -crf 31 -b:v 0 -row-mt 1 -tile-columns 2 -cpu-used 2", "-"),
        ("-c:v libvpx-vp9 -crf 31 -b:v 2M", "whole bitrate target"),
        ("-c:v libaom-av1 -crf 30 -b:v 1M", "whole bitrate target"),
        ("-c:v libvpx -crf 10", "whole libvpx aims at a bitrate"),
        ("-c:v libsvtav1 -b:v 5M", "-"),
        ("-c:v libvpx-vp9 -b:v 5M", "-"),
        ("-c:v libvpx -b:v 5M", "-"),
        ("-c:v libaom-av1 -b:v 5M", "-"),
        ("-c:v mpeg4 -b:v 5M", "whole bitrate target"),
        ("-c:v libx264 -b:v 5M", "-"),
        ("-b:v 5M", "-"),
        ("-b 5M", "-"),
        ("-b:v 5M -minrate 5M", "whole bitrate limit"),
        ("-c:v libx265 -b:v 5M -x265-params strict-cbr=1:vbv-maxrate=5000", "whole bitrate limit"),
        ("-c:v libx264 -crf 20 -b:v 5M", "-"),
        ("-c:v libx264 -crf 20 -maxrate 8M -bufsize 16M", "-"),
        ("-c:v libx265 -b:v 5M -maxrate 8M -bufsize 16M", "-"),
        ("-c:v libvpx-vp9 -b:v 5M -maxrate 8M -bufsize 16M", "whole bitrate limit"),
        ("-c:v libx264 -b:v 5M -maxrate 8M -bufsize 16M -nal-hrd vbr", "whole bitrate limit"),
        ("-c:v libx265 -b:v 5M -maxrate 8M -bufsize 16M -x265-params hrd=1", "whole bitrate limit"),
        ("-c:v libx264 -b:v 5M -maxrate 5M -minrate 5M -bufsize 16M", "whole bitrate limit"),
        ("-c:v libx264 -crf 20 -maxrate:v 8M", "whole bitrate limit"),
        ("-c:v libx264 -x264-params bitrate=4000", "whole bitrate target"),
        ("-c:v libx264 -x264opts crf=20:vbv_maxrate=4000", "whole bitrate limit"),
        ("-c:v libx264 -x264-params zones=0,100,q=20", "whole zones"),
        ("-c:v libsvtav1 -svtav1-params rc=1:tbr=2000", "whole bitrate target"),
        ("-c:v mpeg2video", "whole mpeg2video aims at a bitrate"),
        ("-c:v mpeg2video -q:v 2 -bf 2 -g 15 -intra_matrix 8,16,19", "-"),
        ("-c:v mpeg4 -qscale:v 3", "-"),
        ("-c:v mpeg4 -qscale 3", "-"),
        ("-c:v libtheora -q:v 7", "-"),
        ("-c:v mjpeg", "whole mjpeg"),
        ("-c:v ffv1 -level 3 -slicecrc 1", "-"),
        ("-c:v prores_ks -profile:v 3 -vendor apl0", "-"),
        ("-c:v dnxhd -b:v 185M", "-"),
        ("-c:v h264_nvenc -preset p5", "whole h264_nvenc aims at a bitrate"),
        ("-c:v h264_nvenc -rc vbr -cq 23", "-"),
        ("-c:v h264_nvenc -rc vbr -qp 23", "whole h264_nvenc"),
        ("-c:v hevc_nvenc -rc cbr -cq 23", "whole constant bitrate"),
        ("-c:v h264_nvenc -cq 0", "whole h264_nvenc"),
        ("-c:v hevc_qsv -global_quality 24", "-"),
        ("-c:v h264_amf -qp_i 20 -qp_p 22", "whole h264_amf"),
        ("-c:v h264_amf -rc cqp -qp_i 20 -qp_p 22", "-"),
        ("-r 25", "whole change of the frame rate"),
        ("-r 24000/1001", "whole change of the frame rate"),
        ("-force_key_frames source", "-"),
        ("-force_key_frames expr:gte(t,n_forced*2)", "whole forced keyframes"),
        ("-g 48 -keyint_min 48 -sc_threshold 0 -bf 3 -refs 4 -flags -cgop", "-"),
        (
            "-flags +ilme+ildct -top 1 -color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv",
            "-",
        ),
        ("-aspect 16:9 -s 1280x720 -threads 4", "-"),
        ("-c:v copy", "whole video is not encoded"),
        ("-c copy", "whole video is not encoded"),
        ("-vn", "whole video is not encoded"),
    ]);
}

#[test]
fn filters_decide_the_split() {
    check(&[
        ("-vf scale=-2:720", "-"),
        ("-filter:v scale=-2:720,crop=100:100,format=yuv420p", "-"),
        ("-vf yadif", "2+2"),
        ("-vf yadif=2:-1:1", "2+2"),
        ("-vf yadif=mode=send_frame,tmix=frames=5", "7+7"),
        ("-vf yadif=1", "0+0 > fields Mirrored > 0+0"),
        ("-vf yadif=mode=send_field", "0+0 > fields Mirrored > 0+0"),
        ("-vf yadif=1:-1:1", "whole deint=all"),
        ("-vf yadif=1:deint=interlaced", "whole deint=all"),
        ("-vf bwdif=enable=lt(t\\,5)", "whole enable"),
        ("-vf bwdif", "0+0 > fields Mirrored > 0+0"),
        ("-vf w3fdif", "0+0 > fields Mirrored > 0+0"),
        ("-vf w3fdif=simple:field:auto:interlaced", "whole names"),
        ("-vf estdif,tmix=frames=5", "0+0 > fields ByRate > 5+5"),
        ("-vf bwdif=mode=send_frame", "2+2"),
        ("-vf bwdif=0", "2+2"),
        ("-vf estdif=mode=frame", "2+2"),
        ("-vf atadenoise", "9+9"),
        ("-vf atadenoise=s=33", "33+33"),
        ("-vf atadenoise=s=129,atadenoise=s=129", "whole more than 250"),
        ("-vf atadenoise=s=lots", "whole reach"),
        ("-vf deflicker=size=7", "7+7"),
        ("-vf nlmeans", "-"),
        ("-vf hqdn3d", "whole fading memory"),
        ("-vf fps=25", "0+0 > 25/1 Near Near > 0+0"),
        ("-vf fps=source_fps", "whole no number"),
        ("-vf fps=25:start_time=1", "whole start_time"),
        ("-vf fps=24000/1001:round=up:eof_action=pass", "0+0 > 24000/1001 Up Up > 0+0"),
        ("-vf yadif,fps=ntsc,tmix=frames=5", "2+2 > 30000/1001 Near Near > 5+5"),
        ("-vf bwdif,fps=30", "whole second"),
        ("-vf fps=25,reverse", "whole reverse"),
        ("-vf minterpolate", "whole minterpolate"),
        ("-vf null,fps=25,null", "0+0 > 25/1 Near Near > 0+0"),
        ("-vf select=gt(scene\\,0.4)", "whole select"),
        ("-vf pullup", "whole pullup"),
        ("-vf reverse", "whole reverse"),
        ("-vf setpts=PTS-STARTPTS", "whole setpts"),
        ("-vf fade=in:0:30", "whole frame numbers"),
        ("-vf fade=t=in:st=0:d=2", "-"),
        ("-vf fade=t=in:d=0", "whole frame numbers"),
        ("-vf hue=h=90*t", "-"),
        ("-vf hue=h=n", "whole \"n\""),
        ("-vf geq=lum=p(X\\,Y)*random(1)", "whole \"random\""),
        ("-vf crop=100:100:n:0", "whole \"n\""),
        ("-vf eq=enable='between(n,1,5)'", "whole \"n\""),
        ("-vf eq=enable='between(t,1,5)'", "-"),
        ("-vf perspective=eval=frame:x0=on", "whole \"on\""),
        ("-vf drawtext=text=hello", "whole font"),
        ("-vf curves=vintage", "-"),
        ("-vf vignette", "whole random"),
        ("-vf vignette=dither=0", "-"),
        ("-vf [in]scale=10:10[out]", "-"),
        ("-vf noise=alls=10", "whole noise"),
        ("-vf tmedian", "whole drops frames"),
        ("-vf deshake", "whole camera"),
        ("-vf deshake=1:1:1:1:1:1:1:1:1:1:5", "! refused-filter"),
        ("-vf deshake=filename=x", "! refused-filter"),
        ("-vf colorchannelmixer=.3:.4:.3:0:.3:.4:.3:0:.3:.4:.3", "-"),
        ("-vf colorchannelmixer=.3:.4:.3:0:.3:.4:.3:0:.3:.4:/x", "! refused-filter"),
        ("-c:a flac -af loudnorm=1:2:3:4:5:6:7:8:9:a", "! refused-filter"),
        ("-c:a flac -af loudnorm=I=-16:TP=-1.5:LRA=11", "-"),
        ("-vf shufflepixels", "whole by chance"),
        ("-threads auto", "-"),
        ("-threads many", "! bad-value"),
    ]);
}

#[test]
fn only_the_film_s_own_subtitles_are_burnt_in() {
    check(&[
        ("-vf subtitles={source}", "whole fonts that may differ"),
        (
            "-vf scale=-2:720,subtitles=filename={source}:si=1:force_style=Fontsize=30",
            "whole fonts that may differ",
        ),
        ("-vf subtitles=film.mkv", "! refused-filter"),
        ("-vf subtitles", "! refused-filter"),
    ]);
}

#[test]
fn hostile_filters_are_refused() {
    for chain in [
        "movie=/etc/passwd",
        "movie=a.mkv[x];[in][x]overlay",
        "null,subtitles=a.srt",
        "subtitles=/etc/passwd:filename={source}",
        "subtitles={source}:f=/etc/passwd",
        "subtitles=si=1",
        "subtitles={source}:fontsdir=/",
        "subtitles={source}:/force_style=/etc/passwd",
        "ass=a.ass",
        "drawtext=/etc/passwd",
        "drawtext=textfile=/etc/passwd",
        "drawtext=text=a:fontfile=/x",
        "drawtext=te\\xtfile=/etc/passwd",
        "drawtext='textfile'=/etc/passwd",
        "lut3d=a.cube",
        "lut3d=file=a.cube",
        "lut1d=a.cube",
        "haldclut",
        "curves=psfile=a.acv",
        "curves=plot=/tmp/x",
        "curves=a:b:c:d:e:f:g:h",
        "selectivecolor=psfile=x",
        "sendcmd=f=x",
        "sendcmd=c='0 x y z'",
        "zmq",
        "ocr",
        "frei0r=x",
        "libplacebo=shader_path=x",
        "vidstabdetect=result=/x",
        "vidstabtransform",
        "removelogo=x.png",
        "signature=filename=x",
        "dnn_processing=model=x",
        "metadata=print:file=/x",
        "psnr=stats_file=/x",
        "ssim=x",
        "overlay",
        "scale=/w=/etc/passwd",
        "scale_cuda=1:1",
        "hwupload",
        "nnedi=weights=x",
        "scale=w=1:file=x",
        "split[a][b];[a][b]hstack",
        "scal\\e=1:1,movi\\e=x",
        "@",
        "cue",
        "cropdetect",
        "sr=model=x",
    ] {
        let error = parse(&["-vf".to_owned(), chain.to_owned()], None, Some("o.mkv"))
            .map(|spec| spec.split);
        let reason = error.map_err(|error| error.kind.reason());
        assert!(
            matches!(reason, Err("refused-filter" | "bad-filter" | "unknown-filter")),
            "{chain} became {reason:?}"
        );
    }
}

#[test]
fn hostile_and_unfit_options_are_refused() {
    check(&[
        ("-i other.mkv", "! refused-option"),
        ("-filter_complex_script x", "! refused-option"),
        ("-filter_script:v x", "! refused-option"),
        ("-filter_complex [0:v]null", "! refused-option"),
        ("-lavfi null", "! refused-option"),
        ("-report", "! refused-option"),
        ("-progress http://x/", "! refused-option"),
        ("-vstats_file /x", "! refused-option"),
        ("-attach /etc/passwd", "! refused-option"),
        ("-dump_attachment:t /x", "! refused-option"),
        ("-sdp_file x", "! refused-option"),
        ("-pass 1", "! refused-option"),
        ("-passlogfile x", "! refused-option"),
        ("-c:v libx264 -stats /x", "! refused-option"),
        ("-/vf /etc/passwd", "! refused-option"),
        ("-/filter:v /etc/passwd", "! refused-option"),
        ("-t 10", "! refused-option"),
        ("-to 10", "! refused-option"),
        ("-ss 10", "! refused-option"),
        ("-fs 10M", "! refused-option"),
        ("-frames:v 10", "! refused-option"),
        ("-vframes 10", "! refused-option"),
        ("-copyts", "! refused-option"),
        ("-vsync 0", "! refused-option"),
        ("-fps_mode cfr", "! refused-option"),
        ("-enc_time_base 1:25", "! refused-option"),
        ("-shortest", "! refused-option"),
        ("-hwaccel cuda", "! refused-option"),
        ("-init_hw_device vaapi=/dev/dri/renderD128", "! refused-option"),
        ("-c:v h264_nvenc -gpu 1", "! refused-option"),
        ("-c:v hevc_qsv -load_plugin x", "! refused-option"),
        ("-c:v h264_vaapi", "! refused-option"),
        ("-protocol_whitelist file", "! refused-option"),
        ("-y", "! refused-option"),
        ("-bsf:v null", "! refused-option"),
        ("-vpre x", "! refused-option"),
    ]);
}

#[test]
fn hostile_and_unfit_values_are_refused() {
    check(&[
        ("-f tee", "! bad-container"),
        ("-f hls", "! bad-container"),
        ("-f segment", "! bad-container"),
        ("-f null", "! bad-container"),
        ("-f:v mp4", "! bad-specifier"),
        ("-c:v libx264 -x264-params stats=/x", "! bad-value"),
        ("-c:v libx264 -x264-params st\\ats=/x", "! bad-value"),
        ("-c:v libx264 -x264-params crf=20:qpfile=/x", "! bad-value"),
        ("-c:v libx264 -x264-params cqmfile=/x", "! bad-value"),
        ("-c:v libx264 -x264-params cqm=/etc/passwd", "! bad-value"),
        ("-c:v libx264 -x264-params cqm=flat", "-"),
        ("-c:v libx264 -x264-params dump_yuv=/x", "! bad-value"),
        ("-c:v libx264 -x264opts pass=1", "! bad-value"),
        ("-c:v libx264 -x264opts opencl", "! bad-value"),
        ("-c:v libx265 -x265-params csv=/x", "! bad-value"),
        ("-c:v libx265 -x265-params analysis-save=/x", "! bad-value"),
        ("-c:v libx265 -x265-params scaling-list=/x", "! bad-value"),
        ("-c:v libx265 -x265-params lambda-file=/x", "! bad-value"),
        ("-c:v libx265 -x265-params dolby-vision-rpu=/x", "! bad-value"),
        ("-c:v libx265 -x265-params recon=/x", "! bad-value"),
        ("-c:v libx265 -x265-params zonefile=/x", "! bad-value"),
        ("-c:v libsvtav1 -svtav1-params fgs-table=/x", "! bad-value"),
        ("-c:v libaom-av1 -aom-params film-grain-table=/x", "! bad-value"),
        ("-c:v libx264 -x264-params", "! missing-value"),
        ("-crf", "! missing-value"),
        ("-crf -preset slow", "! missing-value"),
        ("-crf abc", "! bad-value"),
        ("-g 1x", "! bad-value"),
        ("-r 1/2/3", "! bad-value"),
        ("-flags +pass1", "! bad-value"),
        ("-flags +global_header", "! bad-value"),
        ("-intra_matrix /etc/passwd", "! bad-value"),
        ("-map 1:0", "! bad-value"),
        ("-map [out]", "! bad-value"),
        ("-map_metadata 1", "! bad-value"),
        ("-metadata title", "! bad-value"),
        ("-metadata:s:0 title=x", "! bad-specifier"),
        ("-c:1 copy", "! bad-specifier"),
        ("-c libx264", "! bad-specifier"),
        ("-b:v:1 1M", "! bad-specifier"),
        ("-vf:0 null", "! bad-specifier"),
        ("-filter null", "! bad-specifier"),
        ("other.mkv", "! stray-word"),
        ("-crf 20 other.mkv", "! stray-word"),
        ("-", "! stray-word"),
        ("--crf 20", "! unknown-option"),
        ("-frobnicate 1", "! unknown-option"),
        ("-c:v h264", "! unknown-encoder"),
        ("-c:v libopus", "! bad-value"),
        ("-c:t libx264", "! bad-value"),
        ("-c:v:1 libx264", "! bad-value"),
        ("-c:v copy -crf 20", "! option-without-effect"),
        ("-c:v copy -vf null", "! option-without-effect"),
        ("-c:v ffv1 -crf 20", "! option-without-effect"),
        ("-b:a 128k", "! option-without-effect"),
        ("-af loudnorm", "! option-without-effect"),
        ("-movflags +faststart", "! option-without-effect"),
        ("-c:a libopus -af amovie=x", "! refused-filter"),
        ("-c:a libopus -af ladspa=x", "! refused-filter"),
    ]);
}

#[test]
fn near_names_are_offered() {
    for (line, wanted) in [
        ("-prest slow", "-preset"),
        ("-c:v libx246", "libx264"),
        ("-c:v hevc", "libx265"),
        ("-c:a opus", "libopus"),
        ("-vf scael=1:1", "scale"),
        ("-c:v libx265 -x265-params aq-mod=3", "aq-mode"),
        ("-f matrosca", "matroska"),
        ("-f mkv", "matroska"),
        ("-c:v libx264 -cq 3", "h264_nvenc"),
        ("-b:a 128k", "-c:a libopus"),
    ] {
        let hint = read(line).err().and_then(|error| error.hint).unwrap_or_default();
        assert!(hint.contains(wanted), "{line}: {hint:?}");
    }
    assert_eq!(read("-qqqqqqqqqq 1").map_err(|error| error.hint), Err(None));
}

#[test]
fn defaults_fill_only_what_is_not_said() {
    for (line, encoder, options) in [
        ("", "libx264", "-crf 20 -preset medium"),
        ("-crf 17", "libx264", "-crf 17 -preset medium"),
        ("-preset slow", "libx264", "-preset slow -crf 20"),
        ("-b:v 3M", "libx264", "-b:v 3M -preset medium"),
        ("-x264-params qp=20", "libx264", "-x264-params qp=20 -preset medium"),
        ("-x264-params bframes=5", "libx264", "-x264-params bframes=5 -crf 20 -preset medium"),
        ("-c:v libx264", "libx264", ""),
        ("-c:v libx265 -preset fast", "libx265", "-preset fast"),
        ("-threads 3 -c:v ffv1", "ffv1", "-threads 3"),
        ("-c:v copy -c:v ffv1", "ffv1", ""),
    ] {
        let video = film(line);
        assert_eq!(
            (video.encoder.as_str(), drawn(&video.options).as_str()),
            (encoder, options),
            "{line}"
        );
    }
}

#[test]
fn every_option_goes_to_its_place() {
    let line = "-c:v libx265 -crf 20 -vf scale=-2:720 -c:a libopus -b:a 128k -ac 2 -af loudnorm -c:s copy -map 0 -map -0:d \
                -metadata title=x -metadata:s:a:0 language=eng -disposition:s:0 default -map_chapters -1 -tag:v hvc1 \
                -strict -2 -f mp4 -movflags +faststart -b:a:1 96k -application voip -dn";
    let spec = read(line).expect("all of it is allowed");
    assert_eq!(spec.container, "mp4");
    assert_eq!(spec.args, words(line));
    assert_eq!(
        drawn(&spec.stream_options),
        "-b:a 128k -ac 2 -filter:a loudnorm -strict -2 -b:a:1 96k -application voip"
    );
    assert_eq!(
        drawn(&spec.mux_options),
        "-metadata title=x -metadata:s:a:0 language=eng -disposition:s:0 default -map_chapters -1 -tag:v hvc1 \
         -strict -2 -movflags +faststart"
    );
    assert_eq!(spec.maps.len(), 2);
    assert_eq!(spec.maps[1].selector, StreamSelector::Kind(StreamKind::Data, None));
    assert_eq!(spec.dropped_kinds, vec![StreamKind::Data]);
    assert_eq!(film(line).filter.as_deref(), Some("scale=-2:720"));
    assert_eq!(drawn(&film(line).options), "-crf 20 -strict -2");
}

#[test]
fn the_last_codec_that_fits_wins() {
    assert_eq!(
        split("-c:a libopus -c copy -b:a 96k").split(':').next(),
        Some("! option-without-effect")
    );
    assert_eq!(split("-c copy -c:v libx264 -c:a libopus -b:a 96k"), "-");
    assert_eq!(split("-c:a libopus -c:a:1 copy -b:a:0 96k"), "-");
    assert!(split("-c:a libopus -c:a:1 copy -b:a:1 96k").starts_with("! option-without-effect"));
    assert!(split("-c:a libopus -an -b:a 96k").starts_with("! option-without-effect"));
}

#[test]
fn the_output_s_name_decides_the_container_s_flavour() {
    let spec = |line: &str, name| parse(&words(line), None, Some(name));
    let m2ts = spec("", "a.m2ts").expect("allowed");
    assert_eq!(drawn(&m2ts.mux_options), "-mpegts_m2ts_mode 1");
    assert_eq!(spec("", "a.mka").map(|spec| spec.video), Ok(VideoSpec::Drop));
    assert!(spec("", "a.webm").is_err(), "webm holds no h264");
    assert!(spec("-c:v libsvtav1", "a.webm").is_ok());
    assert!(spec("", "a.exe").is_err());
}

#[test]
fn sizes_are_bounded() {
    let many = vec!["-dn".to_owned(); 1001];
    assert_eq!(
        parse(&many, None, Some("a.mkv")).map_err(|error| error.kind.reason()).err(),
        Some("options-too-large")
    );
    let long = ["-metadata".to_owned(), format!("a={}", "x".repeat(9000))];
    assert_eq!(
        parse(&long, None, Some("a.mkv")).map_err(|error| error.kind.reason()).err(),
        Some("options-too-large")
    );
    let zero = ["-metadata".to_owned(), "a=\0".to_owned()];
    assert!(parse(&zero, None, Some("a.mkv")).is_err());
    assert!(split(&format!("-vf {}", vec!["null"; 65].join(","))).starts_with("! bad-filter"));
}

#[test]
fn tables_do_not_contradict_each_other() {
    for name in super::encoder::option_names().chain(super::catalog::names()) {
        // `stats` and the like must not be allowed in one table and refused in the other.
        assert!(super::refused::find(name).is_none(), "{name} is both allowed and refused");
    }
}

/// Fragments of real words, glued together at random: far more of them get past the first checks.
fn fragment() -> impl Strategy<Value = String> {
    let known = [
        "-c:v",
        "libx264",
        "-crf",
        "20",
        "-vf",
        "scale=1:1",
        "movie=x",
        ",",
        ":",
        "=",
        "\\",
        "'",
        "[in]",
        "[out]",
        ";",
        "-map",
        "0:a",
        "-0:d",
        "?",
        "-x264-params",
        "stats=x",
        "crf=20",
        "-metadata",
        "a=b",
        "-f",
        "mp4",
        "-af",
        "-c:a",
        "libopus",
        "-b:a",
        "128k",
        "drawtext=textfile=x",
        "fps=25",
        "-r",
        "25",
        "curves=psfile=x",
        "yadif=",
        "-filter:v",
        "/",
        "@",
        "é",
    ];
    prop_oneof![4 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => fragment(),
        1 => proptest::collection::vec(fragment(), 1..6).prop_map(|parts| parts.concat()),
        1 => any::<String>(),
    ]
}

proptest! {
    #[test]
    fn no_words_make_the_parser_panic_and_all_that_pass_are_allowed(args in proptest::collection::vec(word(), 0..9)) {
        let Ok(spec) = parse(&args, None, Some("o.mkv")) else { return Ok(()) };
        prop_assert_eq!(&spec.args, &args);
        let film = match &spec.video {
            VideoSpec::Encode(video) => Some(video),
            VideoSpec::Copy | VideoSpec::Drop => None,
        };
        let options = film.map(|video| video.options.as_slice()).unwrap_or_default();
        for option in options.iter().chain(&spec.stream_options).chain(&spec.mux_options) {
            let name = option.name.split(':').next().unwrap_or_default();
            let allowed = super::catalog::names().chain(super::encoder::option_names());
            let allowed = allowed.chain(super::container::FAMILIES.iter().flat_map(|family| super::container::options(*family).iter()));
            prop_assert!(allowed.into_iter().any(|known| known == name), "{} got through", name);
        }
        if let Some(chain) = film.and_then(|video| video.filter.as_deref()) {
            let filters = filter::parse_filter_chain(chain).expect("it was read before");
            prop_assert!(filter::classify_video(&filters).is_ok());
            prop_assert!(filters.iter().all(|filter| !filter.name.contains("movie") && filter.argument(&["textfile", "psfile"], None).is_none()));
        }
    }

    #[test]
    fn no_text_makes_the_chain_reader_panic(text in any::<String>()) {
        let _ = filter::parse_filter_chain(&text);
    }

    #[test]
    fn quoting_a_value_keeps_it(value in "[a-z:,;\\[\\]=\\\\ ]{1,12}") {
        // Escaped once for the argument, once more for the chain, as ffmpeg's documentation asks for.
        let escape = |text: &str| text.chars().flat_map(|c| if c.is_ascii_alphanumeric() { vec![c] } else { vec!['\\', c] }).collect::<String>();
        let chain = format!("crop=x={}", escape(&escape(&value)));
        let filters = filter::parse_filter_chain(&chain).expect("well quoted");
        prop_assert_eq!(filters[0].argument(&["x"], None), Some(value.as_str()));
    }
}
