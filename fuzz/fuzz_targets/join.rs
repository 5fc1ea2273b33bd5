//! Join strings, addresses and pairing codes, as people paste them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use segenc_proto::connect::pairing::PairingCode;
use segenc_proto::connect::{JoinString, ServerAddress};

fuzz_target!(|text: &str| {
    if let Ok(join) = text.parse::<JoinString>() {
        assert_eq!(join.reveal().parse::<JoinString>().as_ref(), Ok(&join));
        assert_eq!(format!("{:?}", join.token), "Secret(…)");
    }
    if let Ok(address) = text.parse::<ServerAddress>() {
        assert_eq!(address.to_string().parse::<ServerAddress>().as_ref(), Ok(&address));
        // What is inserted into an address must not lead to another host.
        let rest = address.base_url();
        let rest = rest.split_once("://").map_or("", |(_, rest)| rest);
        assert!(!rest.is_empty() && !rest.contains(['/', '@', '?', '#', '\\', ' ']));
    }
    if let Ok(code) = text.parse::<PairingCode>() {
        assert!(code.reveal().parse::<PairingCode>().is_ok());
    }
});
