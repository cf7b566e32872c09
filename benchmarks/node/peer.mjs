// The Node peer: @sd-jwt/sd-jwt-vc with signer, verifier and hasher of node:crypto.
//
// Spoken to by benchmarks/peers.py over standard input and output, one JSON value a line.
// The first line in is the material; every further line asks for one block: each presentation
// verified once. The line out is the processor time of the main thread, in seconds, for that
// block. What this verification leaves out stands in the table of benchmarks/README.md.

import { createHash, createPublicKey, verify as verifySignature } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";

const ES256 = { dsaEncoding: "ieee-p1363" };

function check(key, data, signature) {
  return verifySignature("sha256", Buffer.from(data), { key, ...ES256 }, Buffer.from(signature, "base64url"));
}

function hasher(data, algorithm) {
  return createHash(algorithm.replace("-", "")).update(typeof data === "string" ? data : Buffer.from(data)).digest();
}

// The comparison is made with the status check off on both sides.
class WithoutStatus extends SDJwtVcInstance {
  async verifyStatus() {}
}

function instance(issuerKey) {
  return new WithoutStatus({
    hasher,
    hashAlg: "sha-256",
    verifier: async (data, signature) => check(issuerKey, data, signature),
    kbVerifier: async (data, signature, payload) =>
      check(createPublicKey({ key: payload.cnf.jwk, format: "jwk" }), data, signature),
  });
}

// Nanoseconds that the main thread has run. Where Linux does not say, the whole process's time.
function processorSeconds() {
  try {
    return Number(readFileSync("/proc/self/schedstat", "ascii").split(" ", 1)[0]) / 1e9;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }
}

let peer;
let material;

for await (const line of createInterface({ input: process.stdin })) {
  if (material === undefined) {
    material = JSON.parse(line);
    peer = instance(createPublicKey({ key: material.issuer, format: "jwk" }));
    console.log(JSON.stringify({ node: process.version }));
    continue;
  }
  const began = processorSeconds();
  for (const presentation of material.presentations) {
    const { payload, kb } = await peer.verify(presentation, { keyBindingNonce: material.nonce });
    if (kb.payload.aud !== material.audience || payload.vct !== material.vct) {
      throw new Error("the peer accepted something else");
    }
  }
  console.log(JSON.stringify({ seconds: processorSeconds() - began }));
}
