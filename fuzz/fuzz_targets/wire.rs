//! Messages of the wire, in both directions, become the core's types; those that do survive going out again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use segenc_proto::{convert, grpc};

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind % 5 {
        0 => report(bytes),
        1 => finish(bytes),
        2 => {
            let Ok(message) = grpc::FailRequest::decode(bytes) else { return };
            let _ = convert::failure(message);
        }
        3 => {
            let Ok(message) = grpc::RegistrationRequest::decode(bytes) else { return };
            if let Ok(profile) = convert::worker_profile(message) {
                let again = convert::worker_profile(profile.clone().into());
                assert_eq!(again.as_ref(), Ok(&profile));
            }
        }
        _ => {
            let Ok(message) = grpc::Task::decode(bytes) else { return };
            if let Ok(Some(task)) = convert::task(message) {
                let again = convert::task(convert::task_message(task.clone()));
                assert_eq!(again, Ok(Some(task)));
            }
        }
    }
});

fn report(bytes: &[u8]) {
    let Ok(message) = grpc::StatusReport::decode(bytes) else { return };
    if let Some(Ok(facts)) = message.facts.map(convert::source_facts) {
        let again = convert::source_facts(convert::source_facts_message(&facts));
        assert_eq!(again.as_ref(), Ok(&facts));
    }
    if let Some(Ok((first, packets))) = message.packets.map(convert::packets) {
        assert!(packets.len() <= convert::MAX_PACKETS_PER_BATCH);
        let again = convert::packets(convert::packet_batch(first, &packets));
        assert_eq!(again.as_ref(), Ok(&(first, packets)));
    }
    if let Some(text) = message.unsplittable {
        let reason = convert::reason(text);
        assert_eq!(convert::reason(reason.clone()), reason);
    }
}

fn finish(bytes: &[u8]) {
    let Ok(message) = grpc::FinishRequest::decode(bytes) else { return };
    let _ = convert::observed(&message);
}
