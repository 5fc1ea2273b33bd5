//! What is decided before the first packet: streams, way and length.

use super::{facts, film_stream, stream, wish};
use crate::plan::{DecodedFrom, Origin, OutputStream, PlanError, PlanHeader, Planner, Way};
use crate::source::{Mastering, Rational, SourceFacts, StreamFacts, StreamKind};
use crate::spec::{
    CodecChoice, DynamicHdr, JobSpec, SplitPolicy, StreamMap, StreamSelector, VideoSpec,
};
use crate::work::copy_bias;

/// Film, two languages, subtitles, a font, data, a cover.
fn source() -> SourceFacts {
    let language =
        |stream: StreamFacts, code: &str| StreamFacts { language: Some(code.into()), ..stream };
    facts(vec![
        StreamFacts { dispositions: vec!["attached_pic".into()], ..film_stream(0) },
        film_stream(1),
        language(stream(2, StreamKind::Audio, "aac"), "eng"),
        language(stream(3, StreamKind::Audio, "ac3"), "deu"),
        stream(4, StreamKind::Subtitle, "subrip"),
        stream(5, StreamKind::Attachment, "ttf"),
        stream(6, StreamKind::Data, "bin_data"),
    ])
}

fn header(spec: &JobSpec, source: &SourceFacts) -> PlanHeader {
    Planner::new(spec, source).expect("the wish fits").header().clone()
}

fn refusal(spec: &JobSpec) -> String {
    Planner::new(spec, &source()).expect_err("the wish does not fit").to_string()
}

fn why_whole(spec: &JobSpec, source: &SourceFacts) -> Option<String> {
    let planner = Planner::new(spec, source).expect("the wish fits");
    match planner.header().way.clone() {
        Way::Segments => {
            assert!(planner.wants_packets());
            None
        }
        Way::Whole { reason } => {
            assert!(!planner.wants_packets());
            Some(reason)
        }
    }
}

fn with_maps(maps: &[(bool, StreamSelector)]) -> JobSpec {
    let maps = maps
        .iter()
        .map(|(negative, selector)| StreamMap {
            negative: *negative,
            optional: false,
            selector: selector.clone(),
        })
        .collect();
    JobSpec { maps, ..wish(None) }
}

fn indexes(spec: &JobSpec) -> Vec<u32> {
    header(spec, &source()).layout.iter().map(|stream| stream.source_stream).collect()
}

fn choice(kind: StreamKind, position: Option<u32>, codec: &str) -> CodecChoice {
    CodecChoice { kind, position, codec: codec.into() }
}

#[test]
fn what_is_said_of_the_light_is_handed_on_or_refused_but_never_lost_unseen() {
    let mastering = Some(Mastering { display: None, light: Some([1000, 400]) });
    let mut source = facts(vec![film_stream(0)]);
    if let Some(video) = &mut source.streams[0].video {
        video.mastering = mastering;
        video.dynamic_hdr = "Dolby Vision".to_owned();
    }
    let refused = Planner::new(&wish(None), &source).expect_err("nobody said that it may be lost");
    assert_eq!(refused, PlanError::DynamicHdrLost { kind: "Dolby Vision".to_owned() });
    let copy = JobSpec { video: VideoSpec::Copy, ..wish(None) };
    assert!(Planner::new(&copy, &source).is_ok(), "a copy loses nothing");
    let drop = JobSpec { dynamic_hdr: DynamicHdr::Drop, ..wish(None) };
    let film = header(&drop, &source).film.expect("it is encoded");
    assert_eq!(film.mastering, mastering);
}

#[test]
fn without_maps_everything_is_kept_that_the_container_holds() {
    assert_eq!(indexes(&wish(None)), [0, 1, 2, 3, 4, 5]);
    assert_eq!(indexes(&JobSpec { container: "mp4".into(), ..wish(None) }), [0, 1, 2, 3, 4]);
    assert_eq!(indexes(&JobSpec { container: "webm".into(), ..wish(None) }), [1, 2, 3, 4]);
    let silent = JobSpec { dropped_kinds: vec![StreamKind::Audio], ..wish(None) };
    assert_eq!(indexes(&silent), [0, 1, 4, 5]);
}

#[test]
fn maps_add_in_their_own_order_and_take_away() {
    use StreamSelector::{All, Film, Index, Kind, Tag};
    let audio = |position| Kind(StreamKind::Audio, position);
    assert_eq!(indexes(&with_maps(&[(false, audio(None)), (false, Film(None))])), [2, 3, 1]);
    assert_eq!(indexes(&with_maps(&[(false, Film(None)), (false, audio(Some(1)))])), [1, 3]);
    assert_eq!(
        indexes(&with_maps(&[(false, All), (true, Index(6)), (true, audio(Some(0)))])),
        [0, 1, 3, 4, 5]
    );
    let german = Tag("language".into(), Some("deu".into()));
    assert_eq!(indexes(&with_maps(&[(false, Index(1)), (false, german)])), [1, 3]);
}

#[test]
fn a_later_map_brings_back_what_an_earlier_one_took_away() {
    use StreamSelector::{All, Index, Kind};
    let data = Kind(StreamKind::Data, None);
    let maps = [(false, All), (true, data), (true, Index(2)), (false, Index(2))];
    assert_eq!(indexes(&with_maps(&maps)), [0, 1, 3, 4, 5, 2]);
}

#[test]
fn a_map_that_fits_nothing_is_refused_unless_it_is_optional() {
    let mut spec = with_maps(&[
        (false, StreamSelector::Index(1)),
        (false, StreamSelector::Kind(StreamKind::Audio, Some(2))),
    ]);
    assert_eq!(
        refusal(&spec),
        "`-map 0:a:2` fits no stream: the source has 0 cover h264, 1 video h264, \
         2 audio aac (eng), 3 audio ac3 (deu), 4 subtitle subrip, 5 attachment ttf, \
         6 data bin_data"
    );
    spec.maps[1].optional = true;
    assert_eq!(indexes(&spec), [1]);
}

#[test]
fn wishes_that_cannot_end_well_are_refused_before_any_work() {
    let all = with_maps(&[(false, StreamSelector::All)]);
    assert_eq!(
        refusal(&all),
        "matroska cannot hold stream 6 of the source (data): leave it out with `-map -0:6`"
    );
    let negative = with_maps(&[(true, StreamSelector::Index(4))]);
    assert!(refusal(&negative).starts_with("`-map -0:4` takes streams away before any was added"));
    let mut nothing = with_maps(&[(false, StreamSelector::Film(None))]);
    nothing.video = VideoSpec::Drop;
    assert!(refusal(&nothing).starts_with("nothing is left to put into the output"));
}

#[test]
fn the_film_is_not_the_cover() {
    let header = header(&wish(None), &source());
    assert_eq!(header.film.map(|film| film.stream), Some(1));
    assert_eq!(header.layout[0], OutputStream { source_stream: 0, origin: Origin::Copied });
    assert_eq!(header.layout[1], OutputStream { source_stream: 1, origin: Origin::Film });
}

#[test]
fn the_last_codec_that_fits_wins_and_covers_are_only_meant_by_position() {
    let mut spec = wish(None);
    spec.codecs = vec![
        choice(StreamKind::Video, None, "libx264"),
        choice(StreamKind::Audio, None, "libopus"),
        choice(StreamKind::Audio, Some(0), "copy"),
        choice(StreamKind::Subtitle, None, "ass"),
    ];
    let plan = header(&spec, &source());
    let origins: Vec<Origin> = plan.layout.iter().map(|stream| stream.origin).collect();
    assert_eq!(
        origins,
        [
            Origin::Copied,
            Origin::Film,
            Origin::Copied,
            Origin::Encoded(0),
            Origin::Encoded(1),
            Origin::Copied,
        ]
    );
    assert!(plan.other_streams);
    spec.codecs.push(choice(StreamKind::Video, Some(0), "png"));
    assert_eq!(header(&spec, &source()).layout[0].origin, Origin::Encoded(0));
}

#[test]
fn copies_alone_need_no_task_for_other_streams() {
    assert!(!header(&wish(None), &source()).other_streams);
}

#[test]
fn films_that_can_be_cut_are_cut() {
    assert_eq!(why_whole(&wish(None), &source()), None);
}

#[test]
fn films_without_a_trustworthy_index_are_cut_in_a_copy() {
    let transport = SourceFacts { demuxer: "mpegts".into(), start_micros: 1_400_000, ..source() };
    let planned = header(&wish(None), &transport);
    assert_eq!(planned.way, Way::Segments);
    let reason = "sources of the kind mpegts have no index that can be trusted".to_owned();
    assert_eq!(planned.decoded_from, DecodedFrom::Copy { reason });
    let film = planned.film.clone().expect("it is encoded");
    assert_eq!(film.shift, copy_bias(film.timebase), "the start time is gone from the copy");
    assert_eq!(planned.beside(&transport), [0, 2, 3, 4], "whatever has packets in the output");
    assert_eq!(header(&wish(None), &source()).decoded_from, DecodedFrom::Source);
}

#[test]
fn plans_from_before_there_were_copies_are_read() {
    let planned = header(&wish(None), &source());
    let mut stored = serde_json::to_value(&planned).expect("a plan can be stored");
    stored.as_object_mut().expect("it has names").remove("decoded_from");
    assert_eq!(serde_json::from_value::<PlanHeader>(stored).ok(), Some(planned));
}

#[test]
fn films_that_cannot_be_cut_are_made_in_one_piece_with_a_reason() {
    let reason = |spec: &JobSpec, source: &SourceFacts| why_whole(spec, source).expect("whole");
    let spec = wish(None);

    let photographs = SourceFacts { demuxer: "jpeg_pipe".into(), ..source() };
    assert_eq!(
        reason(&spec, &photographs),
        "sources of the kind jpeg_pipe have no index that can be trusted"
    );
    let mut untold = SourceFacts { demuxer: "avi".into(), ..source() };
    untold.streams[1].codec = "indeo5".into();
    assert_eq!(reason(&spec, &untold), "key packets of indeo5 are not known to be true");
    let short = SourceFacts { duration_micros: Some(3_900_000), ..source() };
    assert_eq!(reason(&spec, &short), "it is too short to be worth cutting");

    let mut silent = source();
    silent.streams.remove(1);
    assert_eq!(reason(&spec, &silent), "the output has no film");
    let mut second = source();
    second.streams.push(film_stream(7));
    assert_eq!(reason(&spec, &second), "2 films are encoded into one output");
    let copied =
        JobSpec { codecs: vec![choice(StreamKind::Video, Some(2), "copy")], ..spec.clone() };
    assert_eq!(why_whole(&copied, &second), None);

    let transport = JobSpec { container: "mpegts".into(), ..spec.clone() };
    assert_eq!(
        reason(&transport, &facts(vec![film_stream(0)])),
        "mpegts outputs are written in one go"
    );
    let reverse = JobSpec {
        split: SplitPolicy::Whole { reason: "`reverse` needs the whole film".into() },
        ..spec.clone()
    };
    assert_eq!(reason(&reverse, &source()), "`reverse` needs the whole film");
    let far =
        JobSpec { split: SplitPolicy::Segments { run_up: 0, run_out: 1_001 }, ..spec.clone() };
    assert_eq!(reason(&far, &source()), "its filters need more than 1000 frames around");
    let copy = JobSpec { video: VideoSpec::Copy, ..spec };
    assert_eq!(reason(&copy, &source()), "the video is copied, not encoded");
    assert_eq!(header(&copy, &source()).film, None);
}

#[test]
fn segments_grow_with_the_film() {
    let target = |seconds: i64, wished: Option<u32>| {
        let source = SourceFacts { duration_micros: Some(seconds * 1_000_000), ..source() };
        header(&wish(wished), &source).target_millis
    };
    assert_eq!(target(10, None), 4_000);
    assert_eq!(target(20, None), 4_000);
    assert_eq!(target(24, None), 4_800);
    assert_eq!(target(60, None), 5_000);
    assert_eq!(target(600, None), 6_000);
    assert_eq!(target(7_200, None), 28_000);
    assert_eq!(target(36_000, None), 30_000);
    assert_eq!(target(600, Some(2)), 2_000);
    assert_eq!(target(36_000, Some(0)), 7_200);
    assert_eq!(header(&wish(None), &source()).target_millis, 10_000);
}

#[test]
fn the_header_names_the_smallest_rate_unless_it_is_absurd() {
    let rate = |average, real| {
        let mut source = facts(vec![film_stream(0)]);
        if let Some(video) = &mut source.streams[0].video {
            video.average_rate = average;
            video.real_rate = real;
        }
        header(&wish(None), &source).film.and_then(|film| film.rate)
    };
    let per_second = |num| Some(Rational { num, den: 1 });
    assert_eq!(rate(per_second(24), per_second(25)), per_second(25));
    assert_eq!(rate(per_second(24), per_second(1000)), per_second(24));
    assert_eq!(rate(per_second(24), Some(Rational { num: 0, den: 0 })), per_second(24));
    assert_eq!(rate(None, None), None);
}

#[test]
fn the_outputs_clock_starts_where_the_source_starts() {
    let source = SourceFacts { start_micros: 7_000_000, ..source() };
    assert_eq!(header(&wish(None), &source).film.map(|film| film.shift), Some(7));
}

#[test]
fn text_subtitles_become_what_the_container_holds_and_pictures_are_refused() {
    let laid_out = |container: &str, codec: &str, codecs: &[CodecChoice]| {
        let source = facts(vec![film_stream(0), stream(1, StreamKind::Subtitle, codec)]);
        let codecs = codecs.to_vec();
        let spec = JobSpec { container: container.to_owned(), codecs, ..wish(None) };
        Planner::new(&spec, &source).map(|planner| planner.header().layout[1].origin)
    };
    let copy = [choice(StreamKind::Subtitle, None, "copy")];
    assert_eq!(laid_out("matroska", "subrip", &[]), Ok(Origin::Copied));
    assert_eq!(laid_out("mp4", "subrip", &[]), Ok(Origin::Encoded(0)));
    assert_eq!(laid_out("matroska", "mov_text", &[]), Ok(Origin::Encoded(0)));
    for (codec, codecs) in [("subrip", &copy[..]), ("hdmv_pgs_subtitle", &[])] {
        assert!(matches!(laid_out("mp4", codec, codecs), Err(PlanError::SubtitleRefused { .. })));
    }
}
