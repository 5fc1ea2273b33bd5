"""A complete worker in Python, written from the .proto and the two HTTP lines in its first comment alone.

It is an example for people who write workers in other languages, and the tests run it to prove that the
interface is enough. It does every kind of task, one at a time, fetching inputs whole.

    python -m grpc_tools.protoc -I proto --python_out=OUT --grpc_python_out=OUT \\
        proto/segmented_encoder/v1/segmented_encoder.proto
    PYTHONPATH=OUT python worker.py http://TOKEN@HOST:PORT [--until-idle SECONDS]
"""

import base64
import hashlib
import json
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from fractions import Fraction
from urllib.parse import urlsplit

import grpc
import requests
from google.protobuf import empty_pb2

from segmented_encoder.v1 import segmented_encoder_pb2 as pb
from segmented_encoder.v1 import segmented_encoder_pb2_grpc as rpc

NO_TIMESTAMP = -(2**63)
FRAGMENTED = ["-movflags", "+frag_keyframe+empty_moov+default_base_moof+frag_discont", "-use_editlist", "0"]
COLOURS = {
    "color_range": "color_range", "color_space": "colorspace", "color_transfer": "color_trc",
    "color_primaries": "color_primaries", "chroma_location": "chroma_sample_location",
}
UNTOLD = (None, "unknown", "unspecified", "reserved")
IN_MOV = ("ffv1", "prores_ks", "mjpeg", "dnxhd")
KINDS = {
    "video": pb.STREAM_KIND_VIDEO,
    "audio": pb.STREAM_KIND_AUDIO,
    "subtitle": pb.STREAM_KIND_SUBTITLE,
    "attachment": pb.STREAM_KIND_ATTACHMENT,
}


class Failed(Exception):
    """An attempt failed; says what failTask wants to know."""

    def __init__(self, log, kind=pb.FAILURE_KIND_WORKER, reason="ffmpeg-failed", message="ffmpeg failed"):
        super().__init__(message)
        self.log, self.kind, self.reason = log, kind, reason


running = []


def run(arguments, folder=None):
    """Runs a program to its end and answers what it wrote; `running` holds it, so that it can be stopped."""
    program = subprocess.Popen(
        arguments, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    running.append(program)
    output, log = (text.decode("utf-8", "replace") for text in program.communicate())
    running.remove(program)
    if program.returncode != 0:
        raise Failed(log[-8000:] or f"exit {program.returncode}")
    return output


def probe(path, *arguments):
    return json.loads(run(["ffprobe", "-v", "error", "-of", "json", *arguments, "file:" + path]))


def demuxer_option(name):
    first = name.split(",")[0]
    return ["-f", first] if first else []


def words(options):
    out = []
    for option in options:
        out.append("-" + option.name)
        if option.HasField("value"):
            out.append(option.value)
    return out


def micros(seconds):
    return round(Fraction(seconds) * 1_000_000) if seconds not in (None, "N/A") else None


def seconds_ahead(container):
    return 0 if container in ("mp4", "mov", "ipod") else 16


def against_correction(demuxer):
    """A microsecond for formats in which ffmpeg otherwise moves streams that are read without the others."""
    return 1 if demuxer in ("mpegts", "mpeg", "ogg", "wtv") else 0


def rational(text):
    num, _, den = (text or "0/0").partition("/")
    return pb.Rational(num=int(num), den=int(den)) if int(num) and int(den or 0) else None


class Worker:
    def __init__(self, join):
        parts = urlsplit(join)
        self.base = f"http://{parts.hostname}:{parts.port}"
        self.stub = rpc.SegmentedEncoderStub(grpc.insecure_channel(f"{parts.hostname}:{parts.port}"))
        encoders = [
            line.split()[1]
            for line in run(["ffmpeg", "-hide_banner", "-encoders"]).splitlines()
            if len(line.split()) > 1 and line.strip()[0] in "VAS"
        ]
        request = pb.RegistrationRequest(
            name="python", version="0.1", slots=1, cores=os.cpu_count() or 1, encoders=encoders,
            memory_bytes=1 << 30, platform=sys.platform,
            ffmpeg_version=run(["ffmpeg", "-version"]).split()[2],
        )
        answer = self.stub.registerClient(request, metadata=self.bearer(parts.username))
        self.token = answer.token
        me = self.stub.getWorkerRegistration(empty_pb2.Empty(), metadata=self.bearer())
        assert me.worker_id == answer.worker_id, "the server knows me by another id"
        print(f"registered as worker {me.worker_id} ({me.name})", flush=True)

    def bearer(self, token=None):
        return [("authorization", "Bearer " + (token or self.token))]

    def headers(self):
        return {"Authorization": "Bearer " + self.token}

    def serve(self, until_idle):
        idle_since = time.monotonic()
        while until_idle is None or time.monotonic() - idle_since < until_idle:
            try:
                task = self.stub.requestTask(empty_pb2.Empty(), metadata=self.bearer())
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    raise
                time.sleep(1.0)
                continue
            if task.WhichOneof("work") is None:
                continue
            with tempfile.TemporaryDirectory() as folder:
                self.attempt(task, folder)
            idle_since = time.monotonic()
        self.stub.signOff(pb.SignOffRequest(), metadata=self.bearer())

    def attempt(self, task, folder):
        kind = task.WhichOneof("work")
        part = task.transcode.WhichOneof("what") if kind == "transcode" else ""
        print(f"task {task.task_id} attempt {task.attempt}: {kind} {part}", flush=True)
        ended, stopped = threading.Event(), threading.Event()
        beats = threading.Thread(target=self.heartbeat, args=(task, ended, stopped), daemon=True)
        beats.start()
        finish = pb.FinishRequest(task_id=task.task_id, attempt=task.attempt)
        try:
            output = getattr(self, kind)(task, folder, finish)
            if output:
                self.deliver(task, output)
            ended.set()
            self.stub.finishTask(finish, metadata=self.bearer())
        except (grpc.RpcError, requests.RequestException) as error:
            # Stale, or the line broke: dropped; what is still wanted is handed out again.
            ended.set()
            print(f"dropped: {error}", flush=True)
        except Failed as error:
            ended.set()
            if stopped.is_set():
                print("stopped, as the server says", flush=True)
                return
            print(f"failed: {error}\n{error.log}", flush=True)
            self.stub.failTask(
                pb.FailRequest(
                    task_id=task.task_id, attempt=task.attempt, kind=error.kind,
                    reason=error.reason, message=str(error), log_tail=error.log,
                ),
                metadata=self.bearer(),
            )

    def heartbeat(self, task, ended, stopped):
        report = pb.StatusReport(task_id=task.task_id, attempt=task.attempt)
        while not ended.is_set():
            answer = self.stub.reportStatus(report, metadata=self.bearer())
            if answer.directive == pb.StatusAnswer.STOP:
                stopped.set()
                for program in list(running):
                    program.kill()
            ended.wait(1.0)

    def fetch(self, task, num, folder):
        url = f"{self.base}/api/jobs/{task.job_id}/tasks/{task.task_id}/input/{num}"
        path = os.path.join(folder, f"input-{num}")
        with requests.get(url, headers=self.headers(), stream=True) as answer:
            answer.raise_for_status()
            with open(path, "wb") as file:
                for block in answer.iter_content(1 << 20):
                    file.write(block)
        expected = next(one for one in task.inputs if one.num == num)
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if os.path.getsize(path) != expected.size or expected.sha256 not in ("", digest):
            raise Failed("", pb.FAILURE_KIND_TRANSIENT, "input-interrupted", "an input is not as announced")
        return path

    def deliver(self, task, path):
        with open(path, "rb") as file:
            digest = base64.b64encode(hashlib.file_digest(file, "sha256").digest()).decode()
        url = f"{self.base}/api/jobs/{task.job_id}/tasks/{task.task_id}/output"
        headers = self.headers() | {"Repr-Digest": f"sha-256=:{digest}:"}
        with open(path, "rb") as file:
            answer = requests.put(url, params={"attempt": task.attempt}, data=file, headers=headers)
        answer.raise_for_status()

    # ------------------------------------------------------------------------------- analysis

    def analysis(self, task, folder, finish):
        source = self.fetch(task, 0, folder)
        found = probe(source, "-show_format", "-show_streams", "-show_chapters")
        facts = finish.facts
        facts.demuxer = found["format"]["format_name"]
        facts.start_micros = micros(found["format"].get("start_time")) or 0
        if micros(found["format"].get("duration")):
            facts.duration_micros = micros(found["format"]["duration"])
        facts.size = os.path.getsize(source)
        facts.chapters = len(found["chapters"])
        for stream in found["streams"]:
            facts.streams.append(self.stream(stream))
        films = [
            stream for stream in facts.streams
            if stream.kind == pb.STREAM_KIND_VIDEO and "attached_pic" not in stream.dispositions
        ]
        report = pb.StatusReport(task_id=task.task_id, attempt=task.attempt, facts=facts)
        wanted = self.stub.reportStatus(report, metadata=self.bearer())
        if not films or not wanted.HasField("film_stream"):
            return None
        if not wanted.HasField("copy"):
            self.packets(source, wanted.film_stream, task, finish)
            return None
        copy, why = self.copy(source, facts, wanted, folder)
        if why:
            report = pb.StatusReport(task_id=task.task_id, attempt=task.attempt, unsplittable=why)
            self.stub.reportStatus(report, metadata=self.bearer())
            return None
        timebase = facts.streams[wanted.film_stream].timebase
        self.packets(copy, 0, task, finish, Fraction(timebase.num, timebase.den))
        return copy

    def copy(self, source, facts, wanted, folder):
        """Copies the film into a container with an index; answers its file, or why it cannot be trusted."""
        film = facts.streams[wanted.film_stream]
        copy = os.path.join(folder, "film.nut")
        beside = [word for index in wanted.copy.beside for word in ("-map", f"0:{index}")]
        beside += ["-c", "copy", "-f", "null", "-"] if beside else []
        try:
            run(["ffmpeg", "-v", "error", *demuxer_option(facts.demuxer), "-i", "file:" + source,
                 "-map", f"0:{film.index}", "-c", "copy", "-copypriorss", "1",
                 "-avoid_negative_ts", "disabled", "-output_ts_offset", str(16 * film.timebase.num),
                 "-f", "nut", copy, *beside])
        except Failed:
            return None, "its packets cannot be copied"
        # A source that does not begin with a keyframe is left to others.
        told = probe(source, "-select_streams", str(film.index), "-show_packets",
                     "-show_entries", "packet=pts,size,flags")["packets"]
        made = probe(copy, "-show_streams", "-show_packets")
        tick = Fraction(film.timebase.num, film.timebase.den)
        finer = tick / Fraction(made["streams"][0]["time_base"])
        moved = 16 * film.timebase.den - round(Fraction(facts.start_micros, 10**6) / tick)
        if [(row.get("pts"), row["size"]) for row in made["packets"]] != [
            (row.get("pts") is not None and (row["pts"] + moved) * finer, row["size"]) for row in told
        ]:
            return None, "its copy has other packets"
        if film.codec == "h264" and not all(self.is_beginning(copy, row) for row in made["packets"]):
            return None, "its keyframes may not be beginnings"
        return copy, None

    def is_beginning(self, copy, row):
        """Whether a keyframe of H.264 is an IDR picture, which needs nothing before it."""
        if "K" not in row["flags"]:
            return True
        with open(copy, "rb") as file:
            file.seek(int(row["pos"]))
            data = file.read(int(row["size"]) + 64)
        return any(data[at + 3:at + 4] and data[at + 3] & 31 == 5
                   for at in range(len(data)) if data.startswith(b"\0\0\1", at))

    def stream(self, found):
        facts = pb.StreamFacts(
            index=found["index"], codec=found.get("codec_name", ""),
            kind=KINDS.get(found.get("codec_type"), pb.STREAM_KIND_DATA),
            dispositions=[name for name, on in found.get("disposition", {}).items() if on],
        )
        num, den = found["time_base"].split("/")
        facts.timebase.num, facts.timebase.den = int(num), int(den)
        tags = {key.lower(): value for key, value in found.get("tags", {}).items()}
        if "language" in tags:
            facts.language = tags["language"]
        if "title" in tags:
            facts.title = tags["title"]
        if found.get("codec_type") == "video":
            video = facts.video
            video.width, video.height = found.get("width", 0), found.get("height", 0)
            video.pixel_format = found.get("pix_fmt", "")
            video.field_order = found.get("field_order", "")
            video.color_transfer = found.get("color_transfer", "")
            video.has_b_frames = found.get("has_b_frames", 0)
            for name, field in [("avg_frame_rate", "average_rate"), ("r_frame_rate", "real_rate")]:
                if rational(found.get(name)):
                    getattr(video, field).CopyFrom(rational(found[name]))
        return facts

    def packets(self, source, stream, task, finish, tick=None):
        """Reports the packets of a stream, in ticks of its own or of those that are named."""
        found = probe(source, "-select_streams", str(stream), "-show_packets",
                      "-show_entries", "packet=pts,dts,duration,size,flags")
        rows, sent = found["packets"], 0
        if tick:
            own = Fraction(probe(source, "-show_streams")["streams"][0]["time_base"])
            for row in rows:
                row |= {name: int(row[name] * own // tick)
                        for name in ("pts", "dts", "duration") if name in row}
        while True:
            some = rows[sent:sent + 10_000]
            batch = pb.PacketBatch(
                first=sent,
                pts=[row.get("pts", NO_TIMESTAMP) for row in some],
                dts=[row.get("dts", NO_TIMESTAMP) for row in some],
                size=[int(row["size"]) for row in some],
                flags=[("K" in row["flags"]) + 2 * ("D" in row["flags"]) for row in some],
                duration=[row.get("duration", NO_TIMESTAMP) for row in some],
            )
            if sent + len(some) == len(rows):
                finish.packets.CopyFrom(batch)
                return
            report = pb.StatusReport(task_id=task.task_id, attempt=task.attempt, packets=batch)
            sent = self.stub.reportStatus(report, metadata=self.bearer()).packets_received

    # ------------------------------------------------------------------------------ transcode

    def transcode(self, task, folder, finish):
        work = task.transcode
        source = self.fetch(task, 0, folder)
        what = work.WhichOneof("what")
        if what == "segment":
            if work.segment.HasField("pass") and getattr(work.segment, "pass").HasField("notes_input"):
                notes = self.fetch(task, getattr(work.segment, "pass").notes_input, folder)
                with tarfile.open(notes) as archive:
                    archive.extractall(folder, filter="data")
            return self.segment(work, work.segment, source, folder, finish)
        streams = getattr(work, what)
        output = os.path.join(folder, "output")
        exact = ["-enc_time_base", "-1"]
        if what in ("other_streams", "weigh"):
            exact += ["-map_chapters", "-1"]
            if seconds_ahead(streams.container):
                exact += ["-output_ts_offset", str(seconds_ahead(streams.container)),
                          "-avoid_negative_ts", "disabled"]
        elif any(option.name.split(":")[0] == "r" for option in streams.options):
            exact = []
        else:
            exact += ["-fps_mode", "passthrough"]
        offset = []
        if what in ("other_streams", "weigh") and against_correction(work.demuxer):
            offset = ["-itsoffset", "1us"]
        maps = [word for index in streams.source_streams for word in ("-map", f"0:{index}")]
        run(["ffmpeg", "-v", "error", *offset, *demuxer_option(work.demuxer), "-i", "file:" + source, *maps,
             *words(streams.options), *exact, "-f", streams.container, output])
        if what == "weigh":
            finish.media_bytes = os.path.getsize(output)
            return None
        return output

    def segment(self, work, segment, source, folder, finish):
        output = os.path.join(folder, "output")
        film = segment.film
        bias = 16 * film.timebase.den
        bounds = []
        if segment.HasField("filter_start"):
            bounds.append(f"start_pts={segment.filter_start}")
        if segment.HasField("filter_end"):
            bounds.append(f"end_pts={segment.filter_end}")
        # A copy of the film may count in finer ticks.
        ticks = f"{film.timebase.num}/{film.timebase.den}"
        chain = [f"settb={ticks}"] + (["trim=" + ":".join(bounds)] if bounds else [])
        chain.append(f"setpts=PTS-({film.shift})")
        if segment.filter:
            # What comes out of a filter may have times between the film's ticks: finer ones are rounded to them.
            bits = min(16, max(0, 30 - film.timebase.den.bit_length()))
            first, after = segment.expected.first_pts, segment.expected.last_pts + 1
            first, after = ((pts << bits) - (1 << bits) // 2 for pts in (first, after))
            chain += [segment.filter, f"settb={film.timebase.num}/{film.timebase.den << bits}",
                      f"trim=start_pts={first}:end_pts={after}", f"setpts=PTS+{bias << bits}"]
        else:
            chain.append(f"setpts=PTS+{bias}")
        seek = []
        if segment.HasField("seek_micros"):
            seek = ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{segment.seek_micros}us"]
        run(["ffmpeg", "-v", "error", "-copyts", *seek, *demuxer_option(work.demuxer),
             "-i", "file:" + source, "-map", f"0:{film.stream}", "-vf", ",".join(chain),
             "-c:v", segment.encoder, *words(segment.options), "-threads:v", str(segment.threads),
             "-fps_mode", "passthrough", "-enc_time_base", ticks, "-avoid_negative_ts", "disabled",
             "-map_metadata", "-1", "-map_chapters", "-1", *FRAGMENTED,
             "-video_track_timescale", str(film.timebase.den),
             "-f", "mov" if segment.encoder in IN_MOV else "mp4", output], folder)
        self.observe(output, film.timebase, bias, finish)
        if finish.frames != segment.expected:
            raise Failed("", pb.FAILURE_KIND_MISMATCH, "segment-not-as-planned",
                         f"{finish.frames} instead of {segment.expected}")
        if getattr(segment, "pass").measure:
            return self.notes(folder)
        return output

    def notes(self, folder):
        """The notes that an encoder leaves for its second pass, as an archive."""
        path = os.path.join(folder, "notes.tar")
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
            for name in sorted(name for name in os.listdir(folder) if name.startswith("passlog")):
                archive.add(os.path.join(folder, name), name)
        return path

    def observe(self, path, timebase, bias, finish):
        found = probe(path, "-select_streams", "v:0", "-show_packets", "-show_streams",
                      "-show_data_hash", "sha256",
                      "-show_entries", "packet=pts,size:stream=time_base,extradata_hash")
        stream = found["streams"][0]
        scale = Fraction(stream["time_base"]) / Fraction(timebase.num, timebase.den)
        pts = sorted(round(packet["pts"] * scale) - bias for packet in found["packets"])
        digest = hashlib.sha256(b"".join(struct.pack("<q", ticks) for ticks in pts))
        finish.frames.CopyFrom(pb.Frames(
            count=len(pts), first_pts=pts[0], last_pts=pts[-1], pts_sha256=digest.hexdigest()))
        finish.media_bytes = sum(int(packet["size"]) for packet in found["packets"])
        if "extradata_hash" in stream:
            finish.extradata_sha256 = stream["extradata_hash"].split(":")[-1].lower()

    # ---------------------------------------------------------------------------------- merge

    def merge(self, task, folder, finish):
        merge = task.merge
        if merge.WhichOneof("what") == "whole_title_input":
            whole = self.fetch(task, merge.whole_title_input, folder)
            if merge.verify != pb.VERIFY_QUICK:
                self.check_decodes(whole, finish)
            finish.output_is_input = merge.whole_title_input
            return None
        join, output = merge.join, os.path.join(folder, "output")
        segments = [self.fetch(task, segment.input, folder) for segment in join.segments]
        source, others = self.fetch(task, 0, folder), None
        inputs = self.joined_film(join, segments, folder)
        if join.HasField("other_streams_input"):
            others = self.fetch(task, join.other_streams_input, folder)
            inputs += ["-itsoffset", str(-seconds_ahead(merge.container)), "-i", "file:" + others]
        offset = against_correction(merge.demuxer) - join.start_micros
        inputs += ["-itsoffset", f"{offset}us", *demuxer_option(merge.demuxer),
                   "-i", "file:" + source]
        streams = self.streams(merge, segments[0], source, others, folder)
        run(["ffmpeg", "-v", "error", "-copyts", *inputs, "-c", "copy", *streams,
             *words(join.options), "-f", merge.container, output])
        film = [stream.WhichOneof("origin") for stream in merge.streams].index("film")
        self.check_film(output, merge, film, finish)
        if merge.verify != pb.VERIFY_QUICK:
            self.check_decodes(output, finish)
        return output

    def joined_film(self, join, segments, folder):
        tick = Fraction(join.film.timebase.num, join.film.timebase.den)
        bias = 16 * join.film.timebase.den
        starts = [micros((segment.frames.first_pts + bias) * tick) for segment in join.segments]
        listing = os.path.join(folder, "list.ffconcat")
        with open(listing, "w") as file:
            print("ffconcat version 1.0", file=file)
            for path, start, following in zip(segments, starts, starts[1:] + [None]):
                print(f"file 'file:{path}'", file=file)
                if following is not None:
                    print(f"duration {following - start}us", file=file)
        return ["-itsoffset", f"{starts[0] - micros(bias * tick)}us", "-f", "concat", "-safe", "0",
                "-auto_convert", "0", "-protocol_whitelist", "file", "-i", listing]

    def streams(self, merge, segment, source, others, folder):
        """Which streams, and what their headers say."""
        film_made = probe(segment, "-show_streams")["streams"][0]
        film_source = probe(source, "-show_streams")["streams"][merge.join.film.stream]
        others_made = probe(others, "-show_streams")["streams"] if others else []
        number_of_source = 2 if others else 1
        out = ["-map_metadata", str(number_of_source), "-map_chapters", str(number_of_source),
               "-metadata", "creation_time="]
        for number, (stream, dispositions) in enumerate(zip(merge.streams, self.dispositions(merge))):
            origin, made = stream.WhichOneof("origin"), None
            out += [f"-map_metadata:s:{number}", f"{number_of_source}:s:{stream.source_stream}",
                    f"-disposition:{number}", "+".join(dispositions) or "0"]
            if origin == "film":
                made = film_made
                out += ["-map", "0:v:0",
                        f"-bsf:{number}", "setts=pts=PTS:dts=max(DTS\\,PREV_OUTDTS+1):duration=0"]
                if merge.join.film.HasField("rate"):
                    out += [f"-r:{number}", f"{merge.join.film.rate.num}/{merge.join.film.rate.den}"]
                for name, option in COLOURS.items():
                    told = [one.get(name) for one in (film_made, film_source) if one.get(name) not in UNTOLD]
                    out += [f"-{option}:{number}", told[0]] if told else []
            elif origin == "encoded":
                made = others_made[stream.encoded]
                out += ["-map", f"1:{stream.encoded}"]
                if lost := self.lost_ticks(others, stream, made, merge.container, folder):
                    out += [f"-bsf:{number}", f"setts=pts=PTS+({lost}):dts=DTS+({lost})"]
            else:
                out += ["-map", f"{number_of_source}:{stream.source_stream}"]
            encoder = {key.lower(): value for key, value in (made or {}).get("tags", {}).items()}.get("encoder")
            if encoder:
                out += [f"-metadata:s:{number}", f"encoder={encoder}"]
        if merge.container in ("mp4", "mov"):
            timescale = merge.join.film.timebase.den
            while timescale < 10_000:
                timescale *= 2
            out += ["-video_track_timescale", str(timescale)]
        return out

    def dispositions(self, merge):
        """As plain ffmpeg: of several streams of a kind without a default, the first becomes it."""
        every = [list(stream.dispositions) for stream in merge.streams]
        if any(option.name.split(":")[0] == "disposition" for option in merge.join.options):
            return every
        for kind in {stream.kind for stream in merge.streams} - {pb.STREAM_KIND_ATTACHMENT}:
            same = [names for names, stream in zip(every, merge.streams) if stream.kind == kind]
            first = [names for names in same if "attached_pic" not in names][:1]
            if len(same) > 1 and first and not any("default" in names for names in same):
                first[0].append("default")
        return every

    def lost_ticks(self, others, stream, made, container, folder):
        """What reading it once more takes away from the times of sound, and a single ffmpeg would not."""
        if stream.kind != pb.STREAM_KIND_AUDIO:
            return 0
        copied = os.path.join(folder, "copied")
        run(["ffmpeg", "-v", "error", "-y", "-copyts", "-i", "file:" + others,
             "-map", f"0:{stream.encoded}", "-c", "copy", "-frames:a", "16",
             "-avoid_negative_ts", "disabled", "-strict", "experimental", "-f", container, copied])
        lost = self.first_time(others, stream.encoded) - self.first_time(copied, 0)
        return round(lost / Fraction(made["time_base"]))

    def first_time(self, path, index):
        found = probe(path, "-select_streams", str(index), "-read_intervals", "%+#1", "-show_packets",
                      "-show_streams")
        return found["packets"][0]["pts"] * Fraction(found["streams"][0]["time_base"])

    def check_film(self, output, merge, film, finish):
        expected = sum(segment.frames.count for segment in merge.join.segments)
        found = probe(output, "-select_streams", str(film), "-show_packets", "-show_streams",
                      "-show_entries", "packet=pts,dts,size:stream=time_base")
        packets = found["packets"]
        dts = [packet["dts"] for packet in packets if "dts" in packet]
        if len(packets) != expected or any(b <= a for a, b in zip(dts, dts[1:])):
            raise Failed(f"{len(packets)} frames instead of {expected}, or DTS that run backwards")
        finish.checks.append(pb.Check(name="frame count", passed=True, detail=f"{expected} frames"))
        finish.frames.count = expected
        if merge.HasField("buffer"):
            self.check_buffer(packets, Fraction(found["streams"][0]["time_base"]), merge.buffer, finish)

    def check_buffer(self, packets, tick, buffer, finish):
        fullness, before = Fraction(buffer.bits * 9, 10), None
        for packet in packets:
            if "dts" in packet:
                gained = (packet["dts"] - before) * tick * buffer.bits_per_second if before is not None else 0
                fullness, before = min(fullness + gained, buffer.bits), packet["dts"]
            fullness -= int(packet["size"]) * 8
            if fullness < -2 * tick * buffer.bits_per_second:
                raise Failed("", pb.FAILURE_KIND_MISMATCH, "output-not-verified", "the player's buffer runs empty")
        finish.checks.append(pb.Check(name="player's buffer", passed=True, detail="never empty"))

    def check_decodes(self, path, finish):
        run(["ffmpeg", "-v", "error", "-xerror", "-i", "file:" + path, "-f", "null", "-"])
        finish.checks.append(pb.Check(name="full decode", passed=True, detail="no error"))


if __name__ == "__main__":
    seconds = float(sys.argv[3]) if sys.argv[2:3] == ["--until-idle"] else None
    Worker(sys.argv[1]).serve(seconds)
