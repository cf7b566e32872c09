// The Node peers for base BBS: @digitalbazaar/bbs-signatures and @mattrglobal/pairing-crypto.
//
// Spoken to by benchmarks/bbs_peers.py over standard input and output, one JSON value a line. The
// first line in names the peer and gives key, messages and, in hexadecimal, octets; every further
// line names an act and how often it is done. The line out is the processor time of the main
// thread, in seconds.
//
// Both peers sign and verify the same signatures as we do. Proofs of @digitalbazaar are those of
// the same draft, so it verifies ours; those of pairing-crypto are an earlier draft's (two points
// instead of three), so it verifies its own.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import * as digitalbazaar from "@digitalbazaar/bbs-signatures";
import pairingCrypto from "@mattrglobal/pairing-crypto";

const octets = (text) => new Uint8Array(Buffer.from(text, "hex"));

function processorSeconds() {
  try {
    return Number(readFileSync("/proc/self/schedstat", "ascii").split(" ", 1)[0]) / 1e9;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }
}

function withDigitalbazaar({ secretKey, publicKey, header, presentationHeader, messages, disclosed, signature, proofs }) {
  const given = { ciphersuite: "BLS12-381-SHA-256", publicKey, header };
  const shown = { presentationHeader, disclosedMessageIndexes: disclosed };
  const disclosedMessages = disclosed.map((place) => messages[place]);
  let next = 0;
  return {
    sign: () => digitalbazaar.sign({ ...given, secretKey, messages }),
    verify: () => digitalbazaar.verifySignature({ ...given, signature, messages }),
    prove: () => digitalbazaar.deriveProof({ ...given, ...shown, signature, messages }),
    verifyProof: () =>
      digitalbazaar.verifyProof({ ...given, ...shown, disclosedMessages, proof: proofs[next++ % proofs.length] }),
  };
}

async function withPairingCrypto({ secretKey, publicKey, header, presentationHeader, messages, disclosed, signature }) {
  const suite = pairingCrypto.bbs.bls12381_sha256;
  const given = { publicKey, header };
  const shown = Object.fromEntries(disclosed.map((place) => [place, messages[place]]));
  const all = messages.map((value, place) => ({ value, reveal: disclosed.includes(place) }));
  const prove = () => suite.deriveProof({ ...given, presentationHeader, signature, verifySignature: false, messages: all });
  const proof = await prove();
  const agrees = async (answer) => (await answer).verified;
  return {
    sign: () => suite.sign({ ...given, secretKey, messages }),
    verify: () => agrees(suite.verify({ ...given, signature, messages })),
    prove,
    verifyProof: () => agrees(suite.verifyProof({ ...given, presentationHeader, proof, messages: shown })),
  };
}

const PEERS = { digitalbazaar: withDigitalbazaar, pairing_crypto: withPairingCrypto };

function read({ peer, disclosed, messages, proofs, ...single }) {
  const given = Object.fromEntries(Object.entries(single).map(([name, text]) => [name, octets(text)]));
  return PEERS[peer]({ ...given, disclosed, messages: messages.map(octets), proofs: proofs.map(octets) });
}

let acts;

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (acts === undefined) {
    acts = await read(asked);
    console.log(JSON.stringify({ node: process.version }));
    continue;
  }
  const began = processorSeconds();
  for (let time = 0; time < asked.times; time += 1) {
    if (!(await acts[asked.act]())) {
      throw new Error("the peer refused what is right");
    }
  }
  console.log(JSON.stringify({ seconds: processorSeconds() - began }));
}
