//! SRTP against published vectors: RFC 3711, RFC 6188, RFC 7714, and Wycheproof for the primitives beneath.

use crate::corpora::{hex, hex_of, json};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use hmac::{Hmac, KeyInit, Mac};
use loupe_core::io::SrtpProfile;
use loupe_core::srtp::kdf::{KeyLabel, SessionKeys, derive};
use loupe_core::srtp::{InboundSrtp, OutboundSrtp, RtcpReplay, RtpReplay, SrtpError};
use loupe_core::units::SeqNo;
use serde_json::Value;
use sha1::Sha1;

const CM: SrtpProfile = SrtpProfile::Aes128CmSha1_80;

#[test]
fn key_derivation_gives_the_published_keys() {
    let Some(file) = json("rfc-vectors/srtp_aes_cm_kdf.json") else { return };
    let mut derived = 0;
    for vector in file["vectors"].as_array().unwrap().iter().filter(|vector| vector["master_key"].is_string())
    {
        let (key, salt) = (hex_of(vector, "master_key"), hex_of(vector, "master_salt"));
        for (name, label) in [
            ("cipher_key", KeyLabel::RtpCipher),
            ("cipher_salt", KeyLabel::RtpSalt),
            ("auth_key_94", KeyLabel::RtpAuthentication),
            ("auth_key_20", KeyLabel::RtpAuthentication),
        ] {
            if vector[name].is_string() {
                let expected = hex_of(vector, name);
                let mut out = vec![0xff; expected.len()];
                derive(&key, &salt, label, &mut out).unwrap();
                assert_eq!(out, expected, "{} {name}", vector["name"]);
                derived += 1;
            }
        }
    }
    assert_eq!(derived, 6);
}

#[test]
fn keys_of_a_wrong_length_are_refused() {
    for profile in [SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm, CM] {
        let length = profile.key_length() + profile.salt_length();
        for wrong in [0, length - 1, length + 1] {
            assert_eq!(InboundSrtp::new(profile, &vec![1; wrong]).err(), Some(SrtpError::KeyLength));
            assert_eq!(OutboundSrtp::new(profile, &vec![1; wrong]).err(), Some(SrtpError::KeyLength));
        }
    }
}

#[test]
fn counter_mode_keystream_is_that_of_rfc_3711() {
    let Some(file) = json("rfc-vectors/srtp_aes_cm_kdf.json") else { return };
    let vector = &file["vectors"][0];
    let keys = SessionKeys {
        cipher: hex_of(vector, "session_key"),
        salt: hex_of(vector, "session_salt"),
        authentication: vec![0; 20],
    };
    let outbound = OutboundSrtp::with_session_keys(CM, &keys, &keys).unwrap();
    // SSRC 0 and index 0: encrypting zeros shows the keystream.
    let mut packet = vec![0; 12 + 48];
    outbound.protect_rtp(&mut packet, 0, 12, SeqNo(0)).unwrap();
    assert_eq!(packet[12..60], hex_of(vector, "keystream_first_48_bytes"));
}

fn cm_key_and_salt(vector: &Value) -> Vec<u8> {
    [hex_of(vector, "master_key"), hex_of(vector, "master_salt")].concat()
}

#[test]
fn counter_mode_packets_match_and_bad_ones_change_nothing() {
    let Some(file) = json("rfc-vectors/srtp_aes_cm_128_hmac_sha1_80_packets.json") else { return };
    for vector in file["vectors"].as_array().unwrap().iter().filter(|vector| vector["srtp"].is_string()) {
        let name = &vector["name"];
        let inbound = InboundSrtp::new(CM, &cm_key_and_salt(vector)).unwrap();
        let mut packet = hex_of(vector, "srtp");
        let mut stream = RtpReplay::default();
        let opened = inbound.unprotect_rtp(&mut stream, 12, &mut packet);
        if vector["result"] == "valid" {
            let plain = hex_of(vector, "rtp");
            assert_eq!(packet[..opened.unwrap().length], plain, "{name}");
            let outbound = OutboundSrtp::new(CM, &cm_key_and_salt(vector)).unwrap();
            let mut arena = [vec![7; 3], plain].concat();
            outbound.protect_rtp(&mut arena, 3, 12, SeqNo(0x1234)).unwrap();
            assert_eq!(arena[3..], hex_of(vector, "srtp"), "{name}");
        } else {
            let error = opened.unwrap_err();
            assert!(matches!(error, SrtpError::Short | SrtpError::Authentication), "{name}: {error}");
            assert_eq!(stream, RtpReplay::default(), "{name}");
        }
    }
}

#[test]
fn a_late_packet_across_the_rollover_is_accepted_once() {
    let Some(file) = json("rfc-vectors/srtp_aes_cm_128_hmac_sha1_80_packets.json") else { return };
    let vector =
        file["vectors"].as_array().unwrap().iter().find(|vector| vector["name"] == "roc-wrap-sequence");
    let vector = vector.expect("the wrap sequence");
    let inbound = InboundSrtp::new(CM, &cm_key_and_salt(vector)).unwrap();
    let mut stream = RtpReplay::default();
    let packets = vector["packets"].as_array().unwrap();
    for (packet, index) in packets.iter().zip([0xfffe, 0x1_0000, 0xffff]) {
        let opened = inbound.unprotect_rtp(&mut stream, 12, &mut hex(packet.as_str().unwrap())).unwrap();
        assert_eq!(opened.index, SeqNo(index));
    }
    for packet in packets {
        let again = inbound.unprotect_rtp(&mut stream, 12, &mut hex(packet.as_str().unwrap()));
        assert_eq!(again, Err(SrtpError::Replay));
    }
}

#[test]
fn gcm_packets_match_rfc_7714() {
    let Some(file) = json("rfc-vectors/srtp_aead_aes_gcm_rfc7714.json") else { return };
    for vector in file["vectors"].as_array().unwrap() {
        let keys = SessionKeys {
            cipher: hex_of(vector, "key"),
            salt: hex_of(&file, "session_salt"),
            authentication: Vec::new(),
        };
        let profile =
            if keys.cipher.len() == 32 { SrtpProfile::AeadAes256Gcm } else { SrtpProfile::AeadAes128Gcm };
        let inbound = InboundSrtp::with_session_keys(profile, &keys, &keys).unwrap();
        let outbound = OutboundSrtp::with_session_keys(profile, &keys, &keys).unwrap();
        let (plain, protected) = (hex_of(vector, "plain"), hex_of(vector, "protected"));
        let (mut arena, mut packet) = (plain.clone(), protected.clone());
        if vector["roc"].is_u64() {
            let sequence = u64::from(u16::from_be_bytes([plain[2], plain[3]]));
            outbound.protect_rtp(&mut arena, 0, 12, SeqNo(sequence)).unwrap();
            let opened = inbound.unprotect_rtp(&mut RtpReplay::default(), 12, &mut packet).unwrap();
            packet.truncate(opened.length);
        } else {
            let index = vector["srtcp_index"].as_u64().unwrap() as u32;
            let opened = inbound.unprotect_rtcp(&mut RtcpReplay::default(), &mut packet);
            // 17.3 is authentic but not encrypted, which DTLS-SRTP never negotiates: refused by policy.
            if vector["name"].as_str().unwrap().contains("tag only") {
                assert_eq!(opened, Err(SrtpError::Unencrypted));
                continue;
            }
            outbound.protect_rtcp(&mut arena, 0, index).unwrap();
            packet.truncate(opened.unwrap());
        }
        assert_eq!(arena, protected, "{}", vector["name"]);
        assert_eq!(packet, plain, "{}", vector["name"]);
    }
}

#[test]
fn gcm_beneath_passes_wycheproof() {
    let Some(file) = json("wycheproof/aes_gcm_test.json") else { return };
    let (mut valid, mut invalid) = (0, 0);
    for group in file["testGroups"].as_array().unwrap() {
        let algorithm = match group["keySize"].as_u64() {
            Some(128) => &AES_128_GCM,
            Some(256) => &AES_256_GCM,
            _ => continue,
        };
        for test in group["tests"].as_array().unwrap() {
            // SRTP has 96-bit vectors and 128-bit tags only; others must not even be taken.
            let Ok(nonce) = Nonce::try_assume_unique_for_key(&hex_of(test, "iv")) else { continue };
            let key = LessSafeKey::new(UnboundKey::new(algorithm, &hex_of(test, "key")).unwrap());
            let mut sealed = [hex_of(test, "ct"), hex_of(test, "tag")].concat();
            let opened = key.open_in_place(nonce, Aad::from(hex_of(test, "aad")), &mut sealed);
            if test["result"] == "valid" {
                assert_eq!(opened.unwrap(), hex_of(test, "msg"), "{}", test["tcId"]);
                valid += 1;
            } else {
                assert!(opened.is_err(), "{}", test["tcId"]);
                invalid += 1;
            }
        }
    }
    assert!(valid > 50 && invalid > 20, "{valid} valid, {invalid} invalid");
}

#[test]
fn hmac_sha1_beneath_passes_wycheproof() {
    let Some(file) = json("wycheproof/hmac_sha1_test.json") else { return };
    let mut checked = 0;
    for group in file["testGroups"].as_array().unwrap() {
        let length = group["tagSize"].as_u64().unwrap() as usize / 8;
        for test in group["tests"].as_array().unwrap() {
            let mut tag = Hmac::<Sha1>::new_from_slice(&hex_of(test, "key")).unwrap();
            tag.update(&hex_of(test, "msg"));
            let equal = tag.finalize().into_bytes()[..length] == hex_of(test, "tag");
            assert_eq!(equal, test["result"] == "valid", "{}", test["tcId"]);
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked} checked");
}
